import pickle
from dataclasses import replace

import pytest
import torch

from samplerbench.models import PRESETS, CheckpointError, CheckpointFacts, UNet, load, save
from samplerbench.models.kinds import facts_of

CONFIG = replace(PRESETS["digits"], channels=16, blocks=1)
ARCHITECTURE = facts_of(UNet(CONFIG)).architecture


@pytest.fixture
def file(tmp_path):
    net = UNet(CONFIG)
    save(
        tmp_path / "a.safetensors",
        net.state_dict(),
        {"architecture": ARCHITECTURE, "recipe": "ddpm", "seed": 0},
    )
    return tmp_path / "a.safetensors", net


def test_a_checkpoint_comes_back_whole(file):
    path, net = file
    checkpoint = load(path)
    again = checkpoint.unet()
    assert again.config == CONFIG
    assert checkpoint.metadata["recipe"] == "ddpm"
    for key, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)


def test_half_precision_halves_the_file_and_keeps_float32_in_memory(file, tmp_path):
    path, net = file
    save(tmp_path / "half.safetensors", net.state_dict(), load(path).metadata, storage="float16")
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * path.stat().st_size
    assert {value.dtype for value in load(tmp_path / "half.safetensors").weights.values()} == {torch.float32}


def test_int8_keeps_each_row_to_half_of_its_own_step(tmp_path):
    """Rows of very different sizes, a convolution, and tensors of one dimension, which stay in float16."""
    generator = torch.Generator().manual_seed(0)
    sizes = 10.0 ** torch.arange(-3, 3)
    weights = {
        "linear": sizes[:, None] * torch.randn(6, 50, generator=generator),
        "conv": sizes.view(-1, 1, 1, 1) * torch.randn(6, 4, 3, 3, generator=generator),
        "bias": torch.randn(6, generator=generator),
        "zero": torch.zeros(3, 3),
    }
    save(tmp_path / "a.safetensors", weights, {}, "int8")
    found = load(tmp_path / "a.safetensors").weights
    assert found.keys() == weights.keys()
    for name in ("linear", "conv", "zero"):
        step = weights[name].flatten(1).abs().amax(1) / 127
        error = (found[name] - weights[name]).flatten(1).abs().amax(1)
        assert (error <= 0.5001 * step).all()
    assert torch.equal(found["bias"], weights["bias"].half().float())


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_a_parameter_named_scale_is_no_scale_of_another(storage, tmp_path):
    save(tmp_path / "a.safetensors", {"path.scale": torch.full((2,), 0.5), "path.rows": torch.ones(2, 2)}, {}, storage)
    found = load(tmp_path / "a.safetensors")
    assert torch.equal(found.weights["path.scale"], torch.full((2,), 0.5))
    assert torch.equal(found.path_weights()["rows"], torch.ones(2, 2))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1000])


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def empty(path):
    path.write_bytes(b"")


def removed(path):
    path.unlink()


def of_another_architecture(path):
    save(path, torch.nn.Linear(2, 2).state_dict(), {"architecture": ARCHITECTURE})


def without_architecture(path):
    save(path, UNet(CONFIG).state_dict(), {})


def with_an_unknown_option(path):
    save(path, UNet(CONFIG).state_dict(), {"architecture": '{"depth": 3}'})


@pytest.mark.parametrize(
    "spoil",
    [truncated, pickled, empty, removed, of_another_architecture, without_architecture, with_an_unknown_option],
)
def test_a_spoiled_checkpoint_gives_one_sentence_that_names_it(file, spoil):
    path, _ = file
    spoil(path)
    with pytest.raises(CheckpointError) as caught:
        load(path).unet()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_claims_a_huge_network_fails_before_anything_is_allocated(file):
    path, net = file
    huge = ARCHITECTURE.replace('"channels": 16', '"channels": 65536')
    assert huge != ARCHITECTURE
    save(path, net.state_dict(), {"architecture": huge})
    with pytest.raises(CheckpointError, match="by its architecture"):
        load(path).unet()


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [({"architecture": "{}"}, "unet"), ({"extractor": "digits-cnn"}, "digits-cnn"), ({"recipe": "bespoke"}, ""),
     ({"classifier": "x", "architecture": "{}"}, "noisy-classifier"), ({"kind": "new", "extractor": "x"}, "new")],
)  # fmt: skip
def test_the_kind_of_older_files_is_inferred(metadata, kind):
    assert CheckpointFacts.read(metadata).kind == kind


def test_facts_are_read_as_they_were_written():
    facts = CheckpointFacts("unet", "{}", recipe="reflow[rounds=2]", seed="0", cost='{"iterations": 1}')
    assert CheckpointFacts.read(facts.metadata | {"format": "pt"}) == facts
    assert facts.metadata.keys() == {"kind", "architecture", "recipe", "seed", "cost"}, "nothing empty is written"


def test_a_file_without_a_network_says_so(file):
    path, net = file
    save(path, {"gaps.1": next(net.parameters())}, {"recipe": "bespoke"})
    with pytest.raises(CheckpointError, match="holds no network"):
        load(path).network()
