from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import to_uint8
from samplerbench.methods import Method, Sampler, get, get_guidance
from samplerbench.sampling import timing
from samplerbench.sampling.generate import generate
from samplerbench.sampling.measure import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    PICTURED,
    Measurement,
    NotFinite,
    Round,
    measure,
)
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.sampling.round import is_noisy
from samplerbench.sampling.timing import WINDOW
from samplerbench.statistics import half_width_of_trimmed, trimmed

FLOW = Sampler(get("flow"), 2)


def measured(sampler, network, batch_size, samples, seeds=(0,), timing=False) -> tuple[Measurement, list]:
    """The measurement of a cell, and its batches."""
    found = Measurement(batch_size)
    return found, list(measure(sampler, network, found, samples, seeds, timing))


@pytest.fixture
def seconds(clock, flow_network):
    """Seconds that a call of the network takes on the fake clock, as a list of one to be changed."""
    seconds = [1.0]
    handle = flow_network.eager.register_forward_hook(lambda *_: clock.advance(seconds[0]))
    yield seconds
    handle.remove()


# What is generated


def test_every_image_of_every_block_is_yielded_once_with_its_label(flow_network):
    found, batches = measured(FLOW, flow_network, 4, 10, seeds=(3, 1))
    assert [(batch.block, batch.indices) for batch in batches] == [
        (3, range(4)), (3, range(4, 8)), (3, range(8, 10)), (1, range(4)), (1, range(4, 8)), (1, range(8, 10)),
    ]  # fmt: skip
    for block in (3, 1):
        images = to_uint8(generate(FLOW, flow_network, ImageNoise(block, range(10))).images)
        ours = torch.cat([batch.images for batch in batches if batch.block == block])
        assert (ours.int() - images.int()).abs().max() <= 1, "rounded otherwise in another batch size"
        labels = torch.cat([batch.labels for batch in batches if batch.block == block])
        assert torch.equal(labels, image_labels(block, range(10), 10))
    assert found.evaluations == [2.0] * 6
    assert (found.rounds, found.peak_memory_mb, found.gflops_per_image) == ([], None, None)


def test_the_first_images_of_the_first_block_are_kept(flow_network):
    found, batches = measured(FLOW, flow_network, 20, 20, seeds=(2, 0))
    assert torch.equal(found.pictured, batches[0].images[:PICTURED])
    found, batches = measured(FLOW, flow_network, 20, 3)
    assert torch.equal(found.pictured, batches[0].images), "not those that fill the batch up"


def test_exact_images_are_not_quantised_and_have_no_labels(load):
    network = load("flow", "mixture")
    found, (batch,) = measured(FLOW, network, 4, 4)
    expected = generate(FLOW, network, ImageNoise(0, range(4))).images
    torch.testing.assert_close(batch.images, expected, rtol=0, atol=0)
    assert batch.images.dtype == torch.float64
    assert batch.labels is None
    assert torch.equal(found.pictured, to_uint8(expected))


def test_nan_and_infinite_images_are_an_error_that_counts_them(flow_network):
    @dataclass(frozen=True)
    class Explodes(Method):
        recipe, step_counts = "flow", (1,)

        def steps(self, field, x, times, noise):
            values = torch.tensor([0.0, torch.nan, torch.inf, -1.0])
            yield x + values[: len(x)].view(-1, 1, 1, 1)

    with pytest.raises(NotFinite, match="2 of 4 images are not finite"):
        measured(Sampler(Explodes(), 1), flow_network, 4, 4)


def test_progress_ends_where_it_was_expected_to(flow_network):
    found = Measurement(40)
    seen = [found.progress.evaluations for _ in measure(FLOW, flow_network, found, 80, (0,), False)]
    assert found.progress.expected == 160
    assert seen == [80, 160]


def test_progress_is_visible_while_a_batch_runs(flow_network):
    found, seen = Measurement(4), []
    handle = flow_network.eager.register_forward_hook(lambda *_: seen.append(found.progress.evaluations))
    try:
        for _ in measure(FLOW, flow_network, found, 8, (0,), False):
            pass
    finally:
        handle.remove()
    assert seen[-4:] == [4, 8, 12, 16]
    assert set(seen[:-4]) == {0}, "the image that is drawn twice does not count"


def test_an_adaptive_method_has_no_expected_evaluations(flow_network):
    sampler = Sampler(get("flow[solver=dopri5,rtol=0.1,atol=0.1]"))
    found, _ = measured(sampler, flow_network, 2, 2)
    assert found.progress.expected is None
    assert found.nfe >= 7


