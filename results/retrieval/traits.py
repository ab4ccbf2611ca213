"""What samples show under each database, beside the images in it: `python results/retrieval/traits.py RUNS NAME...`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from samplerbench.data.captions import described
from samplerbench.data.dataset import DATASETS
from samplerbench.data.handwriting import measured
from samplerbench.metrics.extractors import Extractor
from samplerbench.networks.conditions.base import Source
from samplerbench.networks.retrieval.database import database_of

COLUMNS = ("database", "images", "mean stroke width", "thick", "classes 0-4")
DATA = DATASETS.get("mnist5k")


def main(runs: Path, names: list[str]) -> None:
    """Print a table, two lines for each database."""
    classifier, source = Extractor(DATA.extractor, torch.device("cpu"), logits=True), Source.of(DATA)
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{(len(COLUMNS) - 2) * '--:|'}")
    for name in names:
        for kind, images in (("its own", database_of(name, source).images), ("samples", samples(runs / name))):
            print(f"| {' | '.join((name, kind, *shown(images, classifier)))} |")


def samples(run: Path) -> Tensor:
    """All images (N, 1, H, W) of the cells in a run's results."""
    cells = pd.read_csv(run / "results.csv")["cell"].unique()
    files = [file for cell in cells for file in sorted(run.glob(f"images/{cell}-*.npy"))]
    return torch.cat([torch.from_numpy(np.load(file, allow_pickle=False)) for file in files])


def shown(images: Tensor, classifier: Extractor) -> Iterator[str]:
    """The mean stroke width, the fraction of thick images, and that of the classes 0-4, as the classifier sees them."""
    logits = classifier.extract(images).logits
    assert logits is not None
    classes = logits.argmax(1)
    yield f"{measured(images).stroke.nanmean():.2f}"
    yield f"{np.mean([each.stroke == 'thick' for each in described(images, classes)]):.2f}"
    yield f"{(classes <= 4).double().mean():.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
