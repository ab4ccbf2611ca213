"""What students are trained on and how they sample, against closed forms: on a Gaussian every flow map is known."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

import samplerbench.training.run as fit_module
from samplerbench.data.datasets import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import METHODS, RECIPES, Field, Linear, SpecError, get, get_recipe, sample
from samplerbench.methods.students.bespoke import COUNTS, NonStationary
from samplerbench.methods.students.meanflow import derivative
from samplerbench.methods.students.reflow import u_shaped
from samplerbench.models import PRESETS, CheckpointError, UNet, load, save
from samplerbench.networks.backbone import load_backbone
from samplerbench.sweep.plan import Sweep, expand, normalise
from samplerbench.sweep.session import Session
from samplerbench.training.pairs import Pairs
from samplerbench.training.plan import plan_chain, plan_training
from samplerbench.training.tasks import recipe_loss
from samplerbench.training.teacher import begin_with, load_teacher

PATH = Linear()
STUDENTS = [name for name in RECIPES.names() if get_recipe(name).student]
SAMPLERS = [name for name in METHODS.names() if get_recipe(get(name).recipe).student and name != "bespoke"]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise_from(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


def mapped(gaussian, x, t, s):
    """Where the flow takes x from the times t to the times s (B,)."""
    now, then = PATH.at(t), PATH.at(s)
    std = [((m.alpha * gaussian.std) ** 2 + m.sigma**2).sqrt() for m in (now, then)]
    return then.alpha * gaussian.mean + std[1] / std[0] * (x - now.alpha * gaussian.mean)


def average(gaussian, x, t, s):
    """The mean velocity from t to s (B,), in closed form; the velocity itself where they are equal."""
    gap = (t - s).view(-1, 1, 1, 1)
    mean = (x - mapped(gaussian, x, t, s)) / gap.clamp(min=1e-12)
    velocity = gaussian.field(PATH, "velocity")(x, PATH.at(t)).p
    return torch.where(gap > 0, mean, velocity)


def perfect(gaussian, name: str, steps: int) -> Field:
    """The network that a student strives to be."""

    def to_the_end(x, t, *_):
        return average(gaussian, x, t, torch.zeros_like(t))

    def one_step(x, t, *_):
        return average(gaussian, x, t, (t - 1 / steps).clamp(min=0))

    def straight(x, t, *_):
        """The velocity eps - x0 of the lines between noise and its image."""
        now, end = PATH.at(t), gaussian.mean
        eps = (x - now.alpha * end) / (now.alpha * gaussian.std + now.sigma)
        return eps - (end + gaussian.std * eps)

    def interval(x, t, label, s):
        return average(gaussian, x, t, s)

    net = {"progressive": one_step, "reflow": straight, "meanflow": interval, "shortcut": interval}.get(
        name, to_the_end
    )
    return Field(net, PATH, "velocity", interval=net is interval)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_a_perfect_student_makes_of_noise_what_the_flow_makes(name, steps, gaussian):
    method = get(name)
    if method.step_counts and steps not in method.step_counts:
        pytest.skip("it cannot take as many")
    x, noise = drawn(4000, 1, 4, 4), noise_from(1)
    images = sample(method, perfect(gaussian, name, steps), x, steps, noise)
    if steps == 1 or name != "consistency":
        torch.testing.assert_close(images, gaussian.flow(PATH, x, 1.0, 0.0), rtol=1e-6, atol=1e-6)
    else:  # between steps these draw noise: the same distribution, other images
        torch.testing.assert_close(images.mean(0, keepdim=True), gaussian.mean, rtol=0, atol=0.08)
        torch.testing.assert_close(images.std(0, keepdim=True), gaussian.std, rtol=0.06, atol=0)


@pytest.mark.parametrize(
    ("name", "said"), [("knowledge", "1 step only"), ("bespoke", "1, 2, 3, 4, 5, 6, 8 or 10 steps")]
)
def test_a_number_of_steps_that_was_not_learnt_is_refused(name, said, gaussian):
    with pytest.raises(SpecError, match=f"{name} cannot take 7 steps: it takes {said}"):
        sample(get(name), perfect(gaussian, name, 1), drawn(1, 1, 4, 4), 7, None)


@pytest.mark.parametrize("found", [{"recipe": "ddpm"}, {"recipe": None}])
def test_a_checkpoint_of_another_recipe_is_no_teacher(found, tmp_path):
    checkpoint = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint
    metadata = {key: value for key, value in (checkpoint.metadata | found).items() if value}
    save(tmp_path / "digits/flow.safetensors", checkpoint.weights, metadata)
    with pytest.raises(CheckpointError, match="not for flow on digits"):
        load_teacher("flow", DATASETS.get("digits"), str(tmp_path), torch.device("cpu"))


def paired(gaussian, count: int):
    eps = drawn(count, 1, 4, 4)
    return gaussian.flow(PATH, eps, 1.0, 0.0), eps


@pytest.mark.parametrize("name", ["knowledge", "reflow_distilled", "reflow", "progressive", "meanflow", "shortcut"])
def test_a_perfect_student_has_no_loss(name, gaussian):
    recipe, teacher = get_recipe(name), gaussian.field(PATH, "velocity")
    x0, eps = paired(gaussian, 256)
    fresh = noise_from(2)
    noise = (lambda x: eps if x.shape == eps.shape else fresh(x)) if recipe.pairs else fresh
    if name == "progressive":  # the teacher takes steps of half the size, exactly
        recipe, teacher = replace(recipe, steps=4), perfect(gaussian, "progressive", 8)
    field = perfect(gaussian, name, 4)
    if name == "shortcut":  # but the smallest steps are two of Euler
        recipe = replace(recipe, instants=0.5)
    loss = recipe.loss(field, x0, None, noise, teacher)
    assert loss.shape == (256,)
    assert loss.max() < (2e-4 if name == "shortcut" else 1e-9)
    wrong = replace(field, net=lambda *inputs: field.net(*inputs) + 0.1)
    assert recipe.loss(wrong, x0, None, noise, teacher).mean() > 1e-3


def test_meanflows_derivative_is_that_of_the_mean_velocity_in_closed_form(gaussian):
    """d/dt [(t - s) u] = v along the path, so that (t - s) du/dt = v - u."""
    x, t, s = drawn(64, 1, 4, 4), torch.linspace(0.2, 1, 64, dtype=torch.float64), torch.full((64,), 0.1).double()
    velocity = gaussian.field(PATH, "velocity")(x, PATH.at(t)).p
    rate = derivative(perfect(gaussian, "meanflow", 1), x, t, s, None, velocity)
    gap = (t - s).view(-1, 1, 1, 1)
    torch.testing.assert_close(gap * rate, velocity - average(gaussian, x, t, s), rtol=1e-8, atol=1e-8)


def test_the_unet_has_that_derivative_too():
    """In forward mode through attention, against a central difference."""
    torch.manual_seed(0)
    net = UNet(replace(PRESETS["digits"], **get_recipe("meanflow").network)).double().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.05)
    field, x, v = Field(net, PATH, "velocity", interval=True), drawn(2, 1, 8, 8), drawn(2, 1, 8, 8, seed=1)
    t, s, label, h = torch.tensor([0.9, 0.5]).double(), torch.tensor([0.2, 0.1]).double(), torch.tensor([1, 10]), 1e-5
    ends = [field(x + e * v, PATH.at(t + e), PATH.at(s), label=label).p for e in (h, -h)]
    found = derivative(field, x, t, s, label, v)
    # Times are embedded in float32, whose rounding the difference enlarges.
    torch.testing.assert_close(found, (ends[0] - ends[1]) / (2 * h), rtol=0, atol=0.02 * found.abs().max().item())


def test_the_consistency_function_of_a_gaussian_has_a_loss_that_falls_with_the_interval(gaussian):
    """The teacher's step is Euler's, so that the loss of the exact function is its error and nothing else."""
    teacher, losses = gaussian.field(PATH, "velocity"), []
    for count in (16, 32, 64):
        recipe = replace(get_recipe("consistency"), intervals=count, last=count, huber=0.0)
        loss = recipe.loss(perfect(gaussian, "consistency", 1), drawn(512, 1, 4, 4), None, noise_from(0), teacher)
        losses.append(loss.mean().item())
    # The error of a step falls with the square of its length: count * (count^-2)^2.
    ratios = [one / two for one, two in pairwise(losses)]
    assert ratios == pytest.approx([8, 8], rel=0.35)
    wrong = replace(gaussian.field(PATH, "velocity"))  # the velocity is no consistency function
    assert recipe.loss(wrong, drawn(512, 1, 4, 4), None, noise_from(0), teacher).mean() > 10 * losses[-1]


def test_consistency_training_takes_the_path_of_the_pair_itself(gaussian):
    recipe = replace(get_recipe("consistency_training"), intervals=4, last=4, huber=0.0)
    seen = []

    def net(x, t, *_):
        seen.append((x, t))
        return torch.zeros_like(x)

    x0, eps = drawn(32, 1, 4, 4), drawn(32, 1, 4, 4, seed=1)
    recipe.loss(
        Field(net, PATH, "velocity"), x0, None, lambda x: eps if x.shape == eps.shape else drawn(32, seed=2), None
    )
    for x, t in seen:
        torch.testing.assert_close(x, PATH.mix(x0, eps, PATH.at(t)))
    torch.testing.assert_close(seen[0][1] - seen[1][1], torch.full((32,), 0.25).double())


def test_the_discretisation_doubles_in_equal_parts():
    recipe = get_recipe("consistency[intervals=8,last=64]")
    counts = [recipe.during(share / 40).intervals for share in range(40)]
    assert [counts.count(count) for count in (8, 16, 32, 64)] == [10, 10, 10, 10]
    assert sorted(counts) == counts
    with pytest.raises(SpecError, match="last must be at least intervals, 4, not 2"):
        get_recipe("consistency[last=2]")


def test_reflow_straightens_from_round_to_round(gaussian):
    """Curvature: the mean square distance of the velocity from the line between the ends: 0 after one round."""
    eps, teacher = drawn(2000, 1, 4, 4), gaussian.field(PATH, "velocity")

    def curvature(field):
        ends = sample(get("flow[solver=rk4]"), field, eps, 32, noise_from(0)), eps
        times = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
        found = []
        for now in PATH.along(times):
            x = sample(get("flow[solver=rk4]"), field, eps, 32, noise_from(0)) if now.t == 0 else reached(field, now.t)
            found.append((field(x, now).p - (ends[1] - ends[0])).square().mean())
        return torch.stack(found).mean().item()

    def reached(field, t):
        *_, x = get("flow[solver=rk4]").steps(field, eps, torch.linspace(1, t, 33, dtype=torch.float64), None)
        return x

    assert curvature(teacher) > 0.05
    assert curvature(perfect(gaussian, "reflow", 1)) < 1e-12


@pytest.mark.parametrize("steps", COUNTS)
def test_a_bespoke_solver_begins_as_eulers(steps, gaussian):
    field = replace(gaussian.field(PATH, "velocity"), solver=NonStationary())
    x = drawn(8, 1, 4, 4)
    ours, eulers = (sample(get(name), field, x, steps, None) for name in ("bespoke", "flow"))
    torch.testing.assert_close(ours, eulers, rtol=1e-6, atol=1e-6)


def test_a_bespoke_solver_learns_the_flow_of_a_gaussian(gaussian):
    """Of three steps it has twelve numbers, enough for less than a tenth of Euler's error."""
    recipe, teacher, torch_solver = get_recipe("bespoke"), gaussian.field(PATH, "velocity"), NonStationary().double()
    field, noise = replace(teacher, solver=torch_solver), noise_from(0)
    optimiser = torch.optim.Adam(torch_solver.parameters(), 0.02)
    steps = torch.full((64,), -0.5).double()  # of the normal number that chooses among the counts: ndtr(-0.5) * 8 = 2.5
    for _ in range(400):
        eps = noise(torch.empty(64, 1, 4, 4, dtype=torch.float64))
        x0 = gaussian.flow(PATH, eps, 1.0, 0.0)
        loss = recipe.loss(field, x0, None, lambda x, eps=eps: eps if x.shape == eps.shape else steps, teacher)
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()
    assert loss.shape == (64,)
    x = drawn(256, 1, 4, 4, seed=9)
    exact = gaussian.flow(PATH, x, 1.0, 0.0)
    with torch.inference_mode():
        errors = [(sample(get(m), field, x, 3, None) - exact).square().mean().sqrt() for m in ("bespoke", "flow")]
    assert errors[0] < errors[1] / 10


