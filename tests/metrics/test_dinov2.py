"""DINOv2 from a file, with small random weights: the published ones (1.2 GB) cannot be shipped."""

import pytest
import torch
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2
from torchvision.models import VisionTransformer as TorchvisionViT

from samplerbench.errors import InputError
from samplerbench.metrics.dinov2 import WEIGHTS, VisionTransformer, build
from samplerbench.metrics.features import Extractor, RealFeatures
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.image_metrics import METRICS
from samplerbench.metrics.scoring import Quality
from samplerbench.sweep.plan import Sweep, normalise

CPU = torch.device("cpu")


def random_network(side=37):
    """64 features from 2 blocks, with weights far from their initial values."""
    torch.manual_seed(0)
    net = VisionTransformer(64, 2, side).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5)
    return net.requires_grad_(False)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "small.pth"
    torch.save(random_network().state_dict(), path)
    return path


def as_torchvision(net):
    """The same network in torchvision's, which has no layer scale: it goes into the layers before it."""
    state = net.state_dict()
    renamed = {
        "class_token": state["cls_token"],
        "encoder.pos_embedding": state["pos_embed"],
        **{f"conv_proj.{kind}": state[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias")},
        **{f"encoder.ln.{kind}": state[f"norm.{kind}"] for kind in ("weight", "bias")},
    }
    for block in range(2):
        ours, theirs = f"blocks.{block}", f"encoder.layers.encoder_layer_{block}"
        for kind in ("weight", "bias"):
            scale1, scale2 = (state[f"{ours}.ls{i}.gamma"].view(-1, *[1] * (kind == "weight")) for i in (1, 2))
            renamed |= {
                f"{theirs}.ln_1.{kind}": state[f"{ours}.norm1.{kind}"],
                f"{theirs}.ln_2.{kind}": state[f"{ours}.norm2.{kind}"],
                f"{theirs}.self_attention.in_proj_{kind}": state[f"{ours}.attn.qkv.{kind}"],
                f"{theirs}.self_attention.out_proj.{kind}": scale1 * state[f"{ours}.attn.proj.{kind}"],
                f"{theirs}.mlp.0.{kind}": state[f"{ours}.mlp.fc1.{kind}"],
                f"{theirs}.mlp.3.{kind}": scale2 * state[f"{ours}.mlp.fc2.{kind}"],
            }
    vit = TorchvisionViT(image_size=56, patch_size=14, num_layers=2, num_heads=1, hidden_dim=64, mlp_dim=256)
    vit.heads = torch.nn.Identity()
    vit.load_state_dict(renamed)
    return vit.eval()


def test_the_network_is_a_vision_transformer_with_layer_scale():
    net, images = random_network(side=4), torch.randn(3, 3, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(net(images), as_torchvision(net)(images), rtol=1e-4, atol=1e-4)


def test_positions_are_resized_to_the_grid_of_the_image():
    """A ramp stays a ramp, sampled as the published scale (16.1 / 37) has it; with 16 / 37 it would be 0.2 off."""
    net = random_network()
    net.pos_embed[0, 1:] = torch.arange(37.0).repeat(37, 1).flatten()[:, None]
    found = net._positions(16)[0, 0]
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5
    torch.testing.assert_close(found[:, 2:-2], expected[2:-2].expand(16, -1), rtol=0, atol=0.06)


def test_images_are_prepared_by_torch_fidelitys_extractor(weights, monkeypatch):
    """It can only read a network through torch.hub, where it is given ours."""
    monkeypatch.setattr(torch.hub, "load", lambda *_: build(torch.load(weights, weights_only=True), weights))
    theirs = FeatureExtractorDinoV2("dinov2-vit-l-14", ["dinov2"])
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    ours = Extractor("dinov2", CPU, weights=str(weights))
    torch.testing.assert_close(ours(images), theirs(images)[0].double(), rtol=0, atol=0)
    assert ours.width == 64
    torch.testing.assert_close(ours(images[:, :1]), ours(images[:, :1].repeat(1, 3, 1, 1)))


def test_the_metric_is_the_frechet_distance_in_its_own_features(weights, digits):
    small = normalise(Sweep(methods="flow", metrics=f"fid,fd_dinov2[weights={weights}]", samples=20))
    quality = Quality(small, CPU)
    metric, real = quality.metrics[1]
    assert real is not quality.real
    assert quality.facts["dinov2"] == f"64 features {real.extractor.digest}"
    some = RealFeatures(quality.images, real.extractor)
    vars(some).update(test=real.extractor(digits.test[:30]), train=real.extractor(digits.train[:30]))
    accumulator = metric.start(some)
    for batch in digits.train[:20].split(8):
        accumulator.update(some.extractor.see(batch))
    columns = accumulator.columns()
    assert columns["fd_dinov2"] == pytest.approx(columns["fd_dinov2_floor"], rel=1e-6)
    accumulator = metric.start(some)
    accumulator.update(some.extractor.see(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)))
    assert accumulator.columns()["fd_dinov2"] > 2 * columns["fd_dinov2_floor"]
    assert some.frechet(some.train[:20]) == pytest.approx(some.distance(Statistics.of(some.train[:20])))


def test_missing_weights_are_an_error_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=rf"1.2 GB.*{tmp_path}/checkpoints/{WEIGHTS}.*weights=PATH"):
        Quality(normalise(Sweep(methods="flow", metrics="fd_dinov2")), CPU)
    with pytest.raises(InputError, match=r"no file '/nowhere/dino\.pth'"):
        METRICS.get("fd_dinov2[weights=/nowhere/dino.pth]").extractor(CPU)


class Malicious:
    def __reduce__(self):
        return print, ("code ran while weights were loaded",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a checkpoint", "cannot be read"),
        (b"", "cannot be read"),
        ([1, 2], "cannot be read"),
        ({"epoch": 3}, "cannot be read"),
        ({"cls_token": Malicious()}, "cannot be read"),
        ({"weight": torch.zeros(3)}, "does not hold the weights of a ViT"),
        ({"cls_token": torch.zeros(1, 1, 64), "pos_embed": torch.zeros(1, 10, 64)}, "does not hold"),
        ({**random_network().state_dict(), "register_tokens": torch.zeros(1, 4, 64)}, "without registers"),
    ],
    ids="bytes empty list numbers code other few registers".split(),
)
def test_a_wrong_file_is_an_error_that_says_so(tmp_path, capsys, content, message):
    path = tmp_path / "wrong.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match=f"wrong.pth.*{message}.*take {WEIGHTS}"):
        Extractor("dinov2", CPU, weights=str(path))
    assert "code ran" not in capsys.readouterr().out


def test_a_path_survives_the_spec(weights):
    spec = f"fd_dinov2[weights={weights}]"
    assert str(METRICS.get(spec)) == spec
    assert METRICS.get("fd_dinov2").weights is None
