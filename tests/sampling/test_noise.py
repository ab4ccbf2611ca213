import torch

from samplerbench.sampling.noise import BLOCKS, IMAGES_PER_BLOCK, ImageNoise, image_labels


def test_noise_belongs_to_the_image():
    x = torch.empty(4, 1, 8, 8)
    noise, alone = ImageNoise(0, range(4)), ImageNoise(0, [2])
    first, second = noise(x), noise(x)
    torch.testing.assert_close(alone(x[:1])[0], first[2], rtol=0, atol=0)
    torch.testing.assert_close(alone(x[:1])[0], second[2], rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert (noise.draws, alone.draws) == (2, 2)


def test_no_two_images_share_their_noise():
    # A seed beyond 32 bits would be cut off, and all blocks would be the same.
    x, blocks, indices = torch.empty(1, 1, 8, 8), (0, 1, BLOCKS - 1), (0, 1, IMAGES_PER_BLOCK - 1)
    drawn = torch.stack([ImageNoise(block, [index])(x) for block in blocks for index in indices])
    assert len(drawn.flatten(1).unique(dim=0)) == 9


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
    counts = labels.bincount(minlength=10).double()
    assert ((counts - 500) ** 2 / 500).sum() < 27.9, "chi-square of 9 degrees of freedom, p = 0.001"
