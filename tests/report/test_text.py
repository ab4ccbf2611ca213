"""A report's sentences: verdicts, cautions, failures, and how to read the columns."""

import re

import numpy as np

from samplerbench.metrics.column import Column
from samplerbench.report.table import table
from samplerbench.report.text import cautions, failures, filled, notes, reading, summary, title, verdicts
from samplerbench.store.results import load


def test_a_verdict_names_the_best_and_what_ties_and_how_far_the_next_is(tmp_path, write_run, cell):
    rows = [cell("a", 5.0), cell("b", 5.005, jitter="b"), cell("c", 6.0, jitter="c")]
    first, second = verdicts(load(write_run(tmp_path, *rows, cell("a", 4.0, steps=50), cell("b", 4.5, steps=50))))
    best = (
        r"best at 10 NFE: `a` \(FID \(digits-cnn\) 5\.00 ± 0\.2\d\), tied with `b`; next is `c`, 1\.00 ± 0\.0\d+ worse"
    )
    assert re.fullmatch(best, first)
    assert second.startswith("best at 50 NFE: `a` (FID (digits-cnn) 4.00")


def test_one_seed_block_cannot_tell_ties_and_the_verdict_says_so(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, cell("a", 5.0, blocks=1), cell("b", 5.01, blocks=1)))
    best, remark = verdicts(results)
    assert best == "best at 10 NFE: `a` (FID (digits-cnn) 5.32), then `b` (5.33)"
    assert remark.startswith("one seed block: no error bars")
    assert "rank" not in table(results), "no ranks without error bars"


def test_budgets_with_the_same_verdict_share_a_sentence(tmp_path, write_run, cell):
    rows = [cell("a", 3.0, steps=10), cell("b", 5.0, steps=10)]
    rows += [cell(name, fid, steps=steps) for steps in (20, 40) for name, fid in (("a", 4.0), ("b", 6.0))]
    first, second = verdicts(load(write_run(tmp_path, *rows)))
    assert first.startswith("best at 10 NFE: `a` (FID (digits-cnn) 3.00 ± 0.28); ")
    assert second.startswith("best at 20 and 40 NFE: `a` (FID (digits-cnn) 3.00 ± 0.28, with 10 NFE); ")


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
