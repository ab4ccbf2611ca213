"""Networks under test. For networks trained elsewhere: `ExternalNetwork`, their record, and `load_weights`."""

from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.state_dict import load_weights

__all__ = ["ExternalNetwork", "load_weights"]
