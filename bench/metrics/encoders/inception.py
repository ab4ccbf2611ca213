"""Inception, the network of the FID that papers report."""

from dataclasses import dataclass, field
from pathlib import Path

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding, check_colours
from samplerbench.metrics.extractors import INCEPTION, INCEPTION_WEIGHTS, Extractor, inception_file
from samplerbench.metrics.state_dict import read_state


@ENCODERS.register("inception")
@dataclass(frozen=True)
class InceptionEncoder(Encoder):
    """The 2048 features of torch-fidelity's Inception, those of a published FID, from a file.

    weights: the file, as torch-fidelity's releases have it; by default, where torch.hub keeps checkpoints.
    """

    weights: str | None = field(default=None, metadata={"argument": "FILE"})

    meaning = "Inception, a classifier of photographs trained on ImageNet"

    def load(self, shape, device):
        check_colours(shape, self.name)
        path = Path(self.weights).expanduser() if self.weights else inception_file()
        if not path.is_file():
            raise InputError(
                f"The encoder inception needs its weights (91 MB), but there is no file {str(path)!r}: put "
                f"{INCEPTION_WEIGHTS} from torch-fidelity's releases there, or give its path as "
                "fd[encoder=inception:FILE]."
            )
        state = read_state(path, "Inception", INCEPTION_WEIGHTS)  # torch-fidelity would run code from the file
        try:
            extractor = Extractor(INCEPTION, device, weights=str(path))
        except RuntimeError as error:
            raise InputError(
                f"{str(path)!r} does not hold the weights of torch-fidelity's Inception: use {INCEPTION_WEIGHTS}."
            ) from error
        return Encoding(
            extractor.width, digest(*state.values()), lambda images: extractor.extract(images).features, device,
            "Inception",
        )  # fmt: skip
