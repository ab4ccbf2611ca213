"""Numbers as text."""

import pandas as pd
import pytest

from samplerbench.report.formats import compact, number, spread, step_count
from samplerbench.report.ticks import tick_text, ticks

NAN = float("nan")


@pytest.mark.parametrize(
    ("write", "texts"),
    [
        (number, {0.012345: "0.0123", 1.0: "1.00", 99.96: "100.", 123.4: "123", 2e6: "2.00e+06", NAN: ""}),
        (spread, {0.0204: " ± 0.020", 9.96: " ± 10.", 12.3: " ± 12", NAN: ""}),
        (compact, {800: "800", 999.6: "1k", 12_500: "12.5k", 1_200_000: "1.2M", 0: "0", NAN: ""}),
        (step_count, {1: "1 step", 10: "10 steps", pd.NA: "adaptive steps"}),
        (tick_text, {1.0: "1", 0.002: "0.002", 50_000: "50000", 1e5: "10⁵", 2e-5: "2·10⁻⁵", 0.5: "0.5"}),
    ],
)
def test_text_of(write, texts):
    assert {value: write(value) for value in texts} == texts


def test_ticks_are_the_values_if_few_and_round_numbers_if_many():
    assert ticks([50, 10, 10, 20], few=8) == [10, 20, 50]
    assert ticks([10, 11, 20], few=8) == [11, 20], "10 and 11 would overlap"
    assert [place for place in ticks([2, 700]) if 1 <= place <= 1000] == [1, 10, 100, 1000]
    assert [round(place, 6) for place in ticks([2, 30]) if 1 <= place <= 50] == [1, 2, 5, 10, 20, 50]
    assert [round(place, 6) for place in ticks([2, 5]) if 1 <= place <= 10] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