@pytest.mark.parametrize("rounds", [MIN_ROUNDS, MAX_ROUNDS])
def test_rounds_beyond_the_images_are_expected_too(rounds, flow_network, seconds, monkeypatch):
    monkeypatch.setattr(Measurement, "needs_another_round", lambda found: len(found.rounds) < rounds)
    found, _ = measured(FLOW, flow_network, 2, 2, timing=True)
    assert found.progress.expected == found.progress.evaluations == 2 * 2 * rounds


# What is timed


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize(("latency", "rounds"), [(0.1, MAX_ROUNDS), (100.0, MIN_ROUNDS)])
def test_the_first_latency_decides_the_number_of_rounds_and_their_spread_does_not(latency, rounds, spread):
    found = Measurement(1)
    while found.needs_another_round():
        seconds = latency * (1 + spread * (-1) ** len(found.rounds))
        found.rounds.append(Round(seconds, latency, latency, 1))
    assert len(found.rounds) == rounds


@pytest.mark.parametrize("latency", [0.1, 100.0])
def test_intervals_of_the_ratio_cover_95_percent(latency):
    """Rounds that ended once the ratios agreed covered 90 %. The error of a share of 1000 is 0.7 %."""
    noise, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        found = Measurement(1)
        while found.needs_another_round():
            found.rounds.append(Round(latency * noise.normal(1, 0.03), latency, latency, 1))
        ratios = found.column("overhead")
        covered += abs(trimmed(ratios).mean - 1) <= half_width_of_trimmed(ratios)
    assert 930 <= covered <= 970


def test_a_single_batch_is_timed_for_several_rounds(flow_network, seconds):
    found, batches = measured(FLOW, flow_network, 2, 2, timing=True)
    assert len(batches) == 1
    assert len(found.rounds) == MIN_ROUNDS
    assert found.evaluations == [2.0], "of the scored batch alone"


def test_a_cell_without_seed_blocks_is_only_timed(flow_network, seconds):
    found, batches = measured(FLOW, flow_network, 2, 2, seeds=(), timing=True)
    assert batches == []
    assert len(found.rounds) == MIN_ROUNDS
    assert found.progress.expected == found.progress.evaluations == 2 * 2 * MIN_ROUNDS


def test_a_sampler_with_randomness_of_its_own_is_found_out(flow_network):
    @dataclass(frozen=True)
    class Global(Method):
        recipe = "flow"

        def steps(self, field, x, times, noise):
            for _ in times[1:]:
                x = x + 0.1 * torch.randn_like(x)
                yield x

    found, _ = measured(Sampler(Global(), 2), flow_network, 4, 4)
    assert found.redraw_difference > 0.1
    for spec in ("ddpm", "flow", "flow[solver=dopri5,rtol=0.1,atol=0.1]"):
        sampler = Sampler(get(spec), None if "dopri5" in spec else 4)
        assert measured(sampler, flow_network, 4, 4)[0].redraw_difference == 0


def test_bare_forwards_run_before_and_after_the_sampler_in_turn(monkeypatch, flow_network):
    order = []

    @dataclass(frozen=True)
    class Watched(Method):
        name, recipe, step_counts = "watched", "flow", (1,)

        def steps(self, field, x, times, noise):
            order.append("cell")
            yield x

    monkeypatch.setattr("samplerbench.sampling.measure.timed", lambda work, device: (work(), 1.0))
    for before in ("_warm_up", "redraw_difference"):
        monkeypatch.setattr(f"samplerbench.sampling.measure.{before}", lambda *_: None)
    sampler = Sampler(Watched(), 1)
    assert sampler.nfe == 0  # counted once, in a dry run
    order.clear()
    handle = flow_network.eager.register_forward_hook(lambda *_: order.append("bare"))
    try:
        for _ in measure(sampler, flow_network, Measurement(2), 8, (0,), True):
            order.append("|")
    finally:
        handle.remove()
    rounds = "".join(event[0] for event in order).lstrip("b").split("|")
    assert [r.strip("b").count("c") for r in rounds[:4]] == [1] * 4
    assert order[: order.index("|")].index("cell") > 0, "the first round begins with a bare forward"
    second = order[order.index("|") + 1 :]
    assert second[0] == "cell", "the second with the sampler"


def test_ratios_of_a_method_that_takes_no_time_itself_are_one(flow_network, seconds):
    found, _ = measured(Sampler(get("flow"), 5), flow_network, 4, 8, timing=True)
    speed = found.speed()
    assert (speed["latency_s"], speed["latency_iqr_s"], speed["forward_s"]) == (5.0, 0.0, 1.0)
    assert (speed["overhead_ratio"], speed["inner_ratio"], speed["noisy"]) == (1.0, 1.0, "false")
    assert speed["images_per_s"] == 4 / 5
    assert found.warmup_s == (1 + 2 * WINDOW) + 1, "forwards, and the shortest run"
    assert found.compile_s is None, "nothing is compiled"


