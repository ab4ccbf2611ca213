"""A report's sentences: verdicts, cautions, failures, and how to read the columns."""

import numpy as np

from samplerbench.metrics.column import Column
from samplerbench.report.table import table
from samplerbench.report.text import cautions, failures, filled, notes, reading, summary, title
from samplerbench.store.results import load


def test_what_was_not_measured_is_listed_with_its_reason(tmp_path, write_run, cell, failed):
    skipped = [cell("a", np.nan, steps=steps, status="skipped", error="one step only") for steps in (2, 4)]
    results = load(write_run(tmp_path, cell("a", 5.0, steps=1), *skipped, failed("b", "RuntimeError: no")))
    assert failures(table(results)) == [
        "`b`, 10 steps: failed: RuntimeError: no", "`a`, 2 and 4 steps: skipped: one step only",
    ]  # fmt: skip
    assert summary(results) == "1 cell measured, 1 failed, 2 skipped."


def test_cautions_come_with_the_summary(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, cell("a", 5.0), samples=50))
    assert cautions(results) == [summary(results).partition("**")[2].removesuffix("**")]
    assert "50 images do not determine the covariance of 64 features" in summary(results)
    assert title(results) == "Protocol p: digits, 50 samples, seeds 0-4, digits-cnn"


def test_the_meaning_of_a_column_comes_with_it(tmp_path, write_run, cell, metric_columns):
    kid = Column("kid", "KID", extractor=True, meaning="**{label}**: learned.", meaning_exact="**{label}**: exact.")
    unused = Column("recall", "recall", meaning="**recall**: unused.")
    rows, columns = cell("a", 5.0, kid=1.0), [*metric_columns, kid, unused]
    learned = load(write_run(tmp_path / "a", rows, columns=columns))
    texts = reading(learned, table(learned))
    assert "**FID (digits-cnn)**: of 1000 images, `p`." in texts
    assert "**KID (digits-cnn)**: learned." in texts
    assert "**±** after FID (digits-cnn): half the 95 % t-interval of the mean over the seed blocks." in texts
    assert not any("unused" in text for text in texts), "it has no values"
    assert dict(notes(learned, table(learned)))["latency (s)"].startswith("**latency**: median wall seconds for one "
                                                                           "batch of 256,")  # fmt: skip
    exact = load(write_run(tmp_path / "b", rows | {"batch_size": 64}, columns=columns, extractor="pixels"))
    texts = reading(exact, table(exact))
    assert "**KID (pixels)**: exact." in texts
    assert "**Frechet distance**: of 1000 images, `p`." in texts, "no other text for exact data"
    one = load(write_run(tmp_path / "c", cell("a", 5.0, blocks=1)))
    assert not any("t-interval of the mean" in text for text in reading(one, table(one)))


def test_only_known_names_in_braces_are_filled():
    text = r"{samples} of \frac{1}{2}, {x.y}, {unknown} and {}"
    assert filled(text, {"samples": 5}) == r"5 of \frac{1}{2}, {x.y}, {unknown} and {}"
