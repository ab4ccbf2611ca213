"""Capabilities: what methods, guidances and metrics require of a network, and what a network provides."""

from collections.abc import Iterable

# Capability -> its name in messages, after "it needs".
CAPABILITIES: dict[str, str] = {
    "ode": "a probability-flow ODE, which distilled models do not define",
    "intervals": "a network conditioned on (t, s)",
    "variance": "a predicted variance",
    "solver": "a learned solver",
    "labels": "class labels",
    "unlabelled": "predictions without a label, which training with dropped labels gives",
}
# What an ordinary denoiser provides. Distilled networks do not provide "ode".
DENOISER: frozenset[str] = frozenset({"ode"})


def unmet(required: Iterable[str], provided: Iterable[str], network: object) -> str:
    """Why a plug-in with these requirements cannot run on `network`; empty if it can.

    network: how the message names it. A capability that is not in CAPABILITIES, as a plug-in may define, appears under
        its own name.
    """
    missing = sorted(set(required) - set(provided))
    if not missing:
        return ""
    needs = " and ".join(CAPABILITIES.get(name, name) for name in missing)
    return f"it needs {needs}; {network} does not provide that"
