import csv
import json

import pytest
import torch

from samplerbench.data.dataset import to_float
from samplerbench.errors import InputError
from samplerbench.models import EMA, CheckpointError, load

pytestmark = pytest.mark.usefixtures("short")


def same_weights(one, other):
    expected, found = load(one), load(other)
    assert expected.weights.keys() == found.weights.keys()
    for key, value in expected.weights.items():
        torch.testing.assert_close(found.weights[key], value, rtol=0, atol=0)
    return found


def test_a_killed_training_resumes_to_the_same_weights(plan):
    (whole,), (parts,) = plan("flow", "whole"), plan("flow", "parts")
    assert [at.done for at in whole.run()] == [2, 4, 6]
    run = parts.run()
    assert next(run).total == 6
    run.close()  # as an interrupt would: the state is saved, the checkpoint is not yet there
    assert not parts.output.exists()
    assert [at.done for at in plan("flow", "parts")[0].run()] == [4, 6]

    facts = same_weights(whole.output, parts.output).facts
    assert (facts.recipe, facts.kind, facts.iterations, facts.data) == ("flow", "unet", "6", "730c54351466")
    with parts.output.with_suffix(".loss.csv").open() as file:
        assert [row[0] for row in csv.reader(file)] == ["iteration", "2", "4", "6"]
    assert parts.output.with_suffix(".loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("recipe", ["vdm", "improved_ddpm", "consistency", "dmd", "bespoke", "autoencoder[kind=vq]"])
def test_modules_besides_the_network_resume_too(recipe, plan, tmp_path, monkeypatch):
    """A learned path, a critic that the checkpoint does not keep, a solver alone, a codebook and its usage."""
    monkeypatch.setattr("samplerbench.training.pairs.STEPS", 2)
    pairs = {"pairs": 32} if recipe in ("dmd", "bespoke") else {}
    (whole,), (parts,) = (plan(recipe, name, iterations=2, **pairs) for name in ("whole", "parts"))
    list(whole.run())
    run = parts.run()
    while next(run).phase == "pairs":
        pass
    run.close()
    list(plan(recipe, "parts", iterations=2, **pairs)[0].run())
    found = same_weights(whole.output, parts.output)
    assert not any("critic" in name for name in found.weights)
    assert bool(found.path_weights()) == (recipe == "vdm")
    spent = [json.loads(load(each.output).facts.cost)["teacher_nfe"] for each in (whole, parts)]
    assert spent[0] == spent[1]


def test_a_state_of_another_training_or_a_damaged_one_is_refused(plan, tmp_path):
    list(plan(iterations=2)[0].run())
    recorded = load(tmp_path / "digits/flow.state.safetensors").metadata
    assert not {"dtype", "compile"} & recorded.keys(), "the defaults are those of older states, which lack them"
    with pytest.raises(InputError, match="another seed"):
        list(plan(seed=1)[0].run())
    with pytest.raises(InputError, match="another dtype, compile"):
        list(plan(dtype="bfloat16", compile=True)[0].run())
    state = tmp_path / "digits/flow.state.safetensors"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="damaged"):
        list(plan()[0].run())


def test_an_interrupt_within_an_update_keeps_the_last_whole_state(plan, monkeypatch):
    """It comes after the optimiser has changed the weights and before they are averaged, in the sixth iteration."""
    (whole,), (parts,) = plan("flow", "whole"), plan("flow", "parts")
    list(whole.run())
    update = EMA.update

    def interrupted(ema):
        if ema.updates == 5:
            raise KeyboardInterrupt
        update(ema)

    monkeypatch.setattr(EMA, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(parts.run())
    monkeypatch.setattr(EMA, "update", update)
    assert [at.done for at in plan("flow", "parts")[0].run()] == [6]
    same_weights(whole.output, parts.output)


def test_more_iterations_continue_a_finished_training(plan):
    list(plan(iterations=2)[0].run())
    (longer,) = plan(iterations=4)
    assert [at.done for at in longer.run()] == [4]
    facts = load(longer.output).facts
    assert (facts.iterations, json.loads(facts.cost)["iterations"]) == ("4", 4)


def test_an_output_that_cannot_be_written_is_an_input_error(plan, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(InputError, match=r"Cannot write to .*choose another --output"):
        list(plan("flow", "taken")[0].run())


def test_forty_iterations_lower_the_loss(plan):
    losses = [at.loss for at in plan(iterations=40, learning_rate=0.01)[0].run()]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.parametrize("name", ["digits-cnn", "noisy-classifier"])
def test_classifiers_train_in_the_same_loop(name, plan):
    (training,) = plan(name, iterations=60, batch_size=64, learning_rate=0.01)
    losses = [at.loss for at in training.run()]
    assert losses[-1] < 0.9 * losses[0]
    checkpoint = load(training.output)
    assert checkpoint.facts.kind == name
    assert checkpoint.network() is not None
    with pytest.raises(CheckpointError, match="weights of a samplerbench U-Net"):
        checkpoint.unet()


def test_an_encoder_learns_the_classes(plan, digits):
    (training,) = plan("encoder", iterations=120, batch_size=32, learning_rate=0.01, ema_decay=0.9)
    list(training.run())
    checkpoint = load(training.output)
    with torch.inference_mode():
        predicted = checkpoint.encoder()(to_float(digits.test))[:, :10].argmax(1)
    assert (predicted == digits.test_labels).double().mean() > 0.5, "chance is 0.1"
    assert checkpoint.facts.dataset == "digits"


def test_an_encoder_is_trained_the_same_again(plan):
    found = []
    for folder in ("one", "other"):
        (training,) = plan("encoder", folder)
        list(training.run())
        found.append(load(training.output).weights)
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
