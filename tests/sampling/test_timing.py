from types import SimpleNamespace

import pytest
import torch
from torch import nn

from samplerbench.models.layers import Attention
from samplerbench.sampling import timing
from samplerbench.sampling.timing import WINDOW, WINDOWS, PeakMemory, Stopwatch, gflops, timed, warm_up

CPU = torch.device("cpu")


def test_timed_returns_the_result_and_the_seconds(clock):
    assert timed(lambda: clock.advance(0.05) or "done", CPU) == ("done", pytest.approx(0.05))


def test_a_stopwatch_keeps_every_lap_and_nothing_in_between(clock):
    stopwatch = Stopwatch(CPU)
    for seconds in (0.01, 0.03):
        clock.advance(1)
        with stopwatch.lap():
            clock.advance(seconds)
    assert stopwatch.seconds() == pytest.approx([0.01, 0.03])


def test_flops_of_a_convolution_and_of_cpu_attention_match_a_hand_count():
    conv, x = nn.Conv2d(3, 8, 3, padding=1), torch.randn(2, 3, 5, 5)
    assert gflops(lambda: conv(x)) * 1e9 == pytest.approx(2 * (2 * 5 * 5) * 8 * (3 * 3 * 3))
    attention, h = Attention(64), torch.randn(2, 64, 4, 4)
    projections = 2 * 2 * 16 * 64 * (3 * 64 + 64)
    products = 2 * (2 * 2 * 16 * 16 * 64)
    with torch.inference_mode():
        assert gflops(lambda: attention(h)) * 1e9 == pytest.approx(projections + products)


def test_peak_memory_includes_what_is_allocated_inside_and_not_what_was_freed_before():
    torch.ones(60_000_000).sum()  # 240 MB, freed again
    with PeakMemory(CPU) as idle:
        pass
    if idle.megabytes is None:
        pytest.skip("this kernel does not reset the peak")
    with PeakMemory(CPU) as busy:
        torch.ones(30_000_000).sum()  # 120 MB
    assert 100 < busy.megabytes - idle.megabytes < 200


@pytest.fixture(params=["cpu", "cuda"])
def peak(request, monkeypatch) -> SimpleNamespace:
    """A device whose allocations are the test's: `allocate` raises the peak, which a reset takes back to 100 MB."""
    peak = SimpleNamespace(device=torch.device(request.param), megabytes=100.0)

    def reset(*_: object) -> bool:
        peak.megabytes = 100.0
        return True

    peak.allocate = lambda megabytes: setattr(peak, "megabytes", max(peak.megabytes, 100.0 + megabytes))
    monkeypatch.setattr(timing, "_reset_process_peak", reset)
    monkeypatch.setattr(timing, "_process_peak", lambda: peak.megabytes)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peak.megabytes * 1e6)
    return peak


def test_peak_memory_is_the_highest_of_its_blocks_and_ignores_what_runs_between(peak):
    memory = PeakMemory(peak.device)
    for inside, between in ((20, 5000), (30, 7000), (10, 0)):
        with memory:
            peak.allocate(inside)
        peak.allocate(between)
    assert memory.megabytes == 130


def test_peak_memory_is_without_what_others_hold_on_a_gpu(peak):
    memory = PeakMemory(peak.device, besides=25)
    with memory:
        peak.allocate(20)
    assert memory.megabytes == (95 if peak.device.type == "cuda" else 120)


def test_peak_memory_is_unknown_where_it_cannot_be_reset(monkeypatch):
    monkeypatch.setattr(timing, "_reset_process_peak", lambda: False)
    with PeakMemory(CPU) as memory:
        pass
    assert memory.megabytes is None


def test_warm_up_ends_once_two_medians_agree_and_not_before(monkeypatch):
    def calls(durations) -> int:
        times = iter(durations)
        monkeypatch.setattr(timing, "timed", lambda work, device: (work(), next(times)))
        return len(warm_up(lambda: None, CPU))

    assert calls([1.0] * 99) == 2 * WINDOW
    assert calls([9.0] * WINDOW + [5.0] * WINDOW + [1.0] * 99) == 4 * WINDOW
    assert calls(2.0**-n for n in range(99)) == WINDOW * WINDOWS
