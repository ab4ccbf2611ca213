"""Whether a run directory has a report of its present rows. Importing this does not import what draws one."""

from samplerbench.store.place import Place, modified

REPORT = "report.md"  # written last, after report.html and the pictures


def is_current(run: Place) -> bool:
    """Whether the report of a run directory is complete and no older than its rows."""
    try:
        return modified(run / REPORT) >= modified(run / "results.csv")
    except OSError:
        return False