def test_the_inner_ratio_sees_a_slow_sampler_through_any_noise(flow_network, clock, seconds):
    """Each call of the network takes another time, and the sampler a fifth of it."""
    machine = torch.Generator().manual_seed(0)

    @dataclass(frozen=True)
    class Slow(Method):
        name, recipe = "slow", "flow"

        def steps(self, field, x, times, noise):
            for now, _ in pairwise(field.path.along(times)):
                seconds[0] = 1 + torch.rand(1, generator=machine).item()
                field(x, now)
                clock.advance(0.2 * seconds[0])
                yield x

    found, _ = measured(Sampler(Slow(), 5), flow_network, 2, 4, timing=True)
    assert found.column("inner") == pytest.approx([1.2] * len(found.rounds))
    assert len(set(found.column("overhead"))) == len(found.rounds), "the bare forwards see the noise"
    speed = found.speed()
    assert speed["inner_ratio"] == pytest.approx(1.2)
    assert speed["overhead_ratio"] == pytest.approx(speed["latency_s"] / (5 * speed["forward_s"]))


def test_a_method_that_calls_no_network_has_no_ratio(flow_network, clock, seconds):
    @dataclass(frozen=True)
    class Idle(Method):
        recipe, step_counts = "flow", (1,)

        def steps(self, field, x, times, noise):
            clock.advance(1)
            yield x

    found, _ = measured(Sampler(Idle(), 1), flow_network, 2, 2, timing=True)
    assert found.nfe == 0
    speed = found.speed()
    assert isnan(speed["overhead_ratio"])
    assert isnan(speed["inner_ratio"])
    assert speed["noisy"] == "true"


def test_a_ratio_is_noisy_if_its_interval_is_wider_than_half_the_gates_margin():
    steady, shaken = [1.0, 1.01, 0.99, 1.0, 1.0], [1.0, 1.4, 0.7, 1.2, 0.9]
    assert not is_noisy(steady)
    assert is_noisy(shaken)
    assert is_noisy([1.0]), "its interval is undefined"


def test_a_ratio_below_one_is_noisy_however_well_its_rounds_agree():
    assert is_noisy([0.73, 0.74, 0.73, 0.72])
    assert not is_noisy([0.99, 0.995, 0.985, 0.99]), "a bare forward waits for the device"


def test_peak_memory_excludes_what_happens_between_batches(flow_network, monkeypatch):
    """What the scorer allocates while it holds a batch would otherwise be the sampler's."""
    peak = [100.0]
    monkeypatch.setattr(timing, "_reset_process_peak", lambda: peak.__setitem__(0, 100.0) or True)
    monkeypatch.setattr(timing, "_process_peak", lambda: peak[0])
    found = Measurement(4)
    handle = flow_network.eager.register_forward_hook(lambda *_: peak.__setitem__(0, max(peak[0], 130.0)))
    try:
        for _ in measure(FLOW, flow_network, found, 16, (0,), True):
            peak[0] = 5000.0
    finally:
        handle.remove()
    assert found.peak_memory_mb == 130


def test_operations_are_those_of_a_forward_for_every_evaluation(flow_network, seconds):
    two, four = (measured(Sampler(get("flow"), n), flow_network, 2, 2, timing=True)[0] for n in (2, 4))
    x, t = torch.zeros(1, 1, 8, 8), torch.full((1,), 0.5)
    forward = timing.gflops(lambda: flow_network.eager(x, t, torch.zeros(1, dtype=torch.int64)))
    assert two.gflops_per_image == pytest.approx(2 * forward)
    assert four.gflops_per_image == pytest.approx(4 * forward)


def test_operations_of_guidance_are_those_of_every_network_that_works(guided_network, monkeypatch):
    monkeypatch.setattr("samplerbench.sampling.measure.MIN_ROUNDS", 1)
    monkeypatch.setattr("samplerbench.sampling.measure.MAX_ROUNDS", 1)
    monkeypatch.setattr("samplerbench.sampling.measure._warm_up", lambda *_: None)

    def each(spec):
        """GFLOPs of one evaluation."""
        found, _ = measured(Sampler(get("flow"), 2, guidance=get_guidance(spec)), guided_network, 2, 2, timing=True)
        return found.gflops_per_image / found.nfe

    assert each("2") == each("1")
    assert 0.5 * each("1") < each("auto") < 0.9 * each("1"), "the weaker network is smaller"
    assert each("classifier[scale=0]") == pytest.approx(each("1"))
    assert each("classifier") > 1.1 * each("1"), "a gradient is work, though no evaluation"
