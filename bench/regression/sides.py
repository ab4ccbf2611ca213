"""The two sides of `bench compare --against`: what each can measure, and its runs."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samplerbench.errors import InputError
from samplerbench.regression.checkout import Checkout
from samplerbench.regression.isolated_run import run_in, unknown_methods
from samplerbench.regression.verdicts import Verdict

METHODS = "--methods"


@dataclass(frozen=True)
class Side:
    """A checkout with the options of its runs, and the other checkout, from which it must not import.

    options: None if there is no method to run.
    """

    checkout: Checkout
    other: Checkout
    options: Sequence[str] | None

    def run(self, output: Path) -> Path:
        """`bench run` into a new run directory, which is returned. Raises InputError as `run_in` does."""
        print(f"Measuring {self.checkout.name} ...", file=sys.stderr, flush=True)
        assert self.options is not None, "there is nothing to run"
        run_in(self.checkout, self.options, output, self.other)
        return output


def sides(before: Checkout, after: Checkout, options: Sequence[str], folder: Path) -> tuple[Side, Side, list[Verdict]]:
    """Both sides with the methods that each knows, and verdicts on those that are gone from the working tree.

    options: of `bench run`. folder: for temporary files. Raises InputError for a method that neither side knows.
    """
    words = list(options)
    if METHODS not in words[:-1]:
        return Side(before, after, words), Side(after, before, words), []
    place = words.index(METHODS) + 1
    old, new = (
        unknown_methods(checkout, words[place], folder / f"methods-{turn}.json")
        for turn, checkout in enumerate((before, after))
    )
    for spec, reason in new.items():
        if reason and old[spec]:
            raise InputError(reason)

    def with_methods(*reasons: Mapping[str, str]) -> list[str] | None:
        known = [spec for spec in new if not any(found[spec] for found in reasons)]
        return [*words[:place], ",".join(known), *words[place + 1 :]] if known else None

    gone = [
        Verdict(spec, "", None, None, "missing", reason.partition(". ")[0].removesuffix("."))  # without the advice
        for spec, reason in new.items()
        if reason
    ]
    return Side(before, after, with_methods(old, new)), Side(after, before, with_methods(new)), gone