def test_the_u_shape_has_its_density():
    a, t = 4.0, u_shaped(noise_from(0), torch.empty(200_000, 1, 1, 1, dtype=torch.float64), 4.0)
    edges = torch.linspace(0, 1, 11, dtype=torch.float64)
    shares = torch.histogram(t, edges).hist / len(t)
    total = (torch.exp(a * edges) - torch.exp(a * (1 - edges))) / (2 * (torch.tensor(a).exp() - 1))
    torch.testing.assert_close(shares, total.diff(), rtol=0, atol=4e-3)


def test_progressives_target_is_two_steps_of_its_teacher(gaussian):
    recipe, teacher = get_recipe("progressive[steps=2]"), gaussian.field(PATH, "velocity")
    seen = []

    def net(x, t, *_):
        seen.append((x, t))
        return torch.zeros_like(x)

    loss = recipe.loss(Field(net, PATH, "velocity"), drawn(64, 1, 4, 4), None, noise_from(0), teacher)
    (x, t), two = seen[0], get("ddim")
    for half in (1.0, 0.5):
        where = (t - half).abs() < 1e-9
        assert where.any()
        *_, end = two.steps(teacher, x[where], torch.tensor([half, half - 0.25, half - 0.5]).double(), None)
        torch.testing.assert_close(loss[where], ((x[where] - end) / 0.5).square().mean((1, 2, 3)))


