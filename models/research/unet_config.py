"""What the configurations of the research U-Nets share: the ranges of their values, and the arguments of EDM's two."""

from dataclasses import dataclass
from typing import Annotated

from samplerbench.models.research.config import Config, Range

Channels = Annotated[int, Range(4, 4096)]
Images = Annotated[int, Range(1, 64)]  # channels of images
Factor = Annotated[int, Range(1, 64)]
Side = Annotated[int, Range(1, 1024)]
Labels = Annotated[int, Range(0, 100_000)]


@dataclass(frozen=True)
class EDMUNetConfig(Config):
    """The arguments that EDM's SongUNet and DhariwalUNet share, in their order. Raises ValueError if impossible."""

    img_resolution: Side
    in_channels: Images
    out_channels: Images
    label_dim: Labels = 0
    augment_dim: Annotated[int, Range(0, 64)] = 0
    model_channels: Channels = 128
    channel_mult: tuple[Factor, ...] = (1, 2, 2, 2)
    channel_mult_emb: Factor = 4
    num_blocks: Annotated[int, Range(1, 32)] = 4
    attn_resolutions: tuple[Side, ...] = (16,)
    dropout: Annotated[float, Range(0, 1)] = 0.1
    label_dropout: Annotated[float, Range(0, 1)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_levels(self.img_resolution, self.channel_mult)

    def widths(self) -> list[tuple[int, int]]:
        """(resolution, channels) of each level, from fine to coarse."""
        return [(self.img_resolution >> i, self.model_channels * each) for i, each in enumerate(self.channel_mult)]


def check_levels(resolution: int, levels: tuple[int, ...]) -> None:
    """Raises ValueError unless images of this side can be halved to the last level."""
    if not levels or resolution % 2 ** (len(levels) - 1):
        raise ValueError(f"images of side {resolution} cannot be halved {len(levels) - 1} times")
