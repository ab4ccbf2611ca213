import pytest
import torch

from samplerbench.data.dataset import DATASETS, to_float
from samplerbench.errors import InputError

EXACT = ["gaussian", "mixture", "empirical"]


@pytest.mark.parametrize("name", EXACT)
def test_images_are_unquantised_draws_with_the_exact_moments(name):
    dataset = DATASETS.get(name)
    images = dataset.load()
    assert images.exact
    torch.testing.assert_close(images.moments, dataset.distribution.moments)
    both = torch.cat((images.train, images.test)).flatten(1)
    assert both.dtype == torch.float64
    torch.testing.assert_close(both.mean(0), images.moments.mean, rtol=0, atol=0.1)
    torch.testing.assert_close(both.T.cov(), images.moments.covariance, rtol=0, atol=0.15)
    assert images.reference is images.test


@pytest.mark.parametrize("options", [{"root": "here"}, {"download": True}])
def test_options_about_files_are_rejected(options):
    with pytest.raises(InputError, match=r"mixture is computed.*leave out --data-root and --download"):
        DATASETS.get("mixture").load(**options)


def test_spectra_fall_with_frequency_and_at_another_rate_across():
    variances = DATASETS.get("gaussian").distribution.variances[0]
    # Slow frequencies first, (down, across): (0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0), ...
    expected = [0.4, 0.4 * 0.8, 0.4 * 0.5, 0.4 * 0.8**2, 0.4 * 0.5 * 0.8, 0.4 * 0.5**2]
    torch.testing.assert_close(variances[:6].sqrt(), torch.tensor(expected, dtype=torch.float64))


def test_empirical_is_the_training_digits(digits):
    known = DATASETS.get("empirical").distribution
    torch.testing.assert_close(known.images, to_float(digits.train).double().flatten(1), rtol=0, atol=0)
