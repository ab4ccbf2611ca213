"""What a report says in words: what was measured, who is best at each budget, and how to read the figures."""

from collections.abc import Container

from samplerbench.report.ranking import Budget, budgets, decidable, difference
from samplerbench.report.table import TRAINING, WORSE, number, spread, with_interval
from samplerbench.store.labels import OWN, grids, in_features
from samplerbench.store.protocol import ranges
from samplerbench.store.results import Results
from samplerbench.store.run_directory import blocks

NAMED = 4  # rivals that a sentence names before it counts the rest
NO_ERROR_BARS = (
    "one seed block: no error bars, so that no tie can be told from a difference; `--seeds 0-4` gives five blocks"
)

# What a column of the table means, said where the column has figures.
QUALITY = {
    "fid": "**{fid}**: Frechet distance between {samples} generated images and the {reference_images} reference images "
    "in the features of `{extractor}`; compare it only with figures under the same protocol `{protocol}`.",
    "fid_ci_low": "**±** beside it: half the 95 % t-interval of the mean over the seed blocks.",
    "fid_floor": "**real images**: the floor, which {floor_images} real images score against the same reference.",
    "fid_floor_sd": "**±** beside the floor: an estimate of its standard deviation over draws of real images.",
    "fid_ceiling": "**noise**: the ceiling, which {samples} images of pure noise score.",
    "fid_inf": "**{fid_inf}**: the same distance extrapolated to infinitely many samples, at this reference.",
    "fd_dinov2": "**FD (DINOv2)**: Frechet distance in the features of DINOv2 (ViT-L/14).",
    "kid": "**{kid}**: squared kernel distance (unbiased), ± its standard error.",
    "inception_score": "**{is}**: exp of the mutual information between image and predicted class; more is better.",
    "precision": "**precision**: share of the samples within the neighbourhood of a real image.",
    "recall": "**recall**: share of the real images within the neighbourhood of a sample.",
    "density": "**density**: in how many real neighbourhoods a sample lies, 1 for real images.",
    "coverage": "**coverage**: share of the real neighbourhoods that hold a sample.",
    "class_accuracy": "**class accuracy**: share of the samples that the classifier `{extractor}` takes for the class "
    "they were asked to be, ± half the 95 % t-interval over the seed blocks; of real images, the held-out ones.",
    "novelty": "**novelty**: median feature distance from a generated image to its nearest training image, divided by "
    "the same for held-out images. Near 1: as new as unseen data. Near 0: copies of the training images.",
    "wasserstein": "**Wasserstein**: W2 between samples and real images by exact transport; in the row of the real "
    "images, what others of them score.",
    "order": "**order**: log2 of how much the error falls from 128 to 256 steps in the middle of the path, against the "
    "exact flow; in brackets what the method declares.",
    "trajectory_rmse": "**trajectory RMSE**: error of the pixels, in [-1, 1], against a fine solution of the network's "
    "own ODE from the same noise; empty for samplers that draw noise on their way, and for students, which may jump.",
    "teacher_rmse": "**teacher RMSE**: error of the pixels, in [-1, 1], against a fine solution of the teacher's ODE "
    "from the same noise; an ordinary network is its own teacher. Empty for samplers that draw noise on their way, of "
    "which the teacher's images know nothing, and for students whose checkpoint names no teacher.",
    "teacher_feature_distance": "**{teacher_distance}**: mean distance from an image to the teacher's from the same "
    "noise and label in the features of `{extractor}`, divided by that of two arbitrary real images; 1: no nearer.",
}
EXACT = {
    "teacher_rmse": "**teacher RMSE**: error of the pixels against the exact flow from the same noise; a network is "
    "its own teacher. Empty for samplers that draw noise on their way.",
    "fid": "**{fid}**: squared, between {samples} generated images and the exact mean and covariance of the data, in "
    "pixels; compare it only with figures under the same protocol `{protocol}`.",
    "trajectory_rmse": "**trajectory RMSE**: error of the pixels against the exact flow from the same noise; empty for "
    "samplers that draw noise on their way.",
}
OWN_GRID = (
    "**(own)** beside a grid: the one that the method takes by itself. Two methods compare as solvers on the same grid."
)
JUDGED = {
    WORSE: "**worse than at**: more evaluations make it worse. With this fewer the same method is better, by the "
    "paired differences over the seed blocks (95 %, shared among its comparisons), or with a single block by more than "
    "four standard deviations of a FID (that of the floor, growing like the root of the FID). Ringed in the chart.",
    "rank": "**rank**: the places that a row may hold among those that spend as many evaluations (to 10 %): from 1 + "
    "the rows that are better to the last place less those that are worse, each by its paired differences on the same "
    "noise (95 %, two-sided t over the seed blocks, each pair by itself). Tied in a verdict means the same.",
    "Pareto": "**Pareto**: on the front of NFE, of time, or of both: no row here is as good in both and better in one.",
}
TRAINED = (
    "**training**: optimiser steps, and the seconds they took, of the network or of a student and the students that it "
    "stands on; **teacher NFE**: evaluations of single images by its teachers. The training of the **teacher** itself, "
    "the ordinary network at the head of them, is not in them. Nothing stands where the checkpoint does not tell."
)
SPEED = {
    "latency_s": "**latency**: median wall seconds for one batch{batch}, ± the distance between the quartiles.",
    "latency_p95_s": "**p95**: the 95th percentile of the same batches.",
    "overhead_ratio": "**overhead**: latency / (NFE x one bare forward of the same network, measured in between); 1.00 "
    "is a sampler that costs nothing itself. Unlike seconds, it may be compared between machines. `noisy`: its rounds "
    "vary too much to trust it.",
    "inner_ratio": "**inner**: latency / the seconds of its own network calls, from which the machine's noise cancels.",
    "peak_memory_mb": "**peak**: of the allocator on a GPU, of the whole process on the CPU.",
}


