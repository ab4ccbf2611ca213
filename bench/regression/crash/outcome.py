"""What came of a fault, trial by trial."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Verdict:
    """One trial, after the same command has run to its end.

    same: whether the results are those of the undisturbed run. twice: blocks that were on disk when the fault struck,
    and were measured again. processes: left behind. locks: left behind, unfinished files included.
    problem: what else went wrong, in a sentence; "" for nothing.
    """

    same: bool
    twice: int = 0
    processes: int = 0
    locks: int = 0
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether it left no trace."""
        return self.same and not (self.twice or self.processes or self.locks or self.problem)


@dataclass(frozen=True)
class Outcome:
    """The sum of a fault's trials. planned: how many there are to be. not_run: why there are none."""

    fault: str
    planned: int
    trials: int = 0
    same: int = 0
    twice: int = 0
    processes: int = 0
    locks: int = 0
    problems: tuple[str, ...] = ()
    not_run: str = ""

    def after(self, verdict: Verdict, trials: int = 1) -> "Outcome":
        """The outcome after another trial, or after several that were judged at once."""
        return replace(
            self,
            trials=self.trials + trials,
            same=self.same + trials * verdict.same,
            twice=self.twice + verdict.twice,
            processes=self.processes + verdict.processes,
            locks=self.locks + verdict.locks,
            problems=(*self.problems, verdict.problem) if verdict.problem else self.problems,
        )

    @property
    def differs(self) -> bool:
        """Whether the fault left a trace, or could not be brought about; a fault that was not run has not passed."""
        complete = self.trials == self.same == self.planned
        return not self.not_run and bool(not complete or self.twice or self.processes or self.locks or self.problems)

    def __str__(self) -> str:
        if self.not_run:
            return f"{self.fault}: not run, since {self.not_run}"
        last = f": {self.problems[-1]}" if self.problems else ""
        return f"{self.fault}: {self.trials} of {self.planned}, {self.same} with the same rows{last}"
