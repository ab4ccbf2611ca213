"""What each recipe trains, against closed forms."""

from itertools import permutations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from samplerbench.data.datasets import DATASETS
from samplerbench.methods import RECIPES, Field, get, get_recipe, sample
from samplerbench.methods.recipes.ot_flow import paired
from samplerbench.methods.recipes.vdm import MonotoneSchedule
from samplerbench.methods.stochastic.improved_ddpm import divergence, std
from samplerbench.models import CheckpointError, UNet, UNetConfig, load, save
from samplerbench.networks.backbone import load_backbone
from samplerbench.sweep.plan import Sweep, expand, normalise
from samplerbench.training.plan import plan_training


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def given(*tensors: torch.Tensor):
    """A `Noise` that hands out these tensors in turn."""
    queue = iter(tensors)
    return lambda _: next(queue)


def test_pairing_is_the_cheapest_of_all_permutations_within_labels():
    x0, eps = drawn(12, 1, 2, 2), drawn(12, 1, 2, 2, seed=1)
    label = torch.tensor([0, 1, 0, 2, 1, 0, 0, 1, 0, 1, 0, 1])  # six, five, and one alone
    found = paired(x0, eps, label)
    for value in range(3):
        images, noises = x0[label == value], eps[label == value]
        costs = [(images - noises[list(order)]).square().sum() for order in permutations(range(len(images)))]
        torch.testing.assert_close((images - found[label == value]).square().sum(), min(costs))
        assert sorted(found[label == value].sum((1, 2, 3))) == sorted(noises.sum((1, 2, 3)))  # each noise once
    torch.testing.assert_close(paired(x0, x0.flip(0), None), x0, rtol=0, atol=0)


def test_ot_flow_is_flow_on_the_paired_noise():
    recipe, x0, noises = get_recipe("ot_flow"), drawn(8, 1, 2, 2), [drawn(8, 1, 2, 2, seed=1), drawn(8, seed=2)]

    def net(x, t, label=None):
        return x * t.view(-1, 1, 1, 1)

    field, label = Field(net, recipe.path, recipe.target), torch.arange(8) % 2
    loss = recipe.loss(field, x0, label, given(*noises), None)
    t, eps = torch.special.ndtr(noises[1]).view(-1, 1, 1, 1), paired(x0, noises[0], label)
    x = (1 - t) * x0 + t * eps
    torch.testing.assert_close(loss, (x * t - (eps - x0)).square().mean((1, 2, 3)))


def test_edm_is_table_1():
    """c_skip, c_out and c_in of the paper, at the noise levels that it trains on, for data of sigma_data."""
    recipe, s, seen = get_recipe("edm"), 0.5, []
    x0 = s * drawn(20_000, 1, 1, 1)

    def net(x, t, label=None):
        seen.append((x, t))
        return torch.zeros_like(x)

    noises = [drawn(20_000, seed=1), drawn(20_000, 1, 1, 1, seed=2)]
    loss = recipe.loss(Field(net, recipe.path, recipe.target), x0, None, given(*noises), None)

    ((x, t),) = seen
    (sigma,) = (moment.sigma / moment.alpha for moment in [recipe.path.at(t)])
    torch.testing.assert_close(sigma.log().flatten(), -1.2 + 1.2 * noises[0])
    y = x0 + sigma * noises[1]
    c_skip, c_out = s**2 / (sigma**2 + s**2), sigma * s / (sigma**2 + s**2).sqrt()
    torch.testing.assert_close(x, s * y / (sigma**2 + s**2).sqrt())
    expected = (x0 - c_skip * y) / c_out
    torch.testing.assert_close(loss, expected.square().flatten())
    assert (x.var() / s**2).item() == pytest.approx(1, abs=0.03)
    assert expected.var().item() == pytest.approx(1, abs=0.03)


