"""What every guidance keeps. Each check takes a guidance and raises AssertionError with the reason."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from math import inf
from typing import get_args

import torch
from torch import Tensor

from samplerbench.methods import (
    CAPABILITIES,
    DENOISER,
    VP,
    Denoising,
    Field,
    Guidance,
    Guides,
    Linear,
    Moment,
    Path,
    Prediction,
    Sampler,
    SpecError,
    Target,
    get_guidance,
)
from samplerbench.testing.exact import normal, two_classes
from samplerbench.testing.runs import Euler
from samplerbench.testing.variants import Variant, docstring

CASES: tuple[tuple[Path, Target], ...] = ((Linear(), "velocity"), (VP(), "eps"))
LABELS = torch.tensor([0, 1, 1, 0])
TIMES = torch.tensor([1.0, 0.8, 0.5, 0.2, 0.05], dtype=torch.float64)


def checks(variant: Variant) -> Iterator[Callable[[Guidance], None]]:
    """The checks that apply to a variant of a guidance."""
    guidance = variant.plugin
    yield from (prints_and_parses, describes_itself, is_free_when_neutral, counts_its_evaluations)
    yield from (guides_in_every_parametrisation, passes_the_end_of_an_interval_on)
    yield from (guides_each_image_alone, works_from_noise_to_data)
    if guidance.strength != guidance.neutral:
        yield from (has_an_effect, guides_inside_its_interval, is_neutral_outside_its_interval)


def prints_and_parses(guidance: Guidance) -> None:
    """`get_guidance(str(guidance))` is the guidance."""
    assert get_guidance(str(guidance)) == guidance, (
        f"{guidance!r} prints as {str(guidance)!r}, which is another guidance"
    )


def describes_itself(guidance: Guidance) -> None:
    """It has a docstring, requires known capabilities and needs a network that there is."""
    assert docstring(guidance), f"{guidance.name} needs a docstring that states the guided prediction"
    unknown = sorted(guidance.requires - CAPABILITIES.keys())
    assert not unknown, f"{guidance.name} requires {unknown[0]!r}: choose from {', '.join(CAPABILITIES)}"
    known = ("", *(field.name for field in fields(Guides)))
    assert guidance.needs in known, f"{guidance.name} needs {guidance.needs!r}: choose from {', '.join(known[1:])}"


def is_free_when_neutral(guidance: Guidance) -> None:
    """At the neutral strength predictions equal the network's own exactly, with the labels or without, at no cost."""
    for path, target in CASES:
        network = _Counted(path, target)
        x, now = _state(path, 0.5)
        own = [network.field(x, now).p, replace(network.field, label=None)(x, now).p]
        network.calls.clear()
        guided = _neutral(guidance).guide(network.field, network.guides)(x, now).p
        where = f"{guidance.name} at its neutral strength {guidance.neutral:g}"
        assert any(torch.equal(guided, p) for p in own), f"{where} still guides"
        assert len(network.calls) == 1, f"{where} costs {len(network.calls)} evaluations, not 1"


def counts_its_evaluations(guidance: Guidance) -> None:
    """A run evaluates the networks as often as `Sampler.nfe`, which is counted in a dry run, says."""
    sampler, network = Sampler(Euler(), 5, guidance=guidance, trained=_Plain()), _Counted(VP(), "eps")
    sampler.sample(network.field, normal(len(LABELS), 1, 2, 2), torch.zeros_like, network.guides)
    assert len(network.calls) == sampler.nfe, (
        f"{guidance} evaluates the networks {len(network.calls)} times in 5 steps, but {sampler.nfe} times in the dry "
        "run: evaluate them through the fields, and as often for any image"
    )


def guides_in_every_parametrisation(guidance: Guidance) -> None:
    """The same network guided as x0, eps, v, velocity or score is the same guided network."""
    path = VP()
    x, now = _state(path, 0.5)
    guided = {target: _guided(guidance, path, target)(x, now) for target in get_args(Target)}
    for target, prediction in guided.items():
        error = (prediction.eps - guided["eps"].eps).abs().max() / guided["eps"].eps.abs().max()
        assert error < 1e-6, f"{guidance} guides a network of {target} otherwise than one of eps (by {error:.1g})"


def guides_inside_its_interval(guidance: Guidance) -> None:
    """Where low < sigma / alpha <= high it predicts what it does without an interval."""
    x, now = _state(VP(), 0.5)
    limited = _limited(guidance, now)
    found, expected = (_guided(each, VP(), "eps")(x, now).p for each in (limited, _everywhere(guidance)))
    assert torch.equal(found, expected), (
        f"{limited} predicts otherwise inside its interval than {_everywhere(guidance)}"
    )


