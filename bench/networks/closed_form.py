"""The optimal network of a data set with a closed form: what perfect training would give, computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from samplerbench.data.dataset import Dataset
from samplerbench.data.distributions import Distribution
from samplerbench.methods import DENOISER, Recipe, get_recipe, weights
from samplerbench.networks.loaded import LoadedNetwork, Origin


class ClosedForm(nn.Module):
    """The optimal network of a recipe for a known distribution: net(x, t) -> its target, in the shape of x."""

    def __init__(self, distribution: Distribution, recipe: Recipe):
        super().__init__()
        self.distribution, self.recipe = distribution, recipe

    def forward(self, x: Tensor, t: Tensor, *_: Tensor | None) -> Tensor:
        """The posterior means of x0 and eps (B, C, H, W), in float64 on the CPU, combined into the target."""
        now = self.recipe.path.at(t.double().cpu())
        x0, eps = self.distribution.posterior(x.double().cpu().flatten(1), now.alpha.flatten(1), now.sigma.flatten(1))
        a, b = weights(self.recipe.target, now)
        return (a * x0.view(x.shape) + b * eps.view(x.shape)).to(x)


def closed_form(recipe: str, distribution: Distribution, dataset: Dataset, device: torch.device) -> LoadedNetwork:
    """The network that takes the place of a trained one on a data set whose distribution has a closed form."""
    known = get_recipe(recipe)
    net = ClosedForm(distribution, known).to(device)
    return LoadedNetwork(
        recipe, net, net, known.path, known.target, (dataset.channels, dataset.resolution, dataset.resolution),
        dataset.classes, DENOISER, Origin("exact", dataset.name), torch.float64, device,
        distribution=distribution,
    )  # fmt: skip


@contextmanager
def one_thread() -> Iterator[None]:
    """Closed forms are many small operations, which threads waiting for each other slow down, up to 100 times."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
