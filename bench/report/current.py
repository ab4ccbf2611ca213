"""Whether a run directory has a report of its present rows. Importing this does not import what draws one."""

from pathlib import Path

REPORT = "report.md"  # written last, after report.html and the pictures


def is_current(run: Path) -> bool:
    """Whether the report of a run directory is complete and no older than its rows."""
    try:
        return (run / REPORT).stat().st_mtime_ns >= (run / "results.csv").stat().st_mtime_ns
    except OSError:
        return False
