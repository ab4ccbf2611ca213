"""From a run directory to what people read: the table, the pictures, report.md and report.html."""

from pathlib import Path

import pandas as pd

from bench import pictures
from bench.page import page
from bench.store import read_facts, read_results
from bench.table import alignment, fid_name, table

READING = """\
- **NFE**: network evaluations per image, counted. **steps**: intervals of the time grid.
- **{fid}**: Frechet distance between {samples} generated images and the {reference_images} reference images in the \
features of `{extractor}`; compare it only with figures under the same protocol `{protocol}`. The **floor** is what \
{floor_images} real images score against the same reference.
- **novelty**: median feature distance from a generated image to its nearest training image, divided by the same for \
held-out images. Near 1: as new as unseen data. Near 0: copies of the training images."""
READING_SPEED = """\
- **latency**: median wall seconds for one batch of {batch}, with the distance between the quartiles. **overhead**: \
latency / (NFE x one bare forward of the same network, measured in between); 1.00 is a sampler that costs nothing \
itself, and the only speed here that may be compared between machines. \
**peak**: of the allocator on a GPU, of the whole process on the CPU."""


def write(run: Path) -> Path:
    """Write report.md, report.html and the pictures of a run directory; returns the path of report.md.

    Raises InputError if the directory does not hold a run.
    """
    frame, facts = read_results(run), read_facts(run)
    drawn = pictures.draw(run, frame, facts)
    parts = title(facts), _summary(frame, facts), table(frame, facts), drawn, _reading(frame, facts), _repeat(facts)
    (run / "report.md").write_text(markdown(*parts), encoding="utf-8")
    (run / "report.html").write_text(page(*parts, folder=run), encoding="utf-8")
    return run / "report.md"


def markdown(title: str, summary: str, shown: pd.DataFrame, drawn: dict[str, str], reading: str, repeat: str) -> str:
    """report.md: the table, the pictures (title -> PNG file), how to read and how to repeat it."""
    parts = [f"# {title}", summary]
    if len(shown):
        parts.append(shown.to_markdown(index=False, disable_numparse=True, colalign=[*map(alignment, shown)]))
    parts += [f"## {name}\n\n![{name}]({file})" for name, file in drawn.items()]
    parts += ["## How to read this", reading, "## How to repeat this", f"    {repeat}"]
    return "\n\n".join(parts) + "\n"


def title(facts: dict) -> str:
    """The heading: what was run."""
    sweep = facts["sweep"]
    return f"flowbench: {sweep['dataset'] or 'a random network of the preset ' + sweep['preset']}"


def _repeat(facts: dict) -> str:
    """The command, a blank line, and the machine and versions."""
    environment = facts["environment"]
    versions = ", ".join(f"{name} {number}" for name, number in environment["packages"].items())
    weights = ", ".join(f"{recipe} ({source})" for recipe, source in facts["checkpoints"].items())
    machine = f"{environment['device']}, {environment['threads']} threads, {facts['sweep']['dtype']}"
    return (
        f"{facts['command']}\n\nWeights: {weights}. {machine}; Python {environment['python']}, {versions}; "
        f"commit {facts['commit'] or 'unknown'}; {facts['utc']}."
    )


def _summary(frame: pd.DataFrame, facts: dict) -> str:
    good, bad = (frame["status"] == "ok").sum(), (frame["status"] == "failed").sum()
    skipped = len(frame) - good - bad
    text = f"{good} cells measured" + f", {bad} failed" * bool(bad) + f", {skipped} skipped" * bool(skipped) + "."
    return text + f" **{caution(facts)}**" * bool(caution(facts))


def caution(facts: dict) -> str:
    """What a reader must know before trusting the figures of this run; empty if there is nothing."""
    quality = facts.get("quality")
    if not quality or quality["samples"] > quality["features"]:
        return ""
    return (
        f"Too few samples: {quality['samples']} images do not determine the covariance of {quality['features']} "
        "features, so the Frechet distances are biased; take more."
    )


def _reading(frame: pd.DataFrame, facts: dict) -> str:
    texts = []
    if facts.get("quality"):
        values = facts["quality"] | {"fid": fid_name(facts), "protocol": facts["protocol"]}
        texts.append(READING.format(**values))
    if frame["latency_s"].notna().any():
        texts.append(READING_SPEED.format(batch=frame["batch_size"].iloc[0]))
    return "\n".join(texts)
