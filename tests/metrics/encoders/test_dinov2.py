"""DINOv2 from a file, with small random weights: the published ones (1.2 GB) cannot be shipped."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm
from torchvision import transforms

from samplerbench.data.dataset import DATASETS, digest
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, prepared
from samplerbench.metrics.encoders.dinov2 import WEIGHTS
from samplerbench.metrics.scoring import Scorer

CPU = torch.device("cpu")
BICUBIC = transforms.InterpolationMode.BICUBIC


@pytest.fixture
def weights(random_vit, tmp_path):
    path = tmp_path / "small.pth"
    torch.save(random_vit().state_dict(), path)
    return path


def made(path, shape=(1, 8, 8)):
    return prepared(ENCODERS.get(f"dinov2:{path}"), shape, CPU)


def as_dgm_eval(images, net):
    """Class tokens as dgm-eval computes them: PIL images, torchvision's transforms, the network's output."""
    prepare = transforms.Compose([
        transforms.Resize((224, 224), BICUBIC), transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ])  # fmt: skip
    pictures = [transforms.ToPILImage()(image).convert("RGB") for image in images]
    with torch.inference_mode():
        return torch.cat([net(prepare(picture)[None]) for picture in pictures])


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 300, 256)])
def test_features_are_those_of_dgm_eval(weights, random_vit, shape):
    images = torch.randint(0, 256, (3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = as_dgm_eval(images, random_vit())
    torch.testing.assert_close(made(weights, shape)(images).float(), expected, rtol=1e-5, atol=1e-5)


def test_the_distance_is_the_textbook_formula_on_features_of_dgm_eval(weights, random_vit, digits):
    scorer = Scorer(DATASETS.get("digits"), [f"fd[encoder=dinov2:{weights}]"], 70, (0,), CPU)
    _, (real,) = scorer.of_images[0]
    vars(real).update(test=real.extractor(digits.test[:80]))
    accumulator = scorer.of_images[0][0].accumulator(real)
    for batch in digits.train[:70].split(32):
        accumulator.update(real.extractor.extract(batch))
    a, b = (as_dgm_eval(images, random_vit()).double().numpy() for images in (digits.train[:70], digits.test[:80]))
    products = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * products)
    assert real.distance(accumulator.statistics) == pytest.approx(expected, rel=1e-5)


def test_edm2s_other_mode_and_a_bilinear_filter_are_other_pixels(weights, random_vit):
    """The tolerance above tells the procedures apart: EDM2's default is close, a plain bilinear filter is not."""
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    ours, scale = made(weights, (3, 32, 32))(images).float(), as_dgm_eval(images, random_vit()).abs().max()
    differences = []
    for options in ({"mode": "bicubic", "antialias": True}, {"mode": "bilinear", "align_corners": False}):
        pixels = (F.interpolate(images.float(), (224, 224), **options) / 255 - mean) / std
        differences.append(((random_vit()(pixels) - ours).abs().max() / scale).item())
    assert 1e-5 < differences[0] < differences[1] / 3


def test_the_protocol_has_the_weights_and_the_preparation(weights, random_vit):
    encoding = made(weights)
    assert encoding.digest == (
        f"{digest(*random_vit().state_dict().values())} of images by PIL bicubic 224x224, mean 0.485 0.456 0.406, "
        "std 0.229 0.224 0.225"
    )
    assert (encoding.width, encoding.label) == (64, "DINOv2")


def test_missing_weights_are_an_error_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=rf"1.2 GB.*{tmp_path}/checkpoints/{WEIGHTS}.*encoder=dinov2:FILE"):
        Scorer(DATASETS.get("digits"), ["fd[encoder=dinov2]"], 1000, (0,), CPU)
    with pytest.raises(InputError, match=r"no file '/nowhere/dino\.pth'"):
        made("/nowhere/dino.pth")


def test_weights_that_are_not_finite_are_an_error(random_vit, tmp_path):
    state = random_vit().state_dict()
    state["norm.weight"] = state["norm.weight"] * torch.nan
    torch.save(state, tmp_path / "wrong.pth")
    with pytest.raises(InputError, match=r"wrong.pth returns no finite vectors"):
        made(tmp_path / "wrong.pth")


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
    ],
    ids="bytes empty list numbers code other few".split(),
)
def test_a_wrong_file_is_an_error_that_says_so(tmp_path, capsys, content, message):
    path = tmp_path / "wrong.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match=f"wrong.pth.*{message}.*use {WEIGHTS}"):
        made(path)
    assert "code ran" not in capsys.readouterr().out


def test_weights_with_registers_are_an_error_that_says_so(random_vit, tmp_path):
    path = tmp_path / "wrong.pth"
    torch.save({**random_vit().state_dict(), "register_tokens": torch.zeros(1, 4, 64)}, path)
    with pytest.raises(InputError, match=f"wrong.pth.*without registers.*use {WEIGHTS}"):
        made(path)
