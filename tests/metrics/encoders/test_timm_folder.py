"""Encoders in timm's folders: random small networks, saved by timm, against timm's own transform and features."""

import json
import sys
from unittest import SkipTest

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config
from timm.models import save_for_hf
from torchvision.transforms import ToPILImage

from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.testing import checks

CPU = torch.device("cpu")
SMALL = {"embed_dim": 32, "num_heads": 2, "depth": 2, "img_size": 32, "patch_size": 8}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """folders(name): a folder that timm wrote, and its network in evaluation mode, kept for the module."""
    made = {}

    def folder(name):
        if name not in made:
            torch.manual_seed(0)
            options = SMALL if name.startswith("vit") else {}
            net = timm.create_model(name, num_classes=5, **options).eval()
            for parameter in net.parameters():
                torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5)
            made[name] = tmp_path_factory.mktemp(name), net
            save_for_hf(net, str(made[name][0]), safe_serialization=True)
        return made[name]

    return folder


def made(path, shape=(3, 48, 40)):
    return ENCODERS.get(f"timm:{path}").load(shape, CPU)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vit_tiny_patch16_224", {}),  # bicubic, crop_pct 0.9, class token
        ("vit_tiny_patch16_224", {"crop_mode": "squash", "interpolation": "bilinear", "crop_pct": 1.0}),
        ("vit_tiny_patch16_224", {"crop_pct": None, "mean": [0.1, 0.2, 0.3], "std": [0.3, 0.2, 0.1]}),
        ("test_resnet", {}),  # pooled features
    ],
)
def test_features_and_pixels_are_timms_own(folders, tmp_path, name, change):
    folder, net = folders(name)
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] |= change
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")

    prepare = create_transform(**resolve_data_config({}, pretrained_cfg=config["pretrained_cfg"]))
    images = torch.randint(0, 256, (3, 3, 48, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = torch.stack([prepare(ToPILImage()(image)) for image in images])
    with torch.inference_mode():
        found = net.forward_features(pixels)
        expected = found[:, 0] if name.startswith("vit") else net.forward_head(found, pre_logits=True)
    torch.testing.assert_close(made(tmp_path)(images).float(), expected, rtol=1e-5, atol=1e-5)


def test_it_keeps_the_contract_and_its_digest_follows_weights_and_preparation(folders, tmp_path):
    folder, net = folders("vit_tiny_patch16_224")
    for _, check in checks(f"encoder:timm:{folder}"):
        try:
            check()
        except SkipTest as reason:
            pytest.fail(str(reason))
    first = made(folder)
    assert first.label == "timm vit_tiny_patch16_224"
    assert first.digest.endswith("of images by PIL bicubic shorter side 35, centre 32x32, mean 0.5 0.5 0.5, "
                                 "std 0.5 0.5 0.5")  # fmt: skip
    weights = {name: value + (name == "norm.bias") for name, value in net.state_dict().items()}
    copied(folder, tmp_path)
    assert made(tmp_path).digest == first.digest
    save_file(weights, tmp_path / "model.safetensors")
    assert made(tmp_path).digest != first.digest


def copied(folder, target, **changes):
    config = json.loads((folder / "config.json").read_text())
    options = changes.pop("model_args", {})
    config["model_args"] = [] if options is None else config["model_args"] | options
    config["pretrained_cfg"] |= changes.pop("pretrained_cfg", {})
    (target / "config.json").write_text(json.dumps(config | changes))
    save_file(load_file(folder / "model.safetensors"), target / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "hf-hub:evil/vit"}, "names the architecture 'hf-hub:evil/vit', which"),
        ({"architecture": None}, "names the architecture None"),
        ({"architecture": "deit_tiny_distilled_patch16_224"}, "config.json: pos_embed is"),
        ({"model_args": None}, "has no model_args by name"),
        ({"model_args": {"checkpoint_path": "evil.bin"}}, "model_args must not have checkpoint_path"),
        ({"model_args": {"depth": 10**9}}, "depth 1000000000, but there are weights for"),
        ({"model_args": {"embed_dim": 10**7}}, r"does not fit its config.json: cls_token is \(1, 1, 32\)"),
        ({"model_args": {"nonsense": 1}}, "describes no network of timm"),
        ({"pretrained_cfg": {"input_size": [3, 224]}}, "does not say how images are prepared"),
        ({"pretrained_cfg": {"input_size": [3, 10**6, 10**6]}}, "is no size in pixels"),
        ({"pretrained_cfg": {"interpolation": "random"}}, "does not say how images are prepared"),
        ({"pretrained_cfg": {"crop_pct": 2.0}}, "cuts 32 pixels a side out of 16"),
        ({"pretrained_cfg": {"std": [0.5, 0.0, 0.5]}}, "has a standard deviation of 0"),
        ({"pretrained_cfg": {"mean": [0.5]}}, "has no mean and standard deviation of three channels"),
        ({"pretrained_cfg": {"input_size": [3, 40, 40]}}, "cannot encode images"),
    ],
)
def test_impossible_configurations_are_errors_of_one_sentence(folders, tmp_path, changes, message):
    copied(folders("vit_tiny_patch16_224")[0], tmp_path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        made(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_folders_are_errors_of_one_sentence(folders, tmp_path, monkeypatch):
    copied(folders("vit_tiny_patch16_224")[0], tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged or not a safetensors file"):
        made(tmp_path)
    file.rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"There is no .*model.safetensors.*could run code"):
        made(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        made(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        made(tmp_path / "absent")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install 'samplerbench\[encoders\]'"):
        made(folders("vit_tiny_patch16_224")[0])
