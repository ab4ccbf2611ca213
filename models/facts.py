"""What a checkpoint records about its network and its training: the keys of its metadata, defined once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class CheckpointFacts:
    """The metadata of a checkpoint, as strings; empty where it is not recorded.

    kind: of the network, from `kinds.KINDS`; empty for a file without a network, such as a learned solver.
    architecture: the options of the network, as JSON.
    recipe: the recipe it was trained with; empty for a classifier.
    dataset: the name of the data set. data: the digest of its images.
    latent: the kind and the digest of the autoencoder in whose latents it was trained; empty for images.
    latent_scale: of an autoencoder, one over the standard deviation of its latents of the training images.
    condition: what the network is told of each image instead of a label, as a spec.
    teacher, teacher_digest: the recipe and the digest of the checkpoint that a student was distilled from.
    origin: the recipe of the undistilled network at the root of a student's teachers.
    pairs: number and digest of the pairs of noise and image that it was trained on.
    iterations, batch_size, learning_rate, ema_decay, label_drop, seed: the settings of the training.
    dtype: of its arithmetic; empty for float32. compile: `true` if its networks were compiled; empty if not.
    cost: of the training, including earlier stages of a student, as JSON.
    date: when the training ended, in UTC.
    """

    kind: str = ""
    architecture: str = ""
    recipe: str = ""
    dataset: str = ""
    data: str = ""
    latent: str = ""
    latent_scale: str = ""
    condition: str = ""
    teacher: str = ""
    teacher_digest: str = ""
    origin: str = ""
    pairs: str = ""
    iterations: str = ""
    batch_size: str = ""
    learning_rate: str = ""
    ema_decay: str = ""
    label_drop: str = ""
    seed: str = ""
    dtype: str = ""
    compile: str = ""
    cost: str = ""
    date: str = ""

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> "CheckpointFacts":
        """The facts in a file's metadata, whose further entries are ignored."""
        known = {field.name: metadata[field.name] for field in fields(cls) if field.name in metadata}
        return cls(**{"kind": _kind_before_it_was_recorded(metadata)} | known)

    @property
    def metadata(self) -> dict[str, str]:
        """The recorded facts, as a file stores them."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}


def _kind_before_it_was_recorded(metadata: Mapping[str, str]) -> str:
    """The kind of network in a file of version 0.2 or older, which do not record it."""
    if "extractor" in metadata:
        return "digits-cnn"
    if "classifier" in metadata:
        return "noisy-classifier"
    return "unet" if "architecture" in metadata else ""
