"""An autoencoder: images to latents of a lower resolution, in which samplers run faster, and back."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from samplerbench.models.bottleneck import Bottleneck, Codebook, GaussianPosterior
from samplerbench.models.residual import GROUPS, Residual

KINDS = ("kl", "vq")
LARGEST = 4096  # pixels a side
MOST_CODES = 65_536
PERCEPTUAL = 0.5  # weight of the mean squared error of features


@dataclass(frozen=True)
class AutoencoderConfig:
    """The architecture, as stored in a checkpoint. Raises ValueError for values that are impossible.

    kind: `kl`, a Gaussian posterior; `vq`, a codebook of `codes` vectors.
    channels: width at full resolution; each halving doubles it.
    factor: by which the latents are smaller than the image, a power of 2.
    """

    kind: Literal["kl", "vq"] = "kl"
    resolution: int = 28
    image_channels: int = 1
    channels: int = 16
    latent_channels: int = 4
    factor: int = 4
    codes: int = 512

    def __post_init__(self) -> None:
        # The metadata of a damaged checkpoint may say anything.
        if self.kind not in KINDS:
            raise ValueError(f"an autoencoder is of the kind kl or vq, not {self.kind!r}")
        if not 1 <= self.resolution <= LARGEST:
            raise ValueError(f"the resolution must lie between 1 and {LARGEST}, not {self.resolution}")
        if self.factor < 1 or self.factor & (self.factor - 1):
            raise ValueError(f"latents are smaller by a power of 2, not by {self.factor}")
        if self.resolution % self.factor:
            raise ValueError(f"a side of {self.resolution} pixels cannot be divided by {self.factor}")
        if self.channels < 1 or self.channels % GROUPS:
            raise ValueError(f"the channels are a multiple of {GROUPS}, not {self.channels}")
        if min(self.image_channels, self.latent_channels) < 1:
            raise ValueError("images and latents have at least one channel")
        if not 1 <= self.codes <= MOST_CODES:
            raise ValueError(f"a codebook has 1 to {MOST_CODES} codes, not {self.codes}")

    @property
    def widths(self) -> list[int]:
        """The channels at each resolution, from fine to coarse."""
        return [self.channels * 2**level for level in range(self.factor.bit_length())]


class Autoencoder(nn.Module):
    """A residual encoder and decoder, and a bottleneck between them, as in latent diffusion (arXiv 2112.10752)."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = config
        self.bottleneck = _bottleneck(config)
        self.encoder = _encoder(config, self.bottleneck.outputs)
        self.decoder = _decoder(config)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """The shape (C', h, w) of the latents of an image."""
        side = self.config.resolution // self.config.factor
        return self.config.latent_channels, side, side

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, C', h, w) of images (B, C, H, W) in [-1, 1].

        The posterior's mean, or the encoder's output before quantisation.
        """
        return self.bottleneck.latents(self.encoder(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, C, H, W), about in [-1, 1], of latents (B, C', h, w).

        Latents are first moved to the nearest codes, if there are codes.
        """
        return self.decoder(self.bottleneck.restored(latents))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) after they have passed through the latents."""
        return self.decode(self.encode(images))

    def loss(
        self, images: Tensor, labels: Tensor | None = None, features: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """The absolute error of each image (B,), the penalty of its latents, and the error of its features.

        features: images -> (B, D), of a network that tells sharp images from blurred ones. labels: not used.
        """
        latents, penalty = self.bottleneck(self.encoder(images))
        decoded = self.decoder(latents)
        loss = (decoded - images).abs().mean((1, 2, 3)) + penalty
        if features:
            loss = loss + PERCEPTUAL * (features(decoded) - features(images)).square().mean(1)
        return loss


def _bottleneck(config: AutoencoderConfig) -> Bottleneck:
    if config.kind == "vq":
        return Codebook(config.codes, config.latent_channels)
    return GaussianPosterior(config.latent_channels)


def _encoder(config: AutoencoderConfig, outputs: int) -> nn.Sequential:
    """Images (B, C, H, W) -> (B, outputs, h, w)."""
    widths = config.widths
    halvings = [Residual(fine, coarse, stride=2) for fine, coarse in pairwise(widths)]
    return nn.Sequential(
        nn.Conv2d(config.image_channels, widths[0], 3, padding=1), Residual(widths[0], widths[0]), *halvings,
        Residual(widths[-1], widths[-1]), *_head(widths[-1], outputs),
    )  # fmt: skip


def _decoder(config: AutoencoderConfig) -> nn.Sequential:
    """Latents (B, C', h, w) -> images (B, C, H, W)."""
    widths = config.widths[::-1]
    doublings = [_doubled(coarse, fine) for coarse, fine in pairwise(widths)]
    return nn.Sequential(
        nn.Conv2d(config.latent_channels, widths[0], 3, padding=1), Residual(widths[0], widths[0]), *doublings,
        Residual(widths[-1], widths[-1]), *_head(widths[-1], config.image_channels),
    )  # fmt: skip


def _doubled(channels: int, out_channels: int) -> nn.Sequential:
    """Twice the resolution, then a residual block."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), Residual(channels, out_channels))


def _head(channels: int, outputs: int) -> tuple[nn.Module, ...]:
    """A last convolution, after normalisation."""
    return nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, outputs, 3, padding=1)
