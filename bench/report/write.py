"""From a run directory, or several, to report.md, report.html and the pictures."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from samplerbench.errors import writing
from samplerbench.report import render_matplotlib
from samplerbench.report.content import Content, Section, content
from samplerbench.report.current import REPORT
from samplerbench.report.html import page
from samplerbench.report.lead import led
from samplerbench.report.markdown import markdown
from samplerbench.store.place import Place, uploaded
from samplerbench.store.results import Results, load

LINES = 5  # of the picture of samples, at most


def write(run: Place) -> Place:
    """Write report.md, report.html and the pictures of a run directory; returns the path of report.md.

    Raises InputError if the directory contains no run, or cannot be written.
    """
    return write_results(load(run))


def write_results(results: Results) -> Place:
    """The same for loaded results, into their folder."""
    report = content(led(results))
    with writing(results.folder), uploaded(results.folder) as folder:
        text = markdown(report, _draw(report, folder))
        (folder / "report.html").write_text(page(report), encoding="utf-8")
        (folder / REPORT).write_text(text, encoding="utf-8")  # last, also of what is uploaded: `is_current` goes by it
    return results.folder / REPORT


def _draw(report: Content, folder: Path) -> dict[str, str]:
    """Draw the pictures of all sections; returns title -> file, relative to the report."""
    drawn = {}
    for section in report.sections:
        suffix = f" ({section.mark.strip('-')})" if section.mark else ""
        for title, stem, picture in _pictures(section):
            file = f"pictures/{stem}{section.mark}.png"
            render_matplotlib.save(picture, folder / file)
            drawn[title + suffix] = file
    return drawn


def _pictured(section: Section) -> list[str]:
    """The lines of the gallery that the picture shows: those in focus, of many; report.html has all."""
    focus = {series.name for chart in section.charts for series in chart.series if series.look.focus}
    lines = [name for name in section.tiles.lines if name in focus]
    return [] if len(section.tiles.lines) <= LINES else [*lines[: LINES - 1], *list(section.tiles.lines)[-1:]]


def _pictures(section: Section) -> Iterator[tuple[str, str, Figure]]:
    """Title, stem of the file, and picture of everything in a section."""
    if section.tiles.lines:
        yield "Samples from the same noise", "samples", render_matplotlib.samples(section.tiles, _pictured(section))
    for chart in section.charts:
        yield chart.title, chart.stem, render_matplotlib.figure(chart)
