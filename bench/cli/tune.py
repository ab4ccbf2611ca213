"""`bench tune`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from samplerbench.cli.events import Bar, Event, Line, State
from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.options import options_of
from samplerbench.cli.progress import show
from samplerbench.sweep.options import TuneOptions

if TYPE_CHECKING:
    from samplerbench.sweep.grid_search import SearchProgress
    from samplerbench.sweep.tune import Found, Tuning

# torch takes seconds to import: only when the command runs.


@click.command()
@options_of(TuneOptions)
@click.pass_context
def tune(context: click.Context, options: TuneOptions) -> None:
    """Search for the time grid with which METHOD follows its network's ODE most closely, and write it to a file.

    The search starts from the registered grids. The result is tested on other noise: unless it is significantly better
    there, the file holds the best registered grid. Only deterministic methods have an ODE to follow.

    \b
    bench tune dpmpp_2m --nfe 5,10
    bench run --methods dpmpp_2m --nfe 5,10 --grid default,grids/digits-ddpm-dpmpp_2m.json
    """
    from samplerbench.sweep.tune import Tuning

    tuning = Tuning(options)
    interrupted = show(_events(tuning))
    for found in tuning.found:
        click.echo("\n".join(describe(found, tuning.method.grid)))
    if interrupted:
        click.echo("Interrupted: no grid file was written.", err=True)
        context.exit(INTERRUPTED)
    click.echo(f"{tuning.output}: use it with --grid {tuning.output}")


def _events(tuning: "Tuning") -> Iterator[Event]:
    from samplerbench.sweep.tune import SearchStarted

    for event in tuning.run():
        match event:
            case SearchStarted(steps, progress):
                yield Line(f"{tuning.method}, {steps} steps: trying {progress.allowed} grids", log=True)
                yield _bar(f"tune {tuning.method}, {steps} steps", progress)


def _bar(label: str, progress: "SearchProgress") -> Bar:
    def state() -> State:
        note = f"RMSE {progress.rmse:.4f}" if progress.tried else "solving the ODE"
        return State(progress.tried, progress.allowed, note)

    return Bar("search", label, "grids", live=state)


def describe(found: "Found", default: str | None) -> list[str]:
    """The result at one step count in lines of text, the best grid first. default: the method's grid."""
    rows = [(rmse, f"{name} (default)" if name == default else name) for name, rmse in found.registered.items()]
    lines = [f"{found.steps} steps, {found.nfe} NFE: trajectory RMSE on held-out noise"]
    lines += [f"  {name:<20}{rmse:.4f}" for rmse, name in sorted([*rows, (found.rmse, "searched")])]
    margin = f"mean squared error lower by {found.gain:.2g} ± {found.reach:.1g}"
    if found.kept:
        kept = f"so the file holds the times of {found.kept}"
        return [*lines, f"  not significantly better than {found.rival} ({margin}), {kept}"]
    return [*lines, f"  better than {found.rival}: {margin}"]
