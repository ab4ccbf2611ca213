"""The network of an exact data set: what a perfectly trained one would predict, computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samplerbench.data.datasets import Dataset
from samplerbench.data.distributions import Distribution
from samplerbench.methods import Recipe, get_recipe, weights


@dataclass(frozen=True)
class Shape:
    """The images of a network, named as in a U-Net's configuration."""

    image_channels: int
    resolution: int
    classes: int
    interval: bool = False


class ClosedForm(nn.Module):
    """The optimal network of a recipe for a known distribution: net(x, t) -> its target, in the shape of x."""

    def __init__(self, distribution: Distribution, recipe: Recipe, config: Shape):
        super().__init__()
        self.distribution, self.recipe, self.config = distribution, recipe, config

    def forward(self, x: Tensor, t: Tensor, *_: Tensor | None) -> Tensor:
        """The posterior means of x0 and eps (B, C, H, W) in float64 on the CPU, combined as the target has them."""
        now = self.recipe.path.at(t.double().cpu())
        x0, eps = self.distribution.posterior(x.double().cpu().flatten(1), now.alpha.flatten(1), now.sigma.flatten(1))
        a, b = weights(self.recipe.target, now)
        return (a * x0.view(x.shape) + b * eps.view(x.shape)).to(x)


def closed_form(recipe: str, dataset: Dataset) -> ClosedForm:
    """What stands in for a trained network of the recipe on an exact data set."""
    config = Shape(dataset.channels, dataset.resolution, dataset.classes)
    return ClosedForm(dataset.distribution, get_recipe(recipe), config)


@contextmanager
def one_thread() -> Iterator[None]:
    """Closed forms are many small operations: threads that wait for each other make them slower, up to 100 times."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
