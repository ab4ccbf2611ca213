"""One sampling run of a batch: its noise and labels, its guidance, its count of evaluations."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from math import ceil, nan

import torch
from torch import Tensor

from samplerbench.methods import EXCESS, UNANNOUNCED, Field, Guides, Limit, Noise, Sampler
from samplerbench.networks.conditions.base import Asked
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import GuideClassifier, LoadedNetwork
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.sampling.timing import Stopwatch

# A sampling run pauses for bare forwards once in so many evaluations, which costs 5 %, but at least twice: the fewer
# they are, the further the overhead ratios of short runs spread.
A_PAUSE, FEWEST_PAUSES, MOST_PAUSES = 20, 2, 5

# Repeats a recorded run on other noise (B, C, H, W), labels (B,) and draws, counts it, and yields its last state.
Replay = Callable[[CountedNetwork, Tensor, Tensor | None, ImageNoise], Iterator[Tensor]]


def initial_noise(network: LoadedNetwork, noise: ImageNoise) -> Tensor:
    """The standard normal numbers (B, C, H, W) that images start from, in float32 or better."""
    dtype = torch.promote_types(network.dtype, torch.float32)
    return noise(torch.empty(len(noise.indices), *network.image_shape, dtype=dtype, device=network.device))


def labels_for(network: LoadedNetwork, noise: ImageNoise) -> Tensor | None:
    """The labels (B,) of these images; None for a network without classes."""
    if "labels" not in network.provides:
        return None
    if network.balanced:
        return torch.tensor(noise.indices, device=network.device) % network.classes
    return image_labels(noise.block, noise.indices, network.classes, noise.purpose).to(network.device)


def asked_of(network: LoadedNetwork, numbers: Tensor | None) -> Asked | None:
    """The conditions of these numbers (B,); None for a network without conditions."""
    return None if network.conditions is None or numbers is None else Asked(network.conditions, numbers.cpu())


class Generation:
    """A sampling run that its caller advances segment by segment, and so can time and pause.

    images: the latest state (B, C, H, W), in [-1, 1] or beyond. pauses: between its segments.
    network: counts and times the evaluations. labels: of the images (B,), or None.
    """

    def __init__(self, sampler: Sampler, network: LoadedNetwork, noise: ImageNoise, replay: Replay | None = None):
        """replay: a recording of this sampler on this network, to run in its place, as a single segment."""
        self.images = initial_noise(network, noise)
        self.labels = labels_for(network, noise)
        self.stopwatch = Stopwatch(network.device)
        self.network = CountedNetwork(network.net, network.dtype, self.stopwatch.lap, _limit(sampler, network, noise))
        self._recorded = replay is not None
        self._states = (
            replay(self.network, self.images, self.labels, noise)
            if replay
            else states(sampler, network, self.network, self.images, self.labels, noise)
        )
        self.pauses = 0 if replay else pauses(sampler)
        self._length = sampler.steps and ceil(sampler.steps / (self.pauses + 1))

    def advance(self) -> bool:
        """Run the next segment; False once there is nothing left to run."""
        states = deque(islice(self._states, self._length), maxlen=1)
        if not states:
            return False
        self.images = states.pop()
        return True

    def finish(self) -> Tensor:
        """Run what is left; the images (B, C, H, W)."""
        while self.advance():
            pass
        return self.images

    @property
    def inside(self) -> float:
        """Seconds in network calls, so far; NaN for a recording, inside which nothing can be timed."""
        return nan if self._recorded else sum(self.stopwatch.seconds())

    @property
    def nfe(self) -> float:
        """Network evaluations per image, so far."""
        return self.network.evaluations / len(self.images)


def pauses(sampler: Sampler) -> int:
    """How often a run of this sampler pauses: not at all if it is a single step, or adaptive."""
    if not (sampler.steps and sampler.nfe):
        return 0
    wanted = min(max(round(sampler.nfe / A_PAUSE), FEWEST_PAUSES), MOST_PAUSES, sampler.steps - 1)
    return ceil(sampler.steps / ceil(sampler.steps / (wanted + 1))) - 1


def states(
    sampler: Sampler,
    network: LoadedNetwork,
    counted: CountedNetwork,
    images: Tensor,
    labels: Tensor | None,
    noise: Noise,
) -> Iterator[Tensor]:
    """The states (B, C, H, W) of a run from the noise `images` on, whose evaluations `counted` counts."""
    field = network.field(counted, labels)
    return sampler.trajectory(field, images, noise, guides_for(network, field, counted))


def _limit(sampler: Sampler, network: LoadedNetwork, noise: ImageNoise) -> Limit:
    """What the run may ask of the network: far more than it announces, so that no defective method runs for ever."""
    per_image = UNANNOUNCED if sampler.nfe is None else EXCESS * sampler.nfe
    return Limit(str(sampler.method), network.image_shape, per_image * len(noise.indices))


def guides_for(network: LoadedNetwork, field: Field, counted: CountedNetwork) -> Guides:
    """The networks for guidance beside this field; evaluations of the weaker one count as the field's own."""
    classifier, weak = network.guides.get("classifier"), network.guides.get("weak")
    return Guides(
        classifier.net if isinstance(classifier, GuideClassifier) else None,
        weak.field(partial(counted.evaluate, weak.net), field.label) if isinstance(weak, LoadedNetwork) else None,
    )


@torch.inference_mode()
def generate(sampler: Sampler, network: LoadedNetwork, noise: ImageNoise) -> Generation:
    """A finished sampling run."""
    run = Generation(sampler, network, noise)
    run.finish()
    return run


def generate_batches(
    sampler: Sampler, network: LoadedNetwork, block: int, count: int, batch_size: int
) -> Iterator[Generation]:
    """Finished runs of the first `count` images of a seed block, batch after batch."""
    for start in range(0, count, batch_size):
        yield generate(sampler, network, ImageNoise(block, range(start, min(start + batch_size, count))))
