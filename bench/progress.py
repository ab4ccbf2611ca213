"""Progress bars on standard error. A background thread draws them, so that what is timed never waits for them."""

from collections.abc import Iterable

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

from bench.measure import Gauge
from bench.naming import label
from bench.runner import Finished, Session, Started
from bench.train import Training


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
        if backbone.source not in ("shipped", "random"):
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
                    bars.reset(cell, description=str(event.job), total=None)
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
    what = f"{label(row)}{guided}" + (f" {row['steps']} steps" if row["steps"] else "")
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
        try:
            for iteration, loss, rate in training.run():
                bars.update(task, completed=iteration, figures=f"loss {loss:.4f}, {rate:.0f} images/s")
                if not console.is_terminal and iteration % 500 == 0:
                    console.print(f"{iteration} loss {loss:.4f} {rate:.0f} images/s", highlight=False)
        except KeyboardInterrupt:
            return True
    return False
