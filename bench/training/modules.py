"""The modules that are trained together, and those of them that a checkpoint keeps."""

from collections.abc import Mapping

from torch import Tensor, nn

from samplerbench.models.checkpoint import PATH

NETWORK = "network"
# The modules that a checkpoint keeps, and the prefixes of their weights in it. Others serve training only.
KEPT = {NETWORK: "", "solver": "", "path": PATH}


class TrainedModules(nn.Module):
    """Modules by name, trained by one optimiser and averaged together: a network and what its recipe trains besides."""

    def __init__(self, modules: Mapping[str, nn.Module]):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module.train().requires_grad_(True))

    @property
    def networks(self) -> list[nn.Module]:
        """The modules that map images to images, which take the time: neither a learned solver nor a path."""
        return [module for name, module in self.named_children() if name not in ("solver", "path")]


def checkpoint_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a checkpoint, given those of a `TrainedModules`."""
    split = ((*key.partition("."), value) for key, value in weights.items())
    return {KEPT[module] + name: value for module, _, name, value in split if module in KEPT}
