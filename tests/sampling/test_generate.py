from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch

from samplerbench.methods import (
    EXCESS,
    UNANNOUNCED,
    ContractError,
    Method,
    Sampler,
    get,
    get_guidance,
    get_recipe,
    sample,
)
from samplerbench.sampling.generate import Generation, generate, generate_batches, initial_noise, labels_for
from samplerbench.sampling.noise import ImageNoise, image_labels


@dataclass(frozen=True)
class Levels(Method):
    """Yields eight constant images, whatever the number of steps."""

    recipe = "flow"
    adaptive = True

    def steps(self, field, x, times, noise):
        yield from (torch.full_like(x, level) for level in range(8))


@dataclass(frozen=True)
class Endless(Method):
    """Evaluates the network for ever, everywhere or on more than one pixel only."""

    where: str

    recipe = "flow"

    def steps(self, field, x, times, noise):
        now, *_ = field.path.along(times)
        for _ in times[1:]:
            field(x, now)
            while self.where == "everywhere" or x.shape[-1] > 1:
                field(x, now)
            yield x


def test_an_adaptive_method_runs_to_its_last_state_however_many_it_yields(flow_network):
    run = Generation(Sampler(Levels(), None), flow_network, ImageNoise(0, range(2)))
    segments = 1
    while run.advance():
        segments += 1
    assert run.images.unique().tolist() == [7]
    assert segments == 2


@pytest.mark.parametrize("where", ["everywhere", "on images"])
def test_a_method_that_evaluates_without_end_is_stopped(where, flow_network):
    """In the dry run, which counts; or in the run itself, at ten times the count."""
    run = lambda: generate(Sampler(Endless(where), 2), flow_network, ImageNoise(0, range(3)))  # noqa: E731
    counted = {"everywhere": UNANNOUNCED, "on images": EXCESS * 2 * 3}[where]
    with pytest.raises(ContractError, match=f"more than {counted} evaluations in one run"):
        run()


@pytest.mark.parametrize(
    ("spec", "steps", "lengths"),
    [
        ("flow", 1, [1]),
        ("flow", 2, [1, 1]),
        ("flow", 5, [2, 2, 1]),
        ("flow", 50, [17, 17, 16]),
        ("flow", 200, [34] * 5 + [30]),
        ("flow[solver=midpoint]", 25, [18, 18, 14]),
    ],
)
def test_a_run_pauses_once_in_twenty_evaluations_and_at_least_twice(spec, steps, lengths, flow_network):
    run = Generation(Sampler(get(spec), steps), flow_network, ImageNoise(0, range(1)))
    counts = [0]
    with torch.inference_mode():
        while run.advance():
            counts.append(int(run.nfe))
    assert [after - before for before, after in pairwise(counts)] == lengths
    assert run.pauses == len(lengths) - 1


def test_images_are_those_of_the_method_run_by_hand(ddpm_network):
    recipe, noise = get_recipe("ddpm"), ImageNoise(3, range(4))
    field = ddpm_network.field(ddpm_network.net, image_labels(3, range(4), 10))
    with torch.inference_mode():
        expected = sample(get("ddpm"), field, noise(torch.empty(4, 1, 8, 8)), 3, noise)
    run = generate(Sampler(get("ddpm"), 3, trained=recipe), ddpm_network, ImageNoise(3, range(4)))
    torch.testing.assert_close(run.images, expected, rtol=0, atol=0)
    assert torch.equal(run.labels, image_labels(3, range(4), 10))


def test_evaluations_are_counted_and_timed(flow_network):
    run = generate(Sampler(get("flow[solver=heun]"), 3), flow_network, ImageNoise(0, range(5)))
    assert (run.nfe, run.network.evaluations) == (6, 30)
    assert len(run.stopwatch.seconds()) == 6, "one lap for each call"


def test_batches_of_any_size_give_the_same_images(flow_network):
    sampler = Sampler(get("dpmpp_2m"), 3, trained=get_recipe("flow"))
    together = generate(sampler, flow_network, ImageNoise(2, range(7))).images
    runs = list(generate_batches(sampler, flow_network, 2, 7, batch_size=3))
    assert [len(run.images) for run in runs] == [3, 3, 1]
    torch.testing.assert_close(torch.cat([run.images for run in runs]), together, rtol=1e-4, atol=1e-4)


# On the straight path four uniform steps start at sigma / alpha = inf, 3, 1, 0.33.
@pytest.mark.parametrize(("spec", "each"), [("cfg", 8), ("cfg[high=1]", 6), ("auto", 8), ("classifier", 4)])
def test_guided_images_are_the_same_at_any_batch_size_and_their_evaluations_are_counted(spec, each, guided_network):
    sampler = Sampler(get("dpmpp_2m"), 4, "uniform", get_guidance(spec), get_recipe("flow"))

    def images(indices):
        run = generate(sampler, guided_network, ImageNoise(0, indices))
        assert run.network.evaluations == each * len(indices)
        assert len(run.stopwatch.seconds()) == each
        return run.images

    together = images(range(6))
    torch.testing.assert_close(torch.cat([images(range(4)), images(range(4, 6))]), together, rtol=1e-4, atol=1e-4)


def test_autoguidance_extrapolates_from_the_weaker_network(guided_network):
    def images(spec):
        sampler = Sampler(get("flow"), 1, guidance=get_guidance(spec))
        return generate(sampler, guided_network, ImageNoise(0, range(3))).images

    strong, weak, beyond = (images(f"auto[weight={weight}]") for weight in (1, 0, 2.5))
    assert (strong - weak).abs().mean() > 0.01
    torch.testing.assert_close(beyond, weak + 2.5 * (strong - weak), rtol=1e-4, atol=1e-4)


def test_the_state_is_single_precision_or_better(flow_network, load):
    low, exact = replace(flow_network, dtype=torch.bfloat16), load("flow", "mixture")
    for network, dtype in ((low, torch.float32), (flow_network, torch.float32), (exact, torch.float64)):
        assert initial_noise(network, ImageNoise(0, range(2))).dtype == dtype


def test_a_low_precision_network_is_called_in_its_own(flow_network):
    low = replace(flow_network, net=deepcopy(flow_network.eager).bfloat16(), dtype=torch.bfloat16)
    seen = []
    low.net.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
    run = generate(Sampler(get("flow"), 2), low, ImageNoise(0, range(2)))
    assert seen == [(torch.bfloat16, torch.bfloat16)] * 2
    assert run.images.dtype == torch.float32


def test_a_network_without_classes_has_no_labels(flow_network, load):
    assert labels_for(load("flow", "mixture"), ImageNoise(0, range(3))) is None
    assert torch.equal(labels_for(flow_network, ImageNoise(5, range(3))), image_labels(5, range(3), 10))


def test_balanced_labels_follow_the_index_of_the_image(flow_network):
    balanced = replace(flow_network, balanced=True)
    assert labels_for(balanced, ImageNoise(5, range(8, 12))).tolist() == [8, 9, 0, 1]
    assert torch.equal(
        labels_for(balanced, ImageNoise(6, range(8, 12))), labels_for(balanced, ImageNoise(5, range(8, 12)))
    )
