import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.methods import get, sample
from samplerbench.sampling.noise import PAIRS, ImageNoise, image_labels
from samplerbench.training import pairs as module
from samplerbench.training.pairs import Pairs


def test_pairs_are_made_once_and_are_the_teachers(tmp_path, flow_network, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 8)
    making = Pairs(tmp_path, flow_network, 20).make()
    first = next(making)
    assert (first.done, first.total, first.loss, first.phase) == (8, 20, None, "pairs")
    making.close()  # a kill
    again = Pairs(tmp_path, flow_network, 20)
    assert [at.done for at in again.make()] == [16, 20]
    assert (again.cost.teacher_nfe, len(again)) == (400, 20)
    assert list(Pairs(tmp_path, flow_network, 20).make()) == []

    images, labels, eps = again[torch.tensor([3, 17])]
    with torch.inference_mode():
        exact = sample(get("flow[solver=rk4]"), flow_network.field(flow_network.net, labels), eps, 20, torch.zeros_like)
    assert (images - exact).square().mean().sqrt() < 0.03

    file = next(tmp_path.glob("*/images.npy"))
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(InputError, match="are damaged"):
        list(Pairs(tmp_path, flow_network, 20).make())


def test_the_noise_and_the_labels_are_never_sampled_from(tmp_path, flow_network, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 1)
    pairs = Pairs(tmp_path, flow_network, 8)
    list(pairs.make())
    _, labels, eps = pairs[torch.tensor([6, 2])]
    assert torch.equal(eps, ImageNoise(0, [6, 2], PAIRS)(torch.empty(2, 1, 8, 8)))
    assert torch.equal(labels, image_labels(0, [6, 2], 10, PAIRS))


def test_damaged_facts_are_an_error_that_names_the_folder(tmp_path, flow_network, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 1)
    list(Pairs(tmp_path, flow_network, 8).make())
    (facts,) = tmp_path.glob("*/pairs.json")
    facts.write_text("{")
    with pytest.raises(InputError, match=r"The pairs in '.*flow-.*-8' are damaged \(pairs.json.*: remove the folder"):
        list(Pairs(tmp_path, flow_network, 8).make())


def test_more_pairs_than_a_block_has_images_are_refused(tmp_path, flow_network):
    with pytest.raises(InputError, match="--pairs must be between 1 and"):
        Pairs(tmp_path, flow_network, 2**20 + 1)
