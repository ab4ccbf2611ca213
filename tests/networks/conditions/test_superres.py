from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import to_float
from samplerbench.errors import InputError
from samplerbench.networks.conditions.base import CONDITIONS, Source
from samplerbench.networks.latent import latent_space


def test_rows_are_the_means_of_blocks_over_their_pixels_or_as_they_are_in_latents(few, few_weights):
    images, condition = few.load(), CONDITIONS.get("superres")
    means = to_float(images.test).view(60, 1, 7, 4, 7, 4).mean((3, 5))
    rows = condition.sampling(Source(few, images)).rows[:-1]
    torch.testing.assert_close(rows.view(60, 1, 7, 4, 7, 4), means[:, :, :, None, :, None].expand(-1, -1, -1, 4, -1, 4))
    space = latent_space(few, "kl", str(few_weights), torch.device("cpu"))
    torch.testing.assert_close(condition.sampling(Source(space, images)).rows[:-1], means)


def test_images_that_no_blocks_fill_are_refused(few):
    images = few.load()
    odd = replace(images, test=images.test[..., :26, :26])
    with pytest.raises(InputError, match="few cannot be divided into blocks of 4x4"):
        CONDITIONS.get("superres").sampling(Source(few, odd))


def test_data_without_held_out_images_are_refused(few):
    images = few.load()
    none = replace(images, test=images.test[:0], test_labels=images.test_labels[:0])
    with pytest.raises(InputError, match="superres is made of held-out images, and few has none"):
        CONDITIONS.get("superres").sampling(Source(few, none))
