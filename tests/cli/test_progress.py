import io
import re
import sys

import pytest

from samplerbench.cli.events import Bar, Line, State
from samplerbench.cli.progress import show

REASON = (
    "heun 5 steps failed: RuntimeError: a reason in [brackets] that is longer than the terminal is wide (heun.py:1)"
)


def sweep():
    """The events of a sweep of two cells."""
    yield Line("ddpm: shipped weights")
    yield Bar("sweep", "sweep", "cells", State(0, 2), logged=False)
    yield Bar("cell", "ddim[eta=0.5,clip=true] 5 steps", "evaluations", live=lambda: State(3, 10))
    yield Line("ddim[eta=0.5,clip=true] 5 steps done", log=True)
    yield Bar("sweep", "sweep", "cells", State(1, 2), logged=False)
    yield Bar("cell", "heun 5 steps", "evaluations", live=lambda: State(4, None, "a note"))
    yield Line(REASON, failed=True)
    yield Bar("sweep", "sweep", "cells", State(2, 2), logged=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def drawn(monkeypatch):
    """drawn(events): the lines on a terminal of 80 columns, without the codes that move and colour them."""
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def drawn(events):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        show(events)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
        return [line for line in re.split(r"[\r\n]+", text) if line]

    return drawn


def test_bars_show_names_in_brackets_counts_and_notes_within_80_columns(drawn):
    lines = drawn(sweep())
    assert any("ddim[eta=0.5,clip=true] 5 steps" in line and " 3/10 evaluations" in line for line in lines)
    assert any("heun 5 steps" in line and " 4/? evaluations, a note" in line for line in lines)
    assert not any("heun 5 steps" in line and "/10" in line for line in lines), "counts of the cell before"
    assert all(len(line) <= 80 for line in lines if line != REASON)
    assert REASON in lines, "neither wrapped nor read as markup"
    assert not any("done" in line for line in lines)


def test_the_last_frame_is_the_sweep_alone(drawn):
    *_, before, last = drawn(sweep())
    assert "2/2 cells" in last
    assert before.startswith("heun"), "the frame before had two bars"


def test_without_a_terminal_there_are_lines_and_no_bars(capsys):
    assert show(sweep()) is False
    assert capsys.readouterr().err.splitlines() == [
        "ddpm: shipped weights", "ddim[eta=0.5,clip=true] 5 steps done", REASON,
    ]  # fmt: skip


def test_without_a_terminal_each_tenth_of_a_bar_is_one_line(capsys):
    show(Bar("training", "train flow", "iterations", State(done, 40, f"loss {done}")) for done in range(0, 41, 2))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == (
        "train flow: 4 of 40 iterations, loss 4", "train flow: 40 of 40 iterations, loss 40",
    )  # fmt: skip


def interrupted():
    yield Line("before")
    raise KeyboardInterrupt


def test_an_interruption_ends_it_and_is_returned():
    assert show(interrupted()) is True


def test_an_interruption_leaves_the_terminal_in_order(drawn):
    assert drawn(interrupted()) == ["before"]
