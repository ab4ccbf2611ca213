import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.metrics.extractors import BATCH, Extractor, Pixels

CPU = torch.device("cpu")


def test_missing_inception_weights_are_an_error_that_says_where_to_put_them(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=f"91 MB.*weights-inception-2015-12-05-6726825d.pth.*{tmp_path}.*--no-quality"):
        Extractor("inception-v3-compat", CPU)


def test_inception_sees_colour_and_grey_images(monkeypatch, tmp_path):
    """With random weights in place of the real ones, which cannot be shipped."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Inception

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
    monkeypatch.setattr(Inception, "load_state_dict", lambda self, state: None)
    extractor = Extractor("inception-v3-compat", CPU, download=True, logits=True)
    grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    found = extractor.extract(grey)
    assert (found.features.shape, found.logits.shape) == ((2, 2048), (2, 1008))
    torch.testing.assert_close(found.logits, found.features @ extractor.net.fc.weight.T.double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(extractor(grey), extractor(grey.repeat(1, 3, 1, 1)))


def test_digits_cnn_returns_the_ten_digit_logits_only(digits):
    found = Extractor("digits-cnn", CPU, logits=True).extract(digits.test)
    assert found.logits.shape == (797, 10)
    assert (found.logits.argmax(1) == digits.test_labels).double().mean() > 0.97
    assert Extractor("digits-cnn", CPU).extract(digits.test[:2]).logits is None


def test_features_are_double_and_independent_of_the_batch(real, digits):
    images = digits.test[: BATCH + 3]
    assert real.test.dtype == torch.float64
    assert real.extractor.width == real.test.shape[1] == 64
    torch.testing.assert_close(real.extractor(images[-3:]), real.extractor(images)[-3:], rtol=1e-5, atol=1e-5)


def test_pixels_are_the_images_themselves():
    images = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pixels = Pixels(32)
    assert torch.equal(pixels(images), images.view(3, 32))
    found = pixels.extract(images.float())
    assert torch.equal(found.features, images.float().double().view(3, 32))
    assert (found.logits, found.labels) == (None, None)
