"""Encoders that `bench train encoder` has trained."""

from dataclasses import dataclass, field
from pathlib import Path

from samplerbench.data.dataset import digest, to_float
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding
from samplerbench.models import load
from samplerbench.models.encoder import FEATURES


@ENCODERS.register("trained")
@dataclass(frozen=True)
class TrainedEncoder(Encoder):
    """The 128 features of a classifier that `bench train encoder` has trained on data like yours.

    weights: its file, checkpoints/DATASET/encoder.safetensors.
    """

    weights: str = field(metadata={"argument": "FILE"})

    meaning = "a classifier trained by `bench train encoder`, whose weights the protocol records"

    def load(self, shape, device):
        path = Path(self.weights).expanduser()
        if not path.is_file():
            raise InputError(f"There is no encoder {self.weights!r}: `bench train encoder --dataset NAME` trains one.")
        checkpoint = load(path)
        net = checkpoint.encoder().to(device)
        expected = (net.config.image_channels, net.config.resolution, net.config.resolution)
        if shape != expected:
            theirs, ours = ("x".join(map(str, each)) for each in (expected, shape))
            raise InputError(
                f"{self.weights!r} encodes images of {theirs}, and these are {ours}: train one with "
                "`bench train encoder --dataset NAME`."
            )
        weights = (checkpoint.weights[name] for name in sorted(checkpoint.weights))  # the file has a date too
        label = f"encoder of {checkpoint.facts.dataset or 'unknown data'}"
        return Encoding(FEATURES, digest(*weights), lambda images: net.features(to_float(images)), device, label)
