"""Whether a timing had its host to itself, as far as the sweep is concerned: its other shards may run there too."""

import socket

from samplerbench.errors import InputError
from samplerbench.store.lock import LOCK, holder
from samplerbench.store.place import Place
from samplerbench.sweep.shard import Shard


class Alone:
    """Looks for shards of the same sweep that another process of this host measures."""

    def __init__(self, run: Place, shard: str | None):
        """run: the run directory, which for a shard lies beside those of the others."""
        self.run, self.shard = run, shard
        self.before = not self._neighbours()

    def until_now(self) -> bool:
        """Whether there was none at the last call, or in the beginning, and is none now."""
        before, self.before = self.before, not self._neighbours()
        return before and self.before

    def _neighbours(self) -> bool:
        if self.shard is None:
            return False
        others = (path for path in self.run.parent.iterdir() if path.name != self.run.name)
        return any(Shard.of_folder(path.name) and _measured_here(path) for path in others)


def _measured_here(run: Place) -> bool:
    try:
        writer = holder(run / LOCK)
    except InputError:  # damaged: nobody knows
        return False
    return writer is not None and writer.host == socket.gethostname() and not writer.gone()
