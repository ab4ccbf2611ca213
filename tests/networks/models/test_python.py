"""Networks that a function of the user's own returns."""

import sys
from pathlib import Path

import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.methods import Linear, Sampler, get
from samplerbench.networks.model import get_model, load_model
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise

MODULE = """
import torch
from samplerbench.methods import DiscreteVP, Linear
from samplerbench.networks import ExternalNetwork

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, x, time, *label):
        return x * time.view(-1, 1, 1, 1) + self.bias

shape = (1, 4, 4)

def ours():
    return ExternalNetwork(lambda x, t: x * t.view(-1, 1, 1, 1) + 0.5, Linear(), "velocity", shape, digest="d")

def flipped():  # t = 1 at the data, and the velocity from noise to data
    return ExternalNetwork(
        lambda x, t: -(x * (1 - t).view(-1, 1, 1, 1) + 0.5), Linear(), "velocity", shape, time=lambda t: 1 - t,
        sign=-1, digest="d",
    )

def scaled():
    return ExternalNetwork(
        lambda x, t: x * t.view(-1, 1, 1, 1) / 2 + 0.5, Linear(), "velocity", shape, digest="d",
        scale=lambda t: 0 * t + 2,
    )

def module():
    return ExternalNetwork(Net(), DiscreteVP(), "eps", shape, time=lambda t: 1000 * t - 1)

def one_hot():
    def net(x, t, label):
        return x * 0 + label.argmax(1).view(-1, 1, 1, 1)
    return ExternalNetwork(
        net, Linear(), "velocity", shape, classes=3, null=3,
        label=lambda y: torch.nn.functional.one_hot(y, 4).float(), digest="d",
    )

def decoded():
    return ExternalNetwork(
        Net(), Linear(), "velocity", shape, decode=lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )

def wrong_shape():
    return ExternalNetwork(lambda x, t: x[:, :, :2], Linear(), "velocity", shape)

def raises():
    return ExternalNetwork(lambda x, t: 1 / 0, Linear(), "velocity", shape)

def fails():
    raise SystemExit("bye")

def other():
    return 3

number = 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The module as `mine`, in the current folder."""
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return lambda name: load_model(get_model(f"mine:{name}"), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("name", ["flipped", "scaled"])
def test_conventions_are_mapped_to_ours(mine, name):
    noise = [ImageNoise(0, range(2)) for _ in range(2)]
    found = [
        generate(Sampler(get("flow"), 4, trained=each.parametrisation), each, drawn).images
        for each, drawn in zip((mine("ours"), mine(name)), noise, strict=True)
    ]
    torch.testing.assert_close(*found)


def test_the_time_is_the_networks_own(mine):
    network, x = mine("module"), torch.ones(2, 1, 4, 4)
    predicted = network.net(x, torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(predicted[:, 0, 0, 0], torch.tensor([499.5, 999.5]))


def test_its_weights_are_hashed(mine):
    first = mine("module").origin.digest
    Path("mine.py").write_text(MODULE.replace("[0.5]", "[0.25]"))
    sys.modules.pop("mine")
    assert mine("module").origin.digest != first
    assert mine("ours").origin.digest == "d"


def test_labels_take_the_networks_form_and_null_stands_for_none(mine):
    network, x, t = mine("one_hot"), torch.zeros(2, 1, 4, 4), torch.full((2,), 0.5)
    assert network.provides == {"ode", "labels", "unlabelled"}
    assert network.net(x, t, torch.tensor([2, 1]))[:, 0, 0, 0].tolist() == [2, 1]
    assert network.net(x, t)[:, 0, 0, 0].tolist() == [3, 3]


def test_states_are_decoded(mine):
    network = mine("decoded")
    assert (network.image_shape, network.picture_shape) == ((1, 4, 4), (1, 8, 8))


def test_it_is_read_on_the_path_of_its_record(mine):
    assert isinstance(mine("ours").parametrisation.path, Linear)
    assert str(mine("ours").parametrisation) == "mine:ours"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mine:wrong_shape", "returns (2, 1, 2, 4), not (2, 1, 4, 4): correct its record"),
        ("mine:raises", "fails on images of 1x4x4: ZeroDivisionError: division by zero"),
        ("mine:fails", "The model mine:fails cannot be loaded: SystemExit: bye"),
        ("mine:other", "returned int, not a samplerbench.networks.ExternalNetwork"),
        ("mine:number", "has no function 'number'"),
        ("mine:absent", "has no function 'absent'"),
        ("absent.module:make", "The module 'absent.module' cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_with_it_is_one_sentence(mine, spec, message):
    with pytest.raises(InputError) as caught:
        load_model(get_model(spec), torch.device("cpu"), torch.float32)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