def test_dmd_moves_images_towards_the_teachers_distribution(gaussian):
    """With the exact fake score of a shifted Gaussian descent moves its images back, and leaves right ones."""
    recipe, teacher = replace(get_recipe("dmd"), regression=0.0), gaussian.field(PATH, "velocity")

    class Net(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.shift = nn.Parameter(torch.tensor(shift, dtype=torch.float64))
            start = float(shift)
            self.critic = lambda x, t, *_: (
                replace(gaussian, mean=gaussian.mean + start).field(PATH, "velocity").net(x, t)
            )

        def forward(self, x, t, *_):
            at = torch.zeros_like(t)
            return (x - mapped(gaussian, x, t, at) - self.shift) / t.view(-1, 1, 1, 1)

    eps = drawn(2000, 1, 4, 4)
    x0, fresh = gaussian.flow(PATH, eps, 1.0, 0.0), noise_from(3)
    slopes = []
    for shift in (0.5, 0.0, -0.5):
        net = Net(shift)
        loss = recipe.loss(
            Field(net, PATH, "velocity"), x0, None, lambda x: eps if x.shape == eps.shape else fresh(x), teacher
        )
        loss.mean().backward()
        slopes.append(net.shift.grad.item())
    assert slopes[0] > 0.05
    assert abs(slopes[1]) < 0.01
    assert slopes[2] < -0.05


def test_a_student_begins_as_its_teacher():
    torch.manual_seed(0)
    teacher = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu"))
    x, t, label = torch.randn(4, 1, 8, 8), torch.rand(4), torch.arange(4)
    for name in ("reflow", "shortcut"):
        net = UNet(replace(PRESETS["digits"], **get_recipe(name).network)).eval()
        begin_with(net, teacher.unet)
        ends = (t / 2,) if net.config.interval else ()
        torch.testing.assert_close(net(x, t, label, *ends), teacher.unet(x, t, label))
    assert teacher.net.evaluations == 0


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(fit_module, "LOG_EVERY", 1)


def chain(recipe, folder, **options):
    where = {"dataset": "digits", "output": str(folder), "half": False, "device": "cpu", "data_root": None}
    return plan_chain(
        recipe, **where, download=False, **{"quarter": False, "seed": 0, "iterations": 2, "batch_size": 8} | options
    )


def test_stages_chain_and_go_on_where_they_stopped(tmp_path, short):
    names = ["progressive[steps=32]", "progressive[steps=16]", "progressive[steps=8]"]
    stages = chain("progressive[steps=8]", tmp_path)
    assert [stage.name for stage in stages] == names
    for stage in stages[:2]:
        list(stage.run())
    assert [stage.name for stage in chain("progressive[steps=8]", tmp_path)] == names[2:]
    list(stages[2].run())
    metadata = load(tmp_path / "digits/progressive[steps=8].safetensors").metadata
    assert (metadata["teacher"], metadata["origin"]) == (names[1], "flow")
    assert metadata["teacher_digest"] == load(tmp_path / f"digits/{names[1]}.safetensors").digest
    cost = json.loads(metadata["cost"])
    assert (cost["iterations"], cost["teacher_nfe"]) == (6, 3 * 2 * 2 * 8)
    assert cost["seconds"] > 0

    sweep = normalise(Sweep("progressive", steps="8,16,32", weights=str(tmp_path)))
    assert [job.recipe for job in expand(sweep)] == [names[2], names[1], names[0]]


def test_a_resumed_student_counts_what_it_had_spent_and_ends_with_the_same_weights(tmp_path, short):
    (whole,), (parts,) = chain("consistency", tmp_path / "whole"), chain("consistency", tmp_path / "parts")
    list(whole.run())
    run = parts.run()
    next(run)
    run.close()
    list(chain("consistency", tmp_path / "parts")[0].run())
    expected, found = load(whole.output), load(parts.output)
    for key, value in expected.weights.items():
        torch.testing.assert_close(found.weights[key], value, rtol=0, atol=0)
    assert (
        json.loads(found.metadata["cost"])["teacher_nfe"] == json.loads(expected.metadata["cost"])["teacher_nfe"] == 16
    )


def test_pairs_are_made_once_and_are_the_teachers(tmp_path, monkeypatch):
    import samplerbench.training.pairs as pairs_module

    monkeypatch.setattr(pairs_module, "CHUNK", 8)
    dataset, cpu = DATASETS.get("digits"), torch.device("cpu")

    def pairs():
        return Pairs(tmp_path, load_teacher("flow", dataset, None, cpu), dataset, 20, cpu)

    first = pairs()
    making = first.make()
    assert next(making)[0] == 8
    making.close()  # a kill
    again = pairs()
    assert [done for done, *_ in again.make()] == [16, 20]
    assert (again.cost.teacher_nfe, len(again)) == (400, 20)
    assert list(pairs().make()) == []

    images, labels, eps = again[torch.tensor([3, 17])]
    backbone = load_backbone("flow", dataset, None, cpu, torch.float32, False)
    exact = sample(get("flow[solver=rk4]"), backbone.field(labels), eps, 20, noise_from(0))
    assert (images - exact).square().mean().sqrt() < 0.03

    file = next(tmp_path.glob("*/images.npy"))
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(InputError, match="are damaged: remove the folder"):
        list(pairs().make())


def test_labels_of_pairs_stay():
    seen = []

    def net(x, t, label=None):
        seen.append(label)
        return x

    labels = torch.arange(500) % 10
    loss = recipe_loss(get_recipe("knowledge"), Field(net, PATH, "velocity"), classes=10, drop=0.5)
    loss(0.0, drawn(500, 1, 1, 1), labels, drawn(500, 1, 1, 1, seed=1))
    assert torch.equal(seen[0], labels)


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("flow", {"pairs": 10}, "--pairs has no effect on flow"),
        ("reflow", {"weak": True}, "reflow is a student: leave it out"),
        ("flow", {"half": True, "quarter": True}, "give one of them"),
    ],
)
def test_options_without_effect_are_refused(recipe, options, message):
    where = {"dataset": "digits", "output": None, "half": False, "device": "cpu", "data_root": None, "download": False}
    with pytest.raises(InputError, match=message):
        plan_training(recipe, **where | options)


