"""What one `bench run` measures: a sweep, or those of a suite, each in its own folder below one."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from samplerbench.errors import InputError, WriteError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError
from samplerbench.sampling.breakdown import LOADING, Breakdown
from samplerbench.store.place import Place, as_place
from samplerbench.store.provenance import fingerprint
from samplerbench.sweep.normalise import hashed, normalise, runs_folder
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session
from samplerbench.sweep.shard import Shard
from samplerbench.sweep.suite import REPORT, Suite, SuiteSweep
from samplerbench.sweep.suite_options import error_at


@dataclass(frozen=True)
class Part:
    """A sweep of a request. title: what tells it from the others; empty if it is the only one."""

    title: str
    sweep: Sweep
    source: SuiteSweep | None = None


class Request:
    """The sweeps to measure, in their order. Raises InputError, SpecError or CheckpointError for wrong input."""

    def __init__(self, options: Sweep, suite: Suite | None = None, given: Collection[str] = ()):
        """options: those of the command line. given: the names of those that override the suite's."""
        self.suite, self.given = suite, {name: getattr(options, name) for name in given}
        if suite is None:
            self.parts = [Part("", options)]
            return
        sweeps = [Sweep(**{**source.options, **self.given}) for source in suite.sweeps]
        self.folder = self._folder(sweeps)
        self.parts = [
            Part(source.name, replace(sweep, output=str(self.folder / source.name)), source)
            for source, sweep in zip(suite.sweeps, sweeps, strict=True)
        ]

    @property
    def report(self) -> Place | None:
        """The folder of the report on all sweeps; None if there is one sweep, which is a run like any other.

        A shard has a report of its own, since others may be written at the same time.
        """
        if not (self.suite and self.parts[0].title):
            return None
        shard = self.parts[0].sweep.shard
        return self.folder / (f"{REPORT}-{Shard.parse(shard).folder}" if shard else REPORT)

    def sessions(self, spent: Breakdown | None = None) -> Iterator[tuple[str, Session]]:
        """The title and the session of each sweep, opened one after another: a network is held while it is measured.

        All of them are checked first, so that no wrong input is found after hours. spent: the time before, which counts
        as the first one's.
        """
        spent = spent or Breakdown()
        with spent.part(LOADING):
            for part in self.parts[1:]:
                self._open(part, Breakdown())
        for part in self.parts:
            yield part.title, self._open(part, spent)
            spent = Breakdown()

    def _open(self, part: Part, spent: Breakdown) -> Session:
        facts = {"name": self.suite.name, "sha256": self.suite.digest} if self.suite else None
        with self._placed(part.source):
            return Session(part.sweep, facts, spent)

    def _folder(self, sweeps: list[Sweep]) -> Place:
        """Where the suite goes: the same folder for the same options, unless --output names one."""
        assert self.suite is not None
        options = []
        for sweep, source in zip(sweeps, self.suite.sweeps, strict=True):
            with self._placed(source):
                options.append(hashed(normalise(sweep)))
        return as_place(sweeps[0].output or runs_folder(self.suite.name, fingerprint(options)))

    @contextmanager
    def _placed(self, source: SuiteSweep | None) -> Iterator[None]:
        """A block whose errors name the line of the suite."""
        try:
            yield
        except (InputError, SpecError, CheckpointError) as error:
            if isinstance(error, WriteError) or not (self.suite and source):
                raise
            line = place_of(str(error), source, self.given)
            if line is None:
                raise
            raise error_at(self.suite.path, line, str(error)) from error


def place_of(message: str, source: SuiteSweep, given: Mapping[str, Any]) -> int | None:
    """The line of a suite that an error is about: of an option that it names, or whose value it quotes, or the sweep's.

    None for an error about the options `given` on the command line, or about the run directory.
    """
    for name in (word.replace("-", "_") for word in re.findall(r"--(?:no-)?([a-z][a-z-]*)", message)):
        if name in given or name == "output":
            return None
        if name in source.lines:
            return source.lines[name]
    about = _quoted({**source.options, **given}, message)
    return None if about in given else source.lines.get(about, source.line)


def _quoted(options: Mapping[str, Any], message: str) -> str:
    """The option whose value a message is about: it quotes a part of it, or has the whole; empty if there is none."""
    texts = [
        (name, str(value))
        for name, values in options.items()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str | float) and value != ""
    ]
    words = re.findall(r"'([^']+)'", message)
    within = (name for name, text in texts if any(word in text for word in words))
    whole = (name for name, text in texts if re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", message))
    return next(within, "") or next(whole, "")
