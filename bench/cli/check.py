"""`bench check`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from unittest import SkipTest

import click

from samplerbench.cli.events import Bar, Event, State
from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.progress import show

WIDTH = 80  # characters of a line


@dataclass(frozen=True)
class Outcome:
    """How a check of one variant of a plug-in ended. detail: what it measured, or why it failed or was skipped."""

    check: str
    variant: str
    status: str
    detail: str


@click.command()
@click.argument("plugin", metavar="PLUGIN")
@click.pass_context
def check(context: click.Context, plugin: str) -> None:
    """Check that PLUGIN keeps the contract of its kind: a method, recipe, guidance, grid, metric, encoder, data
    set or condition.

    A name is checked with every value of its options, a spec such as ddim[eta=0.5] as it is. A name that a method and a
    recipe share is the method; recipe:NAME is the other. Exit codes: 0 it keeps the contract, 1 it does not.

    \b
    bench check ddim
    bench check recipe:flow
    """
    from samplerbench.methods import METHODS  # torch takes seconds to import
    from samplerbench.testing import checks, located

    if plugin.partition("[")[0] in METHODS.names():
        plugin = f"method:{plugin}"
    kind, spec = located(plugin)
    functions = list(checks(plugin))
    outcomes: list[Outcome] = []
    if show(_events(spec, functions, outcomes)):
        context.exit(INTERRUPTED)
    click.echo("\n".join(_report(kind, spec, outcomes)))
    context.exit(int(any(outcome.status == "FAILED" for outcome in outcomes)))


def _events(spec: str, functions: Sequence[tuple[str, Callable]], outcomes: list[Outcome]) -> Iterator[Event]:
    for done, (name, function) in enumerate(functions):
        yield Bar("check", spec, "checks", State(done, len(functions)), logged=False)
        outcomes.append(_outcome(name, function))
    yield Bar("check", spec, "checks", State(len(functions), len(functions)), logged=False)


def _outcome(name: str, function: Callable[[], str | None]) -> Outcome:
    variant, _, check = name.rpartition("-")
    from samplerbench.methods import FAULTS

    try:
        return Outcome(check, variant, "ok", function() or "")
    except AssertionError as error:
        return Outcome(check, variant, "FAILED", str(error))
    except SkipTest as reason:
        return Outcome(check, variant, "skipped", str(reason))
    except FAULTS as error:  # a plug-in may raise anything
        return Outcome(check, variant, "FAILED", f"{variant} raises {type(error).__name__}: {error}")


def _report(kind: str, spec: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each check, with what was measured of the first variant, and the reasons of the failures."""
    variants = dict.fromkeys(outcome.variant for outcome in outcomes)
    more = len(variants) - 1
    yield f"{kind} {spec}" + (f", and with {more} other value{'s' * (more > 1)} of its options" if more else "")
    checks = dict.fromkeys(outcome.check for outcome in outcomes)
    for name in checks:
        same = [outcome for outcome in outcomes if outcome.check == name]
        failed = [outcome for outcome in same if outcome.status == "FAILED"]
        skipped = all(outcome.status == "skipped" for outcome in same)
        status = "FAILED" if failed else "skipped" if skipped else "ok"
        detail = "" if failed else same[0].detail
        yield fill(
            f"{status:8}{name.replace('_', ' ')}{f': {detail}' if detail else ''}", WIDTH, subsequent_indent=" " * 10
        )
        for reason in dict.fromkeys(outcome.detail for outcome in failed):
            yield fill(" ".join(reason.split()), WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10)
    broken = len({outcome.check for outcome in outcomes if outcome.status == "FAILED"})
    yield f"{len(checks) - broken} of {len(checks)} checks hold"
