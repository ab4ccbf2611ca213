"""Networks that a function of the user's own returns."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.model import MODELS, ExternalModel


@MODELS.register("python")
@dataclass(frozen=True)
class Function(ExternalModel):
    """The record that a function of yours returns, called without arguments; written as package.module:function.

    The module is found in the current folder too.
    """

    place: str = field(metadata={"argument": "package.module:function"})

    def __str__(self) -> str:
        return self.place

    @property
    def module(self) -> str:
        """The module that defines it."""
        return self.place.partition(":")[0]

    @property
    def code(self):
        return (*super().code, self.module)

    def record(self):
        found = self._function()()
        if not isinstance(found, ExternalNetwork):
            raise InputError(
                f"{self.place} returned {type(found).__name__}, not a samplerbench.networks.ExternalNetwork "
                "(docs/models.md)."
            )
        return found

    def _function(self) -> Callable[[], object]:
        module, _, name = self.place.partition(":")
        here = str(Path.cwd())
        sys.path.insert(0, here)
        try:
            function = getattr(import_module(module), name, None)
        except FAULTS as error:
            reason = " ".join(str(error).split())
            raise InputError(f"The module {module!r} cannot be imported: {type(error).__name__}: {reason}") from error
        finally:
            sys.path.remove(here)
        if not callable(function):
            raise InputError(f"The module {module!r} has no function {name!r}.")
        return function
