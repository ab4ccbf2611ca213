"""Where a method gets worse with more evaluations, which a reader of the best figure alone would overlook."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from samplerbench.report.ranking import CONFIDENCE, better
from samplerbench.store.labels import recipes
from samplerbench.store.run_directory import blocks

# What a method is beside its number of evaluations, its grid and its recipe.
SAME = "method options guidance dtype compiled run".split()
PLAIN = 4.0  # standard deviations of a FID, beyond which a rise is plain without seed blocks to tell


def better_at(rows: pd.DataFrame) -> pd.Series:
    """For rows of one protocol that have a FID: with how many evaluations, fewer than its own, its method is better.

    With seed blocks that is what their paired differences say: 95 % for each row, shared among the rows that it is
    compared with. With one block, a FID must be higher by four times its standard deviation. The best of those that
    are surely better is told; NaN stands for none.
    """
    found = pd.Series(np.nan, index=rows.index, dtype="float64")
    for ladder in _ladders(rows):
        for index, row in ladder.iterrows():
            cheaper = ladder[ladder["nfe"] < row["nfe"]]
            surely = [each for _, each in cheaper.iterrows() if _surely_better(each, row, len(cheaper))]
            if surely:
                found[index] = min(surely, key=lambda each: each["fid"])["nfe"]
    return found


def _ladders(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each method, whatever evaluations they spend."""
    policy = rows["grid"].mask(rows["own_grid"] == "true", "")
    kinds = rows.assign(policy=policy).groupby([*SAME, "policy"], sort=False).ngroup()
    for _, ladder in rows.groupby([kinds, recipes(rows, kinds)], sort=False):
        yield ladder


def _surely_better(few: pd.Series, many: pd.Series, comparisons: int) -> bool:
    ours, theirs = blocks(few), blocks(many)
    if len(ours) == len(theirs) > 1:
        return better(ours, theirs, 1 - (1 - CONFIDENCE) / comparisons)
    return bool(many["fid"] - few["fid"] > PLAIN * deviation(many))


def deviation(row: pd.Series) -> float:
    """An estimate of the standard deviation of a row's FID over draws of noise; NaN if there is none.

    That of the floor, growing like the root of the FID. On the digits (flow and ddim, 1 to 128 steps, 250 and 1000
    samples) the blocks' was 0.45 to 1.1 of it, and that of differences on the same noise far less.
    """
    return row["fid_floor_sd"] * max(1.0, row["fid"] / row["fid_floor"]) ** 0.5
