"""What `bench sample` does: images of one method in one picture."""

from math import ceil, sqrt
from pathlib import Path

import torch
from matplotlib.image import imsave

from samplerbench.data.datasets import DATASETS, to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import METHODS
from samplerbench.networks.backbone import load_backbone, pick_device
from samplerbench.networks.guides import equip
from samplerbench.report.pictures import mosaic
from samplerbench.sampling.measure import Gauge, generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sweep.plan import Job, Sweep, expand, normalise

BATCH = 256
STEPS = 10  # unless told otherwise
PIXELS = 48  # that an image is enlarged to, at least


def draw_images(
    method: str,
    output: Path,
    count: int,
    steps: int | None,
    seed: int,
    device: str,
    weights: str | None,
    **options: object,
) -> float:
    """Write `count` images as one PNG; returns the network evaluations per image.

    Raises InputError, SpecError or CheckpointError.
    """
    if output.suffix.lower() != ".png":
        raise InputError(f"The picture is a PNG: give --output a name that ends in .png, not {str(output)!r}.")
    steps = steps or METHODS.get(method).nearest_count(STEPS)
    sweep = normalise(Sweep(methods=[method], steps=steps and [steps], device=device, weights=weights, **options))
    if len(sweep.grid or ()) > 1:
        raise InputError(f"A picture has one time grid: give --grid one name, not {len(sweep.grid)}.")
    job, *others = expand(sweep)
    if others:
        raise InputError("One picture shows one method: give --guidance one value.")
    if job.skip:
        raise InputError(f"{job.method} cannot be drawn: {job.skip}.")
    dataset = DATASETS.get(sweep.dataset)
    backbone = load_backbone(job.recipe, dataset, weights, pick_device(device), torch.float32, False)
    backbone = equip(backbone, [job.guidance] if job.guidance else [], dataset, weights)
    images, evaluations = _generate(job, backbone, seed, count)
    _save(images, output)
    return evaluations


def _generate(job: Job, backbone, seed: int, count: int):
    batches, evaluations = [], 0.0
    for start in range(0, count, BATCH):
        noise = ImageNoise(seed, range(start, min(start + BATCH, count)))
        images, _, network = generate(job, backbone, noise, Gauge())
        batches.append(to_uint8(images).cpu())
        evaluations += network.evaluations / count
    return torch.cat(batches), evaluations


def _save(images: torch.Tensor, output: Path) -> None:
    picture = mosaic(images.numpy(), columns=ceil(sqrt(len(images))), scale=ceil(PIXELS / images.shape[-1]))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        imsave(output, picture)
    except OSError as error:
        raise InputError(f"Cannot write the picture {str(output)!r}: {error}.") from error
