import time

import numpy as np
import pytest
import torch
from torch import nn

from samplerbench.models.unet import Attention
from samplerbench.sampling.timing import (
    WINDOW,
    WINDOWS,
    PeakMemory,
    Stopwatch,
    gflops,
    median_and_iqr,
    timed,
    trimmed,
    warm_up,
)


def test_median_and_quartiles():
    assert median_and_iqr([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0)


def test_timed_returns_the_result_and_the_wall_time():
    result, seconds = timed(lambda: time.sleep(0.05) or "done", torch.device("cpu"))
    assert result == "done"
    assert 0.05 <= seconds < 1


def test_flops_of_a_convolution_and_of_cpu_attention_match_a_hand_count():
    conv, x = nn.Conv2d(3, 8, 3, padding=1), torch.randn(2, 3, 5, 5)
    assert gflops(lambda: conv(x)) * 1e9 == pytest.approx(2 * (2 * 5 * 5) * 8 * (3 * 3 * 3))
    attention, h = Attention(64), torch.randn(2, 64, 4, 4)
    projections = 2 * 2 * 16 * 64 * (3 * 64 + 64)
    products = 2 * (2 * 2 * 16 * 16 * 64)
    with torch.inference_mode():
        assert gflops(lambda: attention(h)) * 1e9 == pytest.approx(projections + products)


def test_peak_memory_sees_what_is_allocated_inside_and_forgets_what_was_before():
    torch.ones(60_000_000).sum()  # 240 MB, freed again
    with PeakMemory(torch.device("cpu")) as idle:
        pass
    if idle.megabytes is None:
        pytest.skip("this kernel does not reset the peak")
    with PeakMemory(torch.device("cpu")) as busy:
        torch.ones(30_000_000).sum()  # 120 MB
    assert 100 < busy.megabytes - idle.megabytes < 200


def test_warming_up_ends_when_the_medians_agree_and_not_before(monkeypatch):
    def calls(durations) -> int:
        times = iter(durations)
        monkeypatch.setattr("samplerbench.sampling.timing.timed", lambda work, device: (work(), next(times)))
        return len(warm_up(lambda: None, torch.device("cpu")))

    assert calls([1.0] * 99) == 2 * WINDOW
    assert calls([9.0] * WINDOW + [5.0] * WINDOW + [1.0] * 99) == 4 * WINDOW
    assert calls(2.0**-n for n in range(99)) == WINDOW * WINDOWS


def test_trimming_ignores_a_few_spoilt_rounds():
    rounds = np.array([1.00, 1.01, 0.99, 1.02, 0.98, 1.00, 1.01, 0.99, 1.0, 50.0])
    middle, error, freedom = trimmed(rounds)
    assert (middle, freedom) == (pytest.approx(1.0, abs=0.01), 5)
    assert error < 0.02
    # Without anything to trim it is the ordinary mean and its standard error.
    assert trimmed(np.array([1.0, 2.0, 3.0])) == pytest.approx((2.0, 3**-0.5, 2))


def test_a_stopwatch_keeps_every_lap():
    stopwatch = Stopwatch(torch.device("cpu"))
    for pause in (0.01, 0.03):
        with stopwatch.lap():
            time.sleep(pause)
    first, second = stopwatch.seconds()
    assert 0.01 <= first < second
