"""A small network in the place of a trained one, with whatever a recipe's checkpoints provide."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from samplerbench.methods import Field, Recipe
from samplerbench.methods.core.recipe import Noise


class SmallNet(nn.Module):
    """A smooth network net(x, t, label, s) with fixed random weights; it mixes neighbouring pixels.

    outputs: the number of images it returns, channel after channel.
    """

    def __init__(self, channels: int = 1, outputs: int = 1):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.inner = nn.Conv2d(channels + 2, 8, 3, padding=1)
            self.outer = nn.Conv2d(8, outputs * channels, 3, padding=1)
        self.outputs = outputs

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None, s: Tensor | None = None) -> Tensor:
        times = [time.to(x.dtype).view(-1, 1, 1, 1).expand_as(x[:, :1]) for time in (t, t if s is None else s)]
        hidden = torch.tanh(self.inner(torch.cat((x, *times), dim=1)))
        return 0.5 * x.repeat(1, self.outputs, 1, 1) + self.outer(hidden)


def with_outputs(net: Callable[..., Tensor], outputs: int) -> Callable[..., Tensor]:
    """The network with further outputs, which are zero."""
    return lambda x, *rest: torch.cat((net(x, *rest), torch.zeros_like(x).repeat(1, outputs - 1, 1, 1)), dim=1)


def outputs_of(recipe: Recipe) -> int:
    """The number of images that a recipe's network returns."""
    return int(recipe.network.get("outputs", 1))


def field_of(recipe: Recipe, net: Callable[..., Tensor]) -> Field:
    """The field of `net` as if the recipe had trained it; the modules trained besides are untrained."""
    return recipe.field(net, recipe.modules())


def seeded_noise(seed: int) -> Noise:
    """Standard normal numbers from a generator of their own, drawn in float32, which is faster."""
    generator = torch.Generator().manual_seed(seed)
    return lambda x: torch.randn(x.shape, generator=generator).to(x.dtype)