def test_jumps_and_steps_find_the_networks_that_serve_them():
    jobs = expand(normalise(Sweep("knowledge,meanflow,progressive,ddim", steps="1,3")))
    assert [bool(job.skip) for job in jobs] == [False, True, False, False, False, True, False, False]
    assert "it takes 1 step only" in jobs[1].skip
    assert "it takes 1, 2, 4, 8, 16 or 32 steps only" in jobs[5].skip
    (job,) = expand(normalise(Sweep("meanflow", steps="1", recipe="flow")))
    assert "flow knows moments only" in job.skip
    (job,) = expand(normalise(Sweep("progressive", nfe="5")))
    assert (job.steps, job.recipe) == (4, "progressive[steps=4]")
    assert all(job.skip for job in expand(normalise(Sweep(SAMPLERS, steps="1", dataset="mixture"))))


def test_a_missing_stage_skips_its_row_alone(tmp_path):
    """A network under another name serves for the stages."""
    stage = load(load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint.path)
    save(tmp_path / "digits/progressive.safetensors", stage.weights, stage.metadata | {"recipe": "progressive"})
    options = {"samples": 70, "timing": False, "weights": str(tmp_path), "output": str(tmp_path / "run")}
    session = Session(Sweep("progressive", steps="1,16", **options))
    assert [bool(job.skip) for job in session.jobs] == [False, True]
    assert "bench train progressive[steps=16] --dataset digits" in session.jobs[1].skip
    with pytest.raises(InputError, match="no checkpoint of progressive"):
        Session(Sweep("progressive", steps="16", **options))


