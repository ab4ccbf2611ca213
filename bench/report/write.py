"""From a run directory, or several, to what people read: report.md, report.html and the pictures."""

from pathlib import Path

from samplerbench.errors import writing
from samplerbench.report import pictures
from samplerbench.report.content import Content, content
from samplerbench.report.markdown import markdown
from samplerbench.store.results import Results, load


def write(run: Path) -> Path:
    """Write report.md, report.html and the pictures of a run directory; returns the path of report.md.

    Raises InputError if the directory does not hold a run, or cannot be written.
    """
    return write_results(load(run))


def write_results(results: Results) -> Path:
    """The same for results that have been read; they go into the folder of the results."""
    from samplerbench.report.html import page  # with plotly, which others need not wait for

    report = content(results)
    with writing(results.folder):
        text = markdown(report, _draw(report))
        (results.folder / "report.md").write_text(text, encoding="utf-8")
        (results.folder / "report.html").write_text(page(report), encoding="utf-8")
    return results.folder / "report.md"


def _draw(report: Content) -> dict[str, str]:
    drawn = {}
    for section in report.sections:
        suffix = f" ({section.mark.strip('-')})" if section.mark else ""
        files = pictures.draw(section.group, section.tiles, section.mark)
        drawn |= {title + suffix: file for title, file in files.items()}
    return drawn
