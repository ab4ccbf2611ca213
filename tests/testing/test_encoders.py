"""Each broken plug-in fails the check of encoders that is meant for it, and no other."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from samplerbench.metrics.encoders.base import Encoder, Encoding


class SoundEncoder(Encoder):
    """The mean and the largest level of every channel: sound, before a test breaks it."""

    meaning = "levels"

    def load(self, shape, device):
        return Encoding(2 * shape[0], "none", lambda images: torch.cat([images.double().mean((2, 3)),
                        images.amax((2, 3))], 1), device)  # fmt: skip


class WithoutMeaning(SoundEncoder):
    meaning = ""


class AnotherWidth(SoundEncoder):
    def load(self, shape, device):
        return replace(super().load(shape, device), width=5)


class Infinite(SoundEncoder):
    def load(self, shape, device):
        return replace(super().load(shape, device), width=1, encode=lambda images: 1 / (0 * images[:, 0, 0, :1]))


class Untrained(SoundEncoder):
    def load(self, shape, device):
        net = nn.Linear(shape[0] * shape[1] * shape[2], 4)
        return Encoding(4, "none", lambda images: net(images.flatten(1).float()), device)


class WithDropout(SoundEncoder):
    def load(self, shape, device):
        made, generator = super().load(shape, device), torch.Generator().manual_seed(0)
        return replace(made, encode=lambda images: made.encode(images)
                       * torch.rand(len(images), 1, generator=generator))  # fmt: skip


class NormalisedByTheBatch(SoundEncoder):
    def load(self, shape, device):
        made = super().load(shape, device)
        return replace(made, encode=lambda images: made.encode(images) - made.encode(images).mean(0))


class BlackPicturesOnly(SoundEncoder):
    def load(self, shape, device):
        made = super().load(shape, device)
        return replace(made, encode=lambda images: made.encode(0 * images))


@pytest.mark.parametrize(
    ("encoder", "caught"),
    [
        (SoundEncoder, {}),
        (WithoutMeaning, {"describes_itself": "needs a meaning"}),
        (AnotherWidth, {"encodes_as_it_declares": "features of (12, 2), not (12, 5)"}),
        (
            Infinite,
            {"encodes_as_it_declares": "not finite", "encodes_each_image_by_itself": "", "tells_images_apart": ""},
        ),
        (Untrained, {"gives_the_same_again": "each time"}),
        (WithDropout, {"gives_the_same_again": "evaluation mode", "encodes_each_image_by_itself": "on the batch"}),
        (NormalisedByTheBatch, {"encodes_each_image_by_itself": "features depend on the batch"}),
        (BlackPicturesOnly, {"tells_images_apart": "the same features for different images"}),
    ],
)
def test_a_broken_encoder_fails_the_check_meant_for_it(encoder, caught, assert_caught):
    assert_caught(encoder, caught)
