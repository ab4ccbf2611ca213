"""Rows that are not in results.csv yet, a file each: where nothing can be appended, or several sessions write."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from samplerbench.store.atomic import replace
from samplerbench.store.columns import empty_frame, to_csv, to_line
from samplerbench.store.place import Place, contents, names, remove_folder

SUFFIX = ".csv"


class RowsApart:
    """`rows/CELL.csv` in a run directory, each with its header."""

    def __init__(self, run: Place):
        self.folder = run / "rows"

    def cells(self) -> set[str]:
        """The cells that have a row here."""
        return {name.removesuffix(SUFFIX) for name in names(self.folder) if name.endswith(SUFFIX)}

    def path(self, cell: str) -> Place:
        """The file of a cell."""
        return self.folder / f"{cell}{SUFFIX}"

    def add(self, row: Mapping[str, object], metrics: Iterable[str]) -> None:
        """Write a row, in the place of an earlier one of its cell. metrics: columns beside the store's."""
        header = to_csv(empty_frame(metrics))
        self.folder.mkdir(exist_ok=True)
        replace(self.path(str(row["cell"])), (header + to_line(row, header.rstrip("\n").split(","))).encode())

    def texts(self) -> list[str]:
        """All rows as CSV, in one text for each header."""
        lines = defaultdict(list)
        for content in contents(self.folder, SUFFIX).values():
            header, _, line = content.decode().partition("\n")
            lines[header].append(line)
        return [f"{header}\n{''.join(found)}" for header, found in lines.items()]

    def clear(self) -> None:
        """Delete them all."""
        remove_folder(self.folder)
