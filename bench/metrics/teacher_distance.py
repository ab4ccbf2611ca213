"""How far the images of a sampler are from what its teacher makes of the same noise and labels."""

from math import nan

import torch

from samplerbench.metrics.features import RealFeatures
from samplerbench.networks.backbone import Backbone
from samplerbench.sampling import reference as trajectory
from samplerbench.sampling.measure import Gauge, generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sweep.plan import Job


@torch.inference_mode()
def teacher_distance(job: Job, backbone: Backbone, block: int, real: RealFeatures) -> tuple[float, float]:
    """The RMSE over the pixels, in [-1, 1], of the first images to the teacher's, and their distance in features.

    Both start from the same normal numbers, each times the standard deviation of its own path's prior. The teacher's
    are a fine solution of its ODE under the same guidance. The distance is the mean over the pairs of images as they
    are scored, divided by the mean distance of two real images. NaN for a sampler that draws noise on its way, whose
    images have other noise in them than the teacher's, and for a student whose teacher is not known.
    """
    teacher = backbone.teacher if backbone.student else backbone
    if teacher is None:
        return nan, nan
    noise = ImageNoise(block, range(trajectory.IMAGES))
    images, *_ = generate(job, backbone, noise, Gauge())
    if noise.draws > 1:
        return nan, nan
    aims = trajectory.solution(teacher, block, trajectory.IMAGES, trajectory.FINE, job.guidance)
    ours, theirs = (real.extractor(backbone.finished(each)) for each in (images, aims))
    apart = (ours - theirs).norm(dim=1).mean().item()
    return (images - aims).square().mean().sqrt().item(), apart / real.unpaired_distance