def test_8_bits_are_enough_for_the_same_images(tmp_path):
    checkpoint = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint
    save(tmp_path / "digits/flow.safetensors", checkpoint.weights, checkpoint.metadata, "int8")
    assert (tmp_path / "digits/flow.safetensors").stat().st_size < 0.55 * checkpoint.path.stat().st_size
    small = load(tmp_path / "digits/flow.safetensors")
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = [
        sample(
            get("flow"),
            Field(each.unet().requires_grad_(False), PATH, "velocity", torch.arange(8)),
            x,
            10,
            noise_from(0),
        )
        for each in (checkpoint, small)
    ]
    assert (images[0] - images[1]).square().mean().sqrt() < 0.03


@pytest.fixture(scope="module")
def taught():
    """Noise, labels and the images that the shipped flow makes of them."""
    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    eps, labels = drawn(64, 1, 8, 8).float(), torch.arange(64) % 10
    with torch.inference_mode():
        return eps, labels, sample(get("flow[solver=rk4]"), backbone.field(labels), eps, 10, noise_from(0))


@pytest.mark.parametrize(
    ("name", "steps", "most"),
    [
        ("knowledge", 1, 0.13), ("dmd", 1, 0.13), ("reflow_distilled", 1, 0.13), ("reflow", 1, 0.13),
        ("progressive", 1, 0.2), ("progressive", 8, 0.1), ("consistency", 1, 0.25), ("meanflow", 1, 0.25),
        ("meanflow", 8, 0.08), ("shortcut", 1, 0.25), ("shortcut", 8, 0.08), ("bespoke", 2, 0.2), ("bespoke", 8, 0.06),
    ],
)  # fmt: skip
def test_the_shipped_students_make_their_teachers_images(name, steps, most, taught):
    eps, labels, images = taught
    method = get(name)
    recipe = method.checkpoint(steps)
    backbone = load_backbone(recipe, DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    with torch.inference_mode():
        found = sample(method, backbone.field(labels), eps, steps, noise_from(0))
    error, eulers = (found - images).square().mean().sqrt().item(), 0.36  # of Euler's single step
    assert error < most < eulers
    assert backbone.cost.teacher == "flow"
    assert backbone.cost.iterations > 0


def test_step_counts_that_a_method_does_not_take_are_told_once(tmp_path):
    from samplerbench.report.markdown import failures
    from samplerbench.report.table import table
    from samplerbench.store.results import load as load_results

    session = Session(Sweep("knowledge", steps="1,2,4", samples=70, timing=False, output=str(tmp_path)))
    for _ in session.execute():
        pass
    rows = session.store.frame()
    assert rows["status"].tolist() == ["ok", "skipped", "skipped"]
    shown = table(load_results(tmp_path))
    assert shown["method"].tolist() == ["real images", "knowledge", "noise"]
    assert failures(shown) == ["`knowledge`, 2 and 4 steps: skipped: it takes 1 step only"]
