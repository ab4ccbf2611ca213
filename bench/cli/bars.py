"""Progress bars. A background thread draws them, so that what is timed never waits for them."""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from samplerbench.cli.events import Bar, Event, State

LABEL = 34  # characters of a label, at most


def draw(events: Iterable[Event]) -> None:
    """Consume events, with the bars on standard error and lines above them."""
    console = Console(stderr=True)
    with Bars(console) as bars:
        for event in events:
            if isinstance(event, Bar):
                bars.move(event)
            elif not event.log:
                # Neither marked up, since [eta=0.5] would vanish, nor wrapped in mid-sentence.
                console.print(Text(event.text, style="red" if event.failed else ""), soft_wrap=True)


class Bars(Progress):
    """The bars on a terminal; live ones are read whenever they are drawn, and removed at the end."""

    def __init__(self, console: Console):
        columns = (
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=LABEL)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            Counts(table_column=Column(no_wrap=True, justify="right")),
            TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(no_wrap=True)),
        )
        super().__init__(*columns, console=console, refresh_per_second=4, expand=True)
        self.known: dict[str, tuple[TaskID, Bar]] = {}

    def move(self, bar: Bar) -> None:
        """Show a bar's new state."""
        done, total, note = _state(bar)
        task, before = self.known.get(bar.name, (None, None))
        if task is None:
            task = self.add_task(bar.label, total=total, completed=done, unit=bar.unit, note=note)
        self.known[bar.name] = (task, bar)
        if before and before.label != bar.label:  # other work, which takes another time
            next(each for each in self.tasks if each.id == task).total = total  # `reset` would ignore None
            self.reset(task, description=bar.label, total=total, completed=done, unit=bar.unit, note=note)
        self.update(task, total=total, completed=done, note=note)

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn, four times a second."""
        for task, bar in list(getattr(self, "known", {}).values()):
            if bar.live:
                done, total, note = _state(bar)
                self.update(task, total=total, completed=done, note=note)
        yield from super().get_renderables()

    def stop(self) -> None:
        """Draw the last state, without the live bars."""
        for task, bar in self.known.values():
            if bar.live:
                self.remove_task(task)
        self.known = {}
        super().stop()


def _state(bar: Bar) -> State:
    return bar.live() if bar.live else bar.state or State(0, None)


class Counts(ProgressColumn):
    """`3/8 cells`, and the note."""

    def render(self, task: Task) -> Text:
        """The text of one bar."""
        total = "?" if task.total is None else int(task.total)
        text = f"{int(task.completed)}/{total} {task.fields['unit']}"
        return Text(f"{text}, {task.fields['note']}" if task.fields["note"] else text)
