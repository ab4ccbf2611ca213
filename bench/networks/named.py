"""A recipe's network under another name, so that several checkpoints of one recipe can be compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from samplerbench.methods import Field, Path, Recipe, Target


@dataclass(frozen=True)
class Named:
    """The parametrisation of a recipe that prints as `name`. provides: the capabilities of this very network."""

    recipe: Recipe
    name: str
    provides: frozenset[str]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """The recipe's noise path."""
        return self.recipe.path

    @property
    def target(self) -> Target:
        """What the network predicts."""
        return self.recipe.target

    @property
    def outputs(self) -> int:
        """Output channels per image channel."""
        return self.recipe.outputs

    @property
    def distilled(self) -> bool:
        """Whether it takes finite steps."""
        return "ode" not in self.provides

    def modules(self) -> Mapping[str, nn.Module]:
        """The modules trained besides the network."""
        return self.recipe.modules()

    def field(self, net: Callable[..., Tensor], modules: Mapping[str, nn.Module]) -> Field:
        """The field of the network."""
        return self.recipe.field(net, modules)
