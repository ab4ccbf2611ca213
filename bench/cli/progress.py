"""Progress bars on standard error. A background thread draws them, so that what is timed never waits for them."""

from collections.abc import Iterable
from math import isnan

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from samplerbench.sampling.measure import Gauge
from samplerbench.store.labels import label
from samplerbench.sweep.likelihood import Likelihood
from samplerbench.sweep.session import Finished, Session, Started
from samplerbench.sweep.tune import Tuning
from samplerbench.training.plan import Training


class CellProgress(Progress):
    """Bars that read the running cell's gauge whenever they are drawn."""

    cell: tuple[TaskID, Gauge] | None = None

    def get_renderables(self) -> Iterable:
        if self.cell:
            task, gauge = self.cell
            self.update(task, completed=gauge.evaluations, total=gauge.expected)
        yield from super().get_renderables()


def show(session: Session) -> bool:
    """Execute a session with a bar for the sweep and one for the cell; returns whether it was interrupted."""
    console = Console(stderr=True)
    for name, backbone in session.backbones.items():
        if backbone.source not in ("shipped", "random", "exact"):
            console.print(f"{name} runs on your own checkpoint {backbone.source}", highlight=False)
    kept = len(session.jobs) - len(session.pending)
    if kept:
        console.print(
            f"{kept} of {len(session.jobs)} cells are done already in {session.store.folder}", highlight=False
        )
    with CellProgress(
        TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console, refresh_per_second=4,
    ) as bars:  # fmt: skip
        sweep = bars.add_task("sweep", total=len(session.jobs), completed=kept, unit="cells")
        cell = bars.add_task("", total=None, unit="evaluations")
        try:
            for event in session.execute():
                if isinstance(event, Started):
                    bars.reset(cell, description=", ".join(filter(None, (str(event.job), event.job.grid))), total=None)
                    bars.cell = (cell, event.gauge)
                else:
                    bars.cell = None
                    bars.advance(sweep)
                    _report_cell(console, event)
        except KeyboardInterrupt:
            return True
        finally:
            bars.cell = None
            bars.remove_task(cell)
    return False


def _report_cell(console: Console, event: Finished) -> None:
    """A line for each finished cell where there is no terminal to draw bars on, and for each that failed anywhere."""
    row = event.row
    guided = f" {row['guidance']}" if row["guidance"] else ""
    steps = (f" {row['steps']} steps" if row["steps"] else "") + (f", {row['grid']}" if row["grid"] else "")
    what = f"{label(row)}{guided}{steps}"
    if row["status"] != "ok":
        console.print(f"{what} {row['status']}: {row['error']}", style="red", markup=False, highlight=False)
    elif not console.is_terminal:
        console.print(f"{what} done", markup=False, highlight=False)


def show_training(training: Training) -> bool:
    """Run a training with a bar that shows loss and images/s; returns whether it was interrupted."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console,
    ) as bars:  # fmt: skip
        task = bars.add_task(f"train {training.name}", total=training.settings.iterations, figures="")
        making = bars.add_task("make pairs", total=training.pairs, figures="", visible=False)
        try:
            for done, loss, rate in training.run():
                paired = isnan(loss)
                figures = f"{rate:.0f} images/s" if paired else f"loss {loss:.4f}, {rate:.0f} images/s"
                bars.update(making if paired else task, completed=done, figures=figures, visible=True)
                if not console.is_terminal and done % 500 == 0:
                    console.print(f"{'pair ' * paired}{done}: {figures}", highlight=False)
        except KeyboardInterrupt:
            return True
    return False


def show_tuning(tuning: Tuning) -> bool:
    """Run a search with a bar that shows the least RMSE; returns whether it was interrupted."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(), console=console,
    ) as bars:  # fmt: skip
        task = bars.add_task(f"tune {tuning.method}", total=None, figures="fine solution")
        try:
            for at in tuning.run():
                what = f"tune {tuning.method} {at.steps} steps"
                figures = f"least RMSE {at.rmse:.4f}"
                bars.update(task, description=what, completed=at.spent, total=at.allowed, figures=figures)
                if not console.is_terminal and at.spent % 20 == 0:
                    console.print(f"{what}: {at.spent} of {at.allowed} grids, {figures}", highlight=False)
        except KeyboardInterrupt:
            return True
    return False


def show_likelihood(measuring: Likelihood) -> bool:
    """Measure likelihoods with a bar that counts images; returns whether it was interrupted."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TextColumn("images"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console,
    ) as bars:  # fmt: skip
        task = bars.add_task("likelihood", total=None)
        try:
            for at in measuring.run():
                bars.update(task, description=at.what, completed=at.done, total=at.of)
                if not console.is_terminal:
                    console.print(f"{at.what}: {at.done} of {at.of} images", highlight=False)
        except KeyboardInterrupt:
            return True
    return False