def test_the_learned_variances_divergence_is_that_of_two_normals():
    path = get_recipe("improved_ddpm").path
    now, then = path.at(torch.tensor([0.3, 0.8]).double()), path.at(torch.tensor([0.25, 0.5]).double())
    x0, predicted, eps = (drawn(2, 1, 3, 3, seed=seed) for seed in range(3))
    output = torch.tanh(drawn(2, 1, 3, 3, seed=3))

    r = now.alpha / then.alpha
    beta = now.sigma**2 - (r * then.sigma) ** 2

    def posterior(x0, std):
        x = now.alpha * x0_true + now.sigma * eps
        return Normal((r * then.sigma**2 * x + then.alpha * beta * x0) / now.sigma**2, std)

    x0_true, small = x0, beta.sqrt() * then.sigma / now.sigma
    learned = torch.exp((1 + output) / 2 * beta.sqrt().log() + (1 - output) / 2 * small.log())
    expected = kl_divergence(posterior(x0, small.expand_as(x0)), posterior(predicted, learned))
    torch.testing.assert_close(divergence(x0, predicted, output, now, then), expected)


def test_only_the_variance_learns_from_the_bound():
    recipe, x0 = get_recipe("improved_ddpm"), drawn(16, 1, 4, 4)
    output = torch.zeros(16, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    states = []

    def net(x, t, label=None):
        states.append(recipe.path.at(t))
        return output

    noises = [drawn(16, seed=1), drawn(16, 1, 4, 4, seed=2)]
    recipe.loss(Field(net, recipe.path, "v"), x0, None, given(*noises), None).sum().backward()
    (now,) = states
    v = now.alpha * noises[1] - now.sigma * x0
    torch.testing.assert_close(output.grad[:, :1], -2 * v / 16)  # of the mean square over 16 pixels, at v = 0
    assert (output.grad[:, 1:] != 0).all()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize(("output", "variance"), [(-1.0, "small"), (1.0, "large")])
def test_at_its_ends_the_learned_variance_is_ddpms(output, variance, gaussian):
    path, x = get_recipe("improved_ddpm").path, drawn(3, 1, 4, 4)
    mean = gaussian.field(path, "v")

    def net(x, t, label=None):
        return torch.cat((mean.net(x, t), torch.full_like(x, output)), dim=1)

    noises = [drawn(3, 1, 4, 4, seed=seed) for seed in range(1, 7)]
    ours = sample(get("improved_ddpm"), Field(net, path, "v"), x, 7, given(*noises))
    ddpm = sample(get(f"ddpm[variance={variance}]"), mean, x, 7, given(*noises))
    torch.testing.assert_close(ours, ddpm)


def test_the_learned_variance_lies_between_in_logarithm():
    now, then = get_recipe("improved_ddpm").path.along(torch.tensor([0.6, 0.4]))
    small, middle, large = (std(torch.tensor(value, dtype=torch.float64), now, then) for value in (-1, 0, 1))
    assert small < middle < large
    torch.testing.assert_close(middle**2, small * large)


@pytest.mark.parametrize(("options", "word"), [({"recipe": "flow"}, "flow"), ({"dataset": "mixture"}, "closed form")])
def test_a_method_that_reads_a_variance_skips_a_network_without_one(options, word):
    (job,) = expand(normalise(Sweep(methods="improved_ddpm", **options)))
    assert f"{word} has none" in job.skip


def test_a_network_with_two_outputs_is_read_as_one_by_every_other_method():
    recipe = get_recipe("improved_ddpm")
    net = UNet(UNetConfig(channels=8, blocks=1, outputs=2)).eval()
    torch.nn.init.normal_(net.conv_out.weight, std=0.1)
    x, both = torch.randn(2, 1, 8, 8), Field(net, recipe.path, recipe.target)
    alone = Field(lambda *inputs: net(*inputs)[:, :1], recipe.path, recipe.target)
    for spec in ("ddim", "dpmpp_2m"):
        images = [sample(get(spec), field, x, 3, None) for field in (both, alone)]
        torch.testing.assert_close(*images, rtol=0, atol=0)
    assert both(x, recipe.path.along(torch.ones(1))[0]).clipped().extra.shape == x.shape


def bent(**options) -> MonotoneSchedule:
    path = MonotoneSchedule(units=4, **options)
    torch.nn.init.constant_(path.heights, 3.0)
    torch.nn.init.constant_(path.shifts, -2.0)
    return path


@pytest.mark.parametrize("path", [MonotoneSchedule(start=-6.0), bent(start=-6.0)], ids=["straight", "bent"])
def test_the_variational_bound_of_a_gaussian_depends_on_the_ends_alone(path, gaussian):
    """1/2 integral of the posterior variance of eps over gamma = 1/2 ln((1 + s^2 SNR_0) / (1 + s^2 SNR_1)) a pixel."""
    count = 40_000
    x0 = gaussian.mean + gaussian.std * drawn(count, 1, 4, 4)
    times = torch.special.ndtri((torch.arange(count, dtype=torch.float64) + 0.5) / count)  # evenly over t
    path.requires_grad_(False)
    noise = given(times, drawn(count, 1, 4, 4, seed=1))
    bound = get_recipe("vdm").loss(gaussian.field(path), x0, None, noise, None)
    first, last = path.log_snr(torch.tensor([0.0, 1.0]).double()).exp()
    expected = ((1 + gaussian.std**2 * first) / (1 + gaussian.std**2 * last)).log().mean() / 2
    assert bound.mean().item() == pytest.approx(expected.item(), rel=0.01)


def test_the_schedule_descends_the_bounds_variance_and_the_network_its_mean():
    recipe, path, x0 = get_recipe("vdm"), bent(), drawn(32, 1, 2, 2)
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    parameters = [weight, *path.parameters()]

    def bound():
        field = Field(lambda x, t, label=None: weight * x, path, recipe.target)
        return recipe.loss(field, x0, None, given(drawn(32, seed=1), drawn(32, 1, 2, 2, seed=2)), None)

    found = torch.autograd.grad(bound().mean(), parameters)
    # By central differences, since the loss has its gradients changed.
    for index, parameter in enumerate(parameters):
        flat, step = parameter.data.view(-1), 1e-3
        values = []
        for sign in (1, -1):
            flat[0] += sign * step
            values.append(bound().detach())
            flat[0] -= sign * step
        middle = bound().detach().mean()
        measure = torch.mean if index == 0 else lambda values, scale=middle: values.square().mean() / scale**2
        slope = (measure(values[0]) - measure(values[1])) / (2 * step)
        torch.testing.assert_close(found[index].view(-1)[0], slope.to(parameter.dtype), rtol=1e-2, atol=1e-6)


def test_a_learned_schedule_travels_with_its_checkpoint(tmp_path):
    training = plan_training("vdm", "digits", str(tmp_path), False, "cpu", None, False, iterations=2, batch_size=4)
    assert list(training.run()) == []  # too short for a row of the loss curve
    where = (str(tmp_path), torch.device("cpu"), torch.float32, False)
    backbone = load_backbone("vdm", DATASETS.get("digits"), *where)
    shift, first = backbone.path.shifts, get_recipe("vdm").path.shifts
    assert 0 < (shift - first).abs().max() < 0.1
    assert backbone.field(None).path is backbone.path

    checkpoint = load(training.output)
    kept = {key: value for key, value in checkpoint.weights.items() if key != "path.shifts"}
    save(training.output, kept, checkpoint.metadata)
    with pytest.raises(CheckpointError, match="learned path of vdm"):
        load_backbone("vdm", DATASETS.get("digits"), *where)


@pytest.mark.parametrize("name", RECIPES.names())
@pytest.mark.parametrize("spec", ["heun", "dpmpp_2m", "ddim"])
def test_any_sampler_follows_the_exact_flow_on_every_recipes_path(name, spec, gaussian):
    recipe, x = get_recipe(name), drawn(50, 1, 4, 4)
    images = sample(get(spec), gaussian.field(recipe.path, recipe.target), x, 100, None, "logsnr")
    exact = gaussian.flow(recipe.path, recipe.path.prior_std * x, 1.0, 0.0)
    error = (images - exact).square().mean().sqrt().item()
    assert error < (0.05 if spec == "ddim" else 0.01)
