"""Checkpoints that `bench train` or `bench import` wrote, wherever they lie."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from samplerbench.methods import get_recipe
from samplerbench.models import CheckpointError, load
from samplerbench.networks.checkpoints import file_network
from samplerbench.networks.external import load_external
from samplerbench.networks.model import MODELS, Model
from samplerbench.networks.research.imported import imported_record, is_imported


@MODELS.register("safetensors")
@dataclass(frozen=True)
class CheckpointFile(Model):
    """A checkpoint of `bench train`, for the recipe that it records, or of `bench import`; written as its path."""

    file: str = field(metadata={"argument": "FILE.safetensors"})

    def __str__(self) -> str:
        return self.file if self.file.endswith(".safetensors") else super().__str__()

    def load(self, device, dtype, compiled):
        if is_imported(Path(self.file)):
            record, family = imported_record(Path(self.file))
            loaded = load_external(record, str(self), device, dtype, compiled)
            return replace(loaded, code=(*self.code, family))
        checkpoint = load(self.file)
        recipe = checkpoint.facts.recipe
        if not recipe:
            raise CheckpointError(
                f"{self.file} does not record a recipe, so it is no network of `bench train`: describe it by a "
                "function, as package.module:function (docs/models.md)."
            )
        return file_network(checkpoint, get_recipe(recipe), str(self), device, dtype, compiled)
