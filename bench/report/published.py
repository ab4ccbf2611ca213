"""Published results on a data set, to show beside ours."""

from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.report.columns import fid_heading, fid_value
from samplerbench.report.formats import number
from samplerbench.store.results import Results

COLUMNS = "method model grid nfe fid source confirmed".split()
MORE = "sampler labels evaluator checkpoint".split()  # which a table of one's own may leave out
OURS = "this report"  # the source of our rows
FOLDERS = (Path("results/published"), Path(__file__).parents[2] / "results/published")


def published(dataset: str) -> pd.DataFrame:
    """The published FIDs (by Inception) on a data set, with the columns that results/published/README.md explains.

    `given` is the FID as printed in the source. Without a table, there are no rows. They are read from
    results/published/<dataset>.csv here, or else beside this package's source.
    Raises InputError if that file is not such a table.
    """
    path = next((file for folder in FOLDERS if (file := folder / f"{dataset}.csv").is_file()), None)
    if path is None:
        return pd.DataFrame(columns=[*COLUMNS, *MORE, "given"])
    try:
        read = pd.read_csv(path, dtype=str, keep_default_na=False)
        frame = read[COLUMNS].join(read.reindex(columns=MORE, fill_value=""))
        return frame.assign(given=frame["fid"]).astype({"nfe": "float64", "fid": "float64"})
    except (OSError, ValueError, KeyError) as error:
        problem = " ".join(str(error).split())
        raise InputError(
            f"{str(path)!r} is no table of published results with the columns {', '.join(COLUMNS)}: {problem}"
        ) from error


def comparable(group: Results) -> pd.DataFrame:
    """What to show beside the rows of one protocol: nothing unless they have a FID by Inception."""
    datasets = group.scored["dataset"].unique()
    return published(datasets[0] if len(datasets) == 1 and fid_heading(group) == "FID" else "")


def beside_ours(group: Results) -> pd.DataFrame:
    """Our rows and the published ones as text, by NFE; empty if nothing is published."""
    theirs = comparable(group)
    if theirs.empty:
        return pd.DataFrame()
    ours = [(row["nfe"], row["fid"], _ours(row)) for _, row in group.scored.iterrows()]
    others = [(row["nfe"], row["fid"], _theirs(row)) for _, row in theirs.iterrows()]
    rows = sorted([*ours, *others], key=lambda entry: entry[:2])
    return pd.DataFrame([row for *_, row in rows])


def _ours(row: pd.Series) -> dict:
    network = f"{row['recipe']} (ours)"
    return _line(row["nfe"], row["name"], network, row["grid"], fid_value(row), OURS)


def _theirs(row: pd.Series) -> dict:
    source = row["source"] + " (second-hand)" * (row["confirmed"] == "secondary")
    return _line(row["nfe"], row["method"], row["model"], row["grid"], row["given"], source)


def _line(nfe: float, method: str, network: str, grid: str, fid: str, source: str) -> dict:
    return {
        "NFE": number(nfe, "{:g}"),
        "method": method,
        "network": network,
        "grid": grid,
        "FID": fid,
        "source": source,
    }
