"""Which session of a joined sweep measures what, so that no two measure the same."""

from collections.abc import Iterable

from samplerbench.store.atomic import PARTIAL, continuing, create
from samplerbench.store.place import Place, names

CLAIMS = "claims"


class Claims:
    """`claims/NAME` in a run directory, each with the token of the session that measures this unit."""

    def __init__(self, run: Place, owner: str):
        self.run, self.folder, self.owner = run, run / CLAIMS, owner
        self.mine: set[str] = set()

    def take(self, name: str) -> bool:
        """Whether the unit is this session's now. Raises WriteError, as all of these do."""
        if name not in self.mine:
            with continuing(self.run):
                self.folder.mkdir(exist_ok=True)
                if not create(self.folder / name, self.owner.encode()):
                    return False
            self.mine.add(name)
        return True

    def release(self, name: str) -> None:
        """Give a unit back, which is measured, or will not be."""
        self.mine.discard(name)
        with continuing(self.run):
            (self.folder / name).unlink(missing_ok=True)

    def others(self) -> dict[str, str]:
        """The units that other sessions measure, each with its owner."""
        with continuing(self.run):
            found = {name: self._owner(name) for name in self._names() if name not in self.mine}
        return {name: owner for name, owner in found.items() if owner}

    def free(self, owners: Iterable[str]) -> None:
        """Delete all claims of these sessions."""
        owners = set(owners)
        with continuing(self.run):
            for name in self._names():
                if self._owner(name) in owners:
                    self.release(name)

    def _names(self) -> list[str]:
        return [name for name in names(self.folder) if not name.endswith(PARTIAL)]

    def _owner(self, name: str) -> str:
        """The owner of a claim; empty if it has just been released."""
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
