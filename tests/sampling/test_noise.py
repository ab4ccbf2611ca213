import torch

from samplerbench.sampling.noise import (
    BLOCKS,
    HOLDOUT,
    IMAGES_PER_BLOCK,
    LIKELIHOOD,
    PAIRS,
    SAMPLING,
    SEARCH,
    ImageNoise,
    image_labels,
)


def test_noise_belongs_to_the_image():
    x = torch.empty(4, 1, 8, 8)
    noise, alone = ImageNoise(0, range(4)), ImageNoise(0, [2])
    first, second = noise(x), noise(x)
    torch.testing.assert_close(alone(x[:1])[0], first[2], rtol=0, atol=0)
    torch.testing.assert_close(alone(x[:1])[0], second[2], rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert (noise.draws, alone.draws) == (2, 2)


def test_no_two_images_and_no_two_purposes_share_their_noise():
    x, blocks, indices = torch.empty(1, 1, 8, 8), (0, 1, BLOCKS - 1), (0, 1, IMAGES_PER_BLOCK - 1)
    purposes = SAMPLING, PAIRS, SEARCH, HOLDOUT, LIKELIHOOD
    each = [ImageNoise(block, [index], purpose) for purpose in purposes for block in blocks for index in indices]
    drawn = torch.stack([noise(x) for noise in each for _ in range(50)])
    assert len(drawn.flatten().unique()) > 0.99 * drawn.numel(), "float32 normal numbers coincide once in a thousand"


def test_noise_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    ImageNoise(0, range(4))(torch.empty(4, 1, 8, 8))
    assert torch.equal(before, torch.get_rng_state())


def test_noise_is_the_same_in_every_dtype():
    x = torch.empty(2, 1, 8, 8)
    single, double = ImageNoise(1, range(2))(x), ImageNoise(1, range(2))(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double, single.double(), rtol=0, atol=0)


def test_labels_belong_to_the_image_and_are_uniform():
    labels = image_labels(3, range(5000), 10)
    assert torch.equal(image_labels(3, range(100, 200), 10), labels[100:200])
    assert not torch.equal(image_labels(4, range(5000), 10), labels)
    assert not torch.equal(image_labels(3, range(5000), 10, PAIRS), labels)
    counts = labels.bincount(minlength=10).double()
    assert ((counts - 500) ** 2 / 500).sum() < 27.9, "chi-square of 9 degrees of freedom, p = 0.001"
