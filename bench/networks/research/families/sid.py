"""Score identity distillation (SiD, arXiv 2404.04057): generators of one call, in the pickles of EDM's code."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from torch import nn

from samplerbench.methods import Between
from samplerbench.models.research.preconditioning import Precondition
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.research.families.edm import EDM
from samplerbench.networks.research.family import FAMILIES


@FAMILIES.register("sid")
@dataclass(frozen=True)
class SiD(EDM):
    """Pickles of SiD, never recognised by themselves, since they look like EDM's: for `--methods consistency`, 1 step.

    sigma_max: the noise level of the only call.
    """

    sigma_max: Annotated[float, Between(1e-6, 1e6)] = 2.5

    @classmethod
    def fits(cls, contents):
        return False

    @staticmethod
    def record(module: nn.Module, network: Any, conventions: Precondition) -> ExternalNetwork:
        return replace(EDM.record(module, network, conventions), distilled=True)
