"""The noise of this machine: the same cell, timed again and again."""

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import METHODS, Sampler
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.devices import measuring_device
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.regression.noise_level import NoiseLevel, noise_level
from samplerbench.sampling.measure import Measurement, measure

DATASET, METHOD, STEPS = "digits", "ddim", 10
# Fields of a row, with the names of their samples in a round.
FIELDS = {"overhead_ratio": "overhead", "inner_ratio": "inner", "latency_s": "latency"}


def examine(device: str, runs: int, batch_size: int) -> list[NoiseLevel]:
    """Time a cell several times, as `bench run` does. Raises InputError for a device that is not available."""
    sampler = Sampler(METHODS.get(METHOD), STEPS, "uniform")
    network = load_network(str(sampler.recipe), DATASETS.get(DATASET), None, measuring_device(device))
    measured = [_time(sampler, network, batch_size) for _ in range(runs)]
    return [noise_level(field, [found.column(name) for found in measured]) for field, name in FIELDS.items()]


def _time(sampler: Sampler, network: LoadedNetwork, batch_size: int) -> Measurement:
    """Time the cell once; without seed blocks, no images are kept."""
    found = Measurement(batch_size)
    for _ in measure(sampler, network, found, batch_size, (), timing=True):
        pass
    return found