def summary(results: Results) -> str:
    """How many cells were measured, and what to know before trusting them."""
    states = results.rows["status"].value_counts()
    counts = [f"{states.get('ok', 0)} cells measured"]
    counts += [f"{states[state]} {state}" for state in ("failed", "skipped") if state in states]
    text = ", ".join(counts) + "."
    if len(results.facts) > 1:
        text += f" From {len(results.facts)} runs: {', '.join(f'`{name}`' for name in results.facts)}."
    return " ".join([text, *(f"**{sentence}**" for sentence in cautions(results))])


def cautions(results: Results) -> list[str]:
    """What a reader must know before comparing the figures."""
    found = []
    if len(results.groups) > 1:
        found.append("The runs follow different protocols: figures of quality compare within one protocol only.")
    if results.rows["machine"].nunique() > 1:
        found.append("The runs were made on different machines: their seconds do not compare, their overhead does.")
    return found + list(dict.fromkeys(filter(None, map(_too_few, results.groups))))


def _too_few(group: Results) -> str:
    quality = group.quality
    if not quality or quality["samples"] > quality["features"]:
        return ""
    return (
        f"Too few samples: {quality['samples']} images do not determine the covariance of {quality['features']} "
        "features, so the Frechet distances are biased; take more."
    )


def heading(group: Results) -> str:
    """What tells a protocol from others."""
    quality = group.quality
    protocol = f"Protocol {next(iter(group.facts.values()))['protocol']}"
    if not quality:
        return f"{protocol}: speed only"
    seeds = ranges(quality["seeds"])
    return f"{protocol}: {quality['dataset']}, {quality['samples']} samples, seeds {seeds}, {quality['extractor']}"


def verdicts(group: Results) -> list[str]:
    """One sentence for every budget of evaluations, for the rows of one protocol."""
    found = budgets(group.scored)
    sentences = [_verdict(budget, group.fid) for budget in found]
    if found and not any(decidable(budget.standings) for budget in found):
        sentences.append(NO_ERROR_BARS)
    return sentences


def _verdict(budget: Budget, fid: str) -> str:
    best, *others = budget.standings
    text = f"best at {budget.nfe:g} NFE: `{best.row['name']}` ({fid} {with_interval(best.row)}"
    text += f", with {best.row['nfe']:g} NFE)" if best.row["nfe"] < budget.nfe else ")"
    if not decidable(budget.standings):
        return f"{text}, then `{others[0].row['name']}` ({number(others[0].row['fid'])})"
    tied = [other.row["name"] for other in others if other.tied]
    beaten = [other.row for other in others if not other.tied]
    if tied:
        text += ", tied with " + _listed(tied)
    if beaten:
        mean, half = difference(blocks(best.row), blocks(beaten[0]))
        text += f"; next is `{beaten[0]['name']}`, {number(mean)}{spread(half)} worse"
    return text


def _listed(names: list[str]) -> str:
    shown = [f"`{name}`" for name in names[:NAMED]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + f" and {rest} more" * (rest > 0)


def reading(results: Results, shown: Container[str]) -> list[str]:
    """How to read the columns that have figures; `shown`: the headings of the table."""
    rows = results.rows
    has = {column for column in rows if rows[column].notna().any()}
    texts = ["**NFE**: network evaluations per image, counted. **steps**: intervals of the time grid."]
    texts += [OWN_GRID] * bool(grids(rows).str.endswith(OWN).any())
    for group in results.groups:
        if group.quality:
            meanings = QUALITY | (EXACT if group.quality["extractor"] == "pixels" else {})
            texts += [text.format(**_terms(group)) for column, text in meanings.items() if column in has]
    texts += [text for heading, text in JUDGED.items() if heading in shown]
    texts += [TRAINED] * (TRAINING in shown)
    batches = rows["batch_size"].dropna().unique()
    batch = f" of {batches[0]}" if len(batches) == 1 else ""
    return list(dict.fromkeys(texts + [SPEED[column].format(batch=batch) for column in SPEED if column in has]))


def _terms(group: Results) -> dict:
    terms = {name: in_features(figure, group.quality) for name, figure in _FEATURED.items()}
    return group.quality | terms | {"protocol": next(iter(group.facts.values()))["protocol"]}


_FEATURED = {"fid": "FID", "fid_inf": "FID∞", "kid": "KID", "is": "IS", "teacher_distance": "teacher distance"}
