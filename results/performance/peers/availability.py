"""Which peers are installed."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec

import click

# The name of each peer's distribution -> what is imported of it. torchcfm samples by torchdyn, which comes with it.
PEERS = {
    "diffusers": "diffusers",
    "flow_matching": "flow_matching.solver",
    "torchcfm": "torchdyn.core",
    "k-diffusion": "k_diffusion.sampling",
}


def installed() -> frozenset[str]:
    """The peers that can be imported; the others are named on stderr."""
    return frozenset(filter(_importable, PEERS))


def versions(peers: frozenset[str]) -> dict[str, str]:
    """Their versions; "unknown" for one that was not installed from a package."""
    return {peer: _version(peer) for peer in PEERS if peer in peers}


def _importable(peer: str) -> bool:
    try:
        if peer == "k-diffusion":
            _skip_training_code("k_diffusion")
        importlib.import_module(PEERS[peer])
    except ImportError as error:
        click.echo(f"{peer} is left out: {error}", err=True)
        return False
    return True


def _skip_training_code(package: str) -> None:
    """Let the samplers be imported alone: the package itself imports CLIP, kornia and clean-fid, to train."""
    spec = find_spec(package)
    if spec:
        sys.modules.setdefault(package, module_from_spec(spec))


def _version(peer: str) -> str:
    try:
        return version(peer)
    except PackageNotFoundError:
        return "unknown"
