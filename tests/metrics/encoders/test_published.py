"""Inception and DINOv2 from files, with random weights: the published ones cannot be shipped."""

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.extractors import INCEPTION_WEIGHTS

CPU = torch.device("cpu")


def made(spec, shape=(1, 8, 8)):
    return ENCODERS.get(spec).load(shape, CPU)


def test_inception_reads_a_file_and_hashes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    state, path = {"fc.weight": torch.ones(2)}, tmp_path / "inception.pth"
    torch.save(state, path)
    encoding = made(f"inception:{path}")
    assert (encoding.width, encoding.digest, encoding.label) == (2048, digest(*state.values()), "Inception")
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(encoding(images), encoding(images.repeat(1, 3, 1, 1)))
    assert encoding(images).shape == (2, 2048)


class Malicious:
    def __reduce__(self):
        return print, ("code ran while weights were loaded",)


def test_other_files_are_errors_that_say_what_to_use(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=rf"no file .*checkpoints/{INCEPTION_WEIGHTS}.*inception:FILE"):
        made("inception")
    with pytest.raises(InputError, match=r"no file .*checkpoints/dinov2.*encoder=dinov2:FILE"):
        made("dinov2")
    for content in ({"fc.weight": Malicious()}, {"fc.weight": torch.ones(2)}, [1]):
        torch.save(content, tmp_path / "wrong.pth")
        for encoder in ("inception", "dinov2"):
            with pytest.raises(InputError, match=r"wrong.pth.*: use "):
                made(f"{encoder}:{tmp_path}/wrong.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("encoder", ["inception", "dinov2"])
def test_they_take_grey_and_colour_images_only(encoder):
    with pytest.raises(InputError, match=f"{encoder} takes grey or RGB images, not 4 channels"):
        made(encoder, (4, 8, 8))


def test_the_digits_classifier_takes_digits_only():
    with pytest.raises(InputError, match="digits-cnn takes images of 1x8x8, not 3x32x32: `bench train encoder`"):
        made("digits-cnn", (3, 32, 32))
