import pytest
import torch

import samplerbench.training.run as fit_module
from samplerbench.errors import InputError
from samplerbench.methods import RECIPES, Field, get_recipe, weights
from samplerbench.models import PRESETS, CheckpointError, load, weaker
from samplerbench.training.loop import LabelledImages, Settings, Trainer
from samplerbench.training.plan import plan_training
from samplerbench.training.tasks import recipe_loss


def plan(folder, recipe="flow", **options):
    settings = {"iterations": 6, "batch_size": 16, "seed": 0} | options
    return plan_training(recipe, "digits", str(folder), False, "cpu", None, False, **settings)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(fit_module, "LOG_EVERY", 2)
    monkeypatch.setattr(fit_module, "SAVE_EVERY", 2)


def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    whole, parts = plan(tmp_path / "whole"), plan(tmp_path / "parts")
    assert [row[0] for row in whole.run()] == [2, 4, 6]
    run = parts.run()
    next(run)
    run.close()  # as an interrupt would: the state is saved, the checkpoint is not yet there
    assert not parts.output.exists()
    assert [row[0] for row in plan(tmp_path / "parts").run()] == [4, 6]

    expected, found = load(whole.output), load(parts.output)
    for key, value in expected.weights.items():
        torch.testing.assert_close(found.weights[key], value, rtol=0, atol=0)
    assert found.metadata["recipe"] == "flow"
    assert found.metadata["iterations"] == "6"
    assert found.metadata["data"] == "730c54351466"
    curve = (tmp_path / "parts/digits/flow.loss.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["iteration", "2", "4", "6"]
    assert (tmp_path / "parts/digits/flow.loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    for _ in plan(tmp_path, iterations=2).run():
        pass
    with pytest.raises(InputError, match="another seed"):
        next(plan(tmp_path, seed=1).run())
    state = tmp_path / "digits/flow.state.safetensors"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="damaged"):
        next(plan(tmp_path).run())


def test_every_iteration_draws_another_batch(digits):
    seen, net = [], torch.nn.Linear(1, 1)

    def loss(share, images, labels):
        seen.append(images)
        return net(images[:, 0, 0, :1])

    data = LabelledImages(digits.train, digits.train_labels)
    trainer = Trainer(net, loss, data, Settings(iterations=3))
    for _ in trainer.run():
        pass
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_a_hundred_iterations_lower_the_loss(tmp_path):
    rows = list(plan(tmp_path, iterations=100, batch_size=32).run())
    first, last = (sum(row[1] for row in part) for part in (rows[:5], rows[-5:]))
    assert last < 0.7 * first


def test_the_classifier_trains_in_the_same_loop(tmp_path):
    rows = list(plan(tmp_path, recipe="digits-cnn", iterations=200, batch_size=64).run())
    assert rows[-1][1] < 0.7 * rows[0][1]
    with pytest.raises(InputError, match="classifier of the digits"):
        plan_training("digits-cnn", "mnist", str(tmp_path), False, "cpu", None, False)


def test_what_guides_trains_in_the_same_loop(tmp_path):
    rows = list(plan(tmp_path, recipe="noisy-classifier", iterations=100, batch_size=64).run())
    assert rows[-1][1] < 0.9 * rows[0][1]
    classifier = load(tmp_path / "digits/noisy-classifier.safetensors")
    assert classifier.noisy_classifier().config.classes == 10
    with pytest.raises(CheckpointError, match="weights of a samplerbench U-Net"):
        classifier.unet()

    for _ in plan(tmp_path, weak=True).run():
        pass
    weak = load(tmp_path / "digits/flow-weak.safetensors")
    assert weak.metadata["recipe"] == "flow"
    assert weak.unet().config == weaker(PRESETS["digits"])
    with pytest.raises(InputError, match="noisy-classifier is a classifier: leave it out"):
        plan(tmp_path, recipe="noisy-classifier", weak=True)


REGRESSIONS = [name for name in RECIPES.names() if get_recipe(name).outputs == 1 and not get_recipe(name).teacher]


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_perfect_network_has_no_loss(name):
    """Data at a single point: the network that knows it predicts the target exactly."""
    recipe, point = get_recipe(name), torch.full((64, 1, 4, 4), 0.3, dtype=torch.float64)

    def net(x, t, label=None):
        now = recipe.path.at(t)
        eps = (x - now.alpha * point) / now.sigma
        a, b = weights(recipe.target, now)
        return a * point + b * eps

    loss = recipe.loss(Field(net, recipe.path, recipe.target), point, None, torch.randn_like, None)
    assert loss.shape == (64,)
    assert loss.max() < 1e-11


def test_labels_are_dropped_at_the_given_rate():
    seen = []

    def net(x, t, label=None):
        seen.append(label)
        return x

    recipe = get_recipe("flow")
    torch.manual_seed(0)
    loss = recipe_loss(recipe, Field(net, recipe.path, recipe.target), classes=10, drop=0.1)
    loss(0.0, torch.zeros(5000, 1, 1, 1), torch.arange(5000) % 10)
    assert (seen[0] == 10).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_the_learning_rate_rises_then_falls_to_zero():
    settings = Settings(iterations=1000, learning_rate=1e-3)
    rates = [settings.rate(iteration) for iteration in range(1000)]
    assert rates[0] < 1e-5
    assert rates.index(max(rates)) == 199
    assert rates[-1] < 1e-8
