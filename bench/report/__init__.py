"""Reports of runs. The package can be called, as `samplerbench.report(DIR)`, to write one."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samplerbench.store.place import Place


class _Package(ModuleType):
    """A package that can be called: `report` is the name of both, and an import of one would hide the other."""

    def __call__(self, *runs: "str | Place", output: "str | Place | None" = None, mixed: bool = False) -> "Place":
        """Write the report of a run directory, or of several into one, as `bench report` does; returns report.html.

        output: where it goes; by default into the run, and of several runs to results/report. mixed: whether runs may
        follow different protocols. Raises InputError if a directory holds no run, or NotComparable if protocols differ.
        """
        from samplerbench.report.write import write, write_results  # matplotlib takes half a second to import
        from samplerbench.store import merge
        from samplerbench.store.place import as_place

        folders = [as_place(run) for run in runs]
        if len(folders) == 1 and output is None:
            return write(folders[0]).with_suffix(".html")
        results = merge.merge(folders, as_place(output or merge.DEFAULT_OUTPUT), mixed)
        merge.write(results, folders, mixed)
        return write_results(results).with_suffix(".html")


sys.modules[__name__].__class__ = _Package