def is_neutral_outside_its_interval(guidance: Guidance) -> None:
    """Elsewhere it predicts what it does at its neutral strength, with one evaluation."""
    limited = _limited(guidance, _state(VP(), 0.5)[1])
    for t in (0.2, 0.9):
        (x, now), network = _state(VP(), t), _Counted(VP(), "eps")
        found = limited.guide(network.field, network.guides)(x, now).p
        where = f"{limited} at sigma / alpha = {now.sigma / now.alpha:.2g}, outside its interval,"
        assert len(network.calls) == 1, f"{where} costs {len(network.calls)} evaluations, not 1"
        expected = _guided(_neutral(guidance), VP(), "eps")(x, now).p
        assert torch.equal(found, expected), f"{where} still guides: take the strength from Guidance.at"


def passes_the_end_of_an_interval_on(guidance: Guidance) -> None:
    """A network conditioned on (t, s) gets the s of the call, and path and modules stay the field's."""
    network = _Counted(VP(), "eps", interval=True)
    (x, now), (_, then) = _state(VP(), 0.5), _state(VP(), 0.25)
    guided = guidance.guide(network.field, network.guides)
    guided(x, now, then)
    ends = [float(call[-1][0]) if len(call) == 3 else None for call in network.calls]
    assert set(ends) == {then.t}, f"{guidance} does not pass `then` on to the networks that it evaluates"
    assert guided.path is network.field.path, f"{guidance} changes the noise path"
    assert guided.modules is network.field.modules, f"{guidance} loses the field's modules"


def guides_each_image_alone(guidance: Guidance) -> None:
    """An image is guided the same whatever else is in its batch."""
    x, now = _state(VP(), 0.5)
    together = _guided(guidance, VP(), "eps")(x, now).p
    for index in range(len(LABELS)):
        part = slice(index, index + 1)
        alone = _guided(guidance, VP(), "eps", LABELS[part])(x[part], now).p
        error = (alone - together[part]).abs().max() / together.abs().max()
        assert error < 1e-9, f"{guidance} guides an image otherwise in another batch"


def works_from_noise_to_data(guidance: Guidance) -> None:
    """Predictions are finite at all times, also where there is no signal, and leave the state alone."""
    for path, target in CASES:
        guided = _guided(guidance, path, target)
        for t in TIMES.tolist():
            x, now = _state(path, t)
            before = x.clone()
            p = guided(x, now).p
            found, expected = (p.dtype, p.shape), (x.dtype, x.shape)
            assert found == expected, f"{guidance} makes predictions of {found} at states of {expected}"
            assert p.isfinite().all(), f"{guidance} predicts NaN or infinity at t = {t:g} on {path}"
            assert torch.equal(x, before), f"{guidance} changes the state in place"


def has_an_effect(guidance: Guidance) -> None:
    """It changes predictions where it guides."""
    x, now = _state(VP(), 0.5)
    guided, free = (_guided(each, VP(), "eps")(x, now).p for each in (_everywhere(guidance), _neutral(guidance)))
    assert not torch.allclose(guided, free, rtol=1e-6), f"{guidance} changes nothing"


def _neutral(guidance: Guidance) -> Guidance:
    """The guidance at its neutral strength, without an interval."""
    everywhere = {"low": 0.0, "high": inf}
    for name in (field.name for field in fields(guidance) if field.name not in everywhere):
        try:
            changed = replace(guidance, **everywhere, **{name: guidance.neutral})
        except (SpecError, TypeError):
            continue
        if changed.strength == guidance.neutral:
            return changed
    raise AssertionError(f"no option of {guidance.name} sets its strength to the neutral {guidance.neutral:g}")


def _everywhere(guidance: Guidance) -> Guidance:
    """The guidance without an interval."""
    return replace(guidance, low=0.0, high=inf)


def _limited(guidance: Guidance, now: Moment) -> Guidance:
    """The guidance with a narrow interval around a moment."""
    return replace(guidance, low=0.9 * now.sigma / now.alpha, high=1.1 * now.sigma / now.alpha)


def _state(path: Path, t: float) -> tuple[Tensor, Moment]:
    """A state (4, 1, 2, 2) of noised images at a time."""
    (now,) = path.along(torch.tensor([t], dtype=torch.float64))
    return now.sigma * normal(len(LABELS), 1, 2, 2) + 0.3 * now.alpha, now


def _guided(guidance: Guidance, path: Path, target: Target, label: Tensor = LABELS) -> Callable[..., Prediction]:
    network = _Counted(path, target, label=label)
    return guidance.guide(network.field, network.guides)


class _Counted:
    """An exact network of two classes, and those that a guidance may need. It records the calls of both fields."""

    def __init__(self, path: Path, target: Target, interval: bool = False, label: Tensor = LABELS):
        self.calls: list[tuple] = []
        classes, weaker = two_classes(), two_classes(spread=1.5)
        self.field = self._recorded(classes.field(path, target, label, interval))
        self.guides = Guides(classes.classifier, self._recorded(weaker.field(path, target, label, interval)))

    def _recorded(self, field: Field) -> Field:
        def net(x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
            self.calls.append((t, *rest))
            return field.net(x, t, *rest)

        return replace(field, net=net)


class _Plain(Denoising):
    path, target, provides = VP(), "eps", DENOISER | {"labels"}
