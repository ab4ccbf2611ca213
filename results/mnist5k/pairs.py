"""The share of pairs of methods that are told apart: `python pairs.py RUN...`, each of several seed blocks.

A pair is told apart if the 95 % interval of its paired difference in FID over the seed blocks excludes zero. Without a
correction for the number of pairs, one in twenty would be told apart by chance.
"""

import json
import sys
from itertools import combinations
from pathlib import Path

import pandas as pd

from samplerbench.statistics import paired_difference


def told_apart(rows: pd.DataFrame) -> tuple[int, int]:
    """The pairs that are told apart, and all of them."""
    scores = [json.loads(each)["fid"] for each in rows["scores_per_seed"]]
    pairs = list(combinations(scores, 2))
    differences = [paired_difference(*pair) for pair in pairs]
    return sum(abs(mean) > half for mean, half in differences), len(pairs)


if __name__ == "__main__":
    print("| data | methods | seed blocks | pairs told apart | share |\n|:--|--:|--:|--:|--:|")
    for run in map(Path, sys.argv[1:]):
        rows = pd.read_csv(run / "results.csv").query("status == 'ok'")
        apart, pairs = told_apart(rows)
        blocks = len(json.loads(rows["scores_per_seed"].iloc[0])["fid"])
        print(f"| {rows['dataset'].iloc[0]} | {len(rows)} | {blocks} | {apart} of {pairs} | {apart / pairs:.0%} |")
