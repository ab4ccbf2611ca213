"""Each broken plug-in fails the check of data sets that is meant for it, and no other."""

from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import Dataset, Images


class SoundDataset(Dataset):
    """Noise in three classes: sound, before a test breaks it."""

    resolution, channels, classes, preset, extractor = 8, 1, 3, "digits", "digits-cnn"

    def load(self, root=None, download=False):
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (60, 1, 8, 8), generator=generator, dtype=torch.uint8)
        labels = torch.arange(60) % 3
        return Images(images[:40], labels[:40], images[40:], labels[40:])


class UnquantisedImages(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, train=images.train.float())


class OtherImagesEveryTime(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, train=torch.randint(0, 256, images.train.shape, dtype=torch.uint8))


class FloorInTheReference(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, test=images.train[:20])


class LabelsFromOne(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, test_labels=images.test_labels + 1)


class AnotherResolution(SoundDataset):
    resolution = 16


class UnknownMetric(SoundDataset):
    metrics = ("fid", "beauty")


@pytest.mark.parametrize(
    ("dataset", "caught"),
    [
        (SoundDataset, {}),
        (UnquantisedImages, {"loads_the_images_it_declares": "train is torch.float32, not torch.uint8"}),
        (OtherImagesEveryTime, {"loads_the_same_again": "draws from a global generator"}),
        (FloorInTheReference, {"keeps_the_reference_apart": "100% of the images for the floor"}),
        (LabelsFromOne, {"labels_every_image": "labels from 1 to 3"}),
        (AnotherResolution, {"loads_the_images_it_declares": "not (1, 16, 16)", "describes_itself": "for 1 x 8^2"}),
        (UnknownMetric, {"describes_itself": "No metric is named 'beauty'"}),
    ],
)
def test_a_broken_dataset_fails_the_check_meant_for_it(dataset, caught, assert_caught):
    assert_caught(dataset, caught)
