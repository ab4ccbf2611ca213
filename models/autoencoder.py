"""Autoencoders whose latents diffusion models are trained in: with a KL term, or vector-quantised (arXiv 2112.10752)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.encoder import Residual

LARGEST = 4096  # pixels a side
KL, PERCEPTUAL, COMMITMENT = 3e-3, 1e-2, 0.25  # weights in the loss
UNUSED = 0.03  # a code whose moving share of uses falls below this many times an even share is replaced
Features = Callable[[Tensor], Tensor]  # images (B, C, H, W) in [-1, 1] -> (B, D)


@dataclass(frozen=True)
class AutoencoderConfig:
    """The architecture, as stored in a checkpoint. Raises ValueError for an impossible one.

    kind: `kl` or `vq`. channels: width at full resolution; each halving doubles it, up to 64.
    latent: channels of the latents. factor: by which they are smaller than the images, a power of 2. codes: of `vq`.
    """

    kind: Literal["kl", "vq"] = "kl"
    resolution: int = 28
    image_channels: int = 1
    channels: int = 16
    latent: int = 4
    factor: int = 4
    codes: int = 512

    def __post_init__(self) -> None:
        if self.kind not in ("kl", "vq"):
            raise ValueError(f"an autoencoder is of the kind kl or vq, not {self.kind!r}")
        if not 1 <= self.resolution <= LARGEST or self.factor < 1 or self.resolution % self.factor:
            raise ValueError(f"images of {self.resolution} pixels a side cannot be made {self.factor} times smaller")
        if self.factor & (self.factor - 1):
            raise ValueError(f"the factor must be a power of 2, not {self.factor}")

    @property
    def widths(self) -> list[int]:
        """Channels at each resolution, from fine to coarse."""
        return [min(self.channels << level, 64) for level in range(1 + int(log2(self.factor)))]


class Autoencoder(nn.Module):
    """Residual convolutions to latents (B, c, H / factor, W / factor) and back.

    With `vq`, latents are the encoder's output, and decoding replaces each vector by the nearest code first.
    """

    share: Tensor

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        outputs = config.latent * (2 if config.kind == "kl" else 1)
        self.encoder = nn.Sequential(
            nn.Conv2d(config.image_channels, widths[0], 3, padding=1), Residual(widths[0], widths[0]),
            *(Residual(a, b, stride=2) for a, b in zip(widths, widths[1:], strict=False)),
            nn.GroupNorm(8, widths[-1]), nn.SiLU(), nn.Conv2d(widths[-1], outputs, 3, padding=1),
        )  # fmt: skip
        back = widths[::-1]
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent, back[0], 3, padding=1), Residual(back[0], back[0]),
            *(nn.Sequential(nn.Upsample(scale_factor=2.0), Residual(a, b)) for a, b in zip(back, back[1:], strict=False)),
            nn.GroupNorm(8, back[-1]), nn.SiLU(), nn.Conv2d(back[-1], config.image_channels, 3, padding=1),
        )  # fmt: skip
        if config.kind == "vq":
            self.codes = nn.Parameter(torch.randn(config.codes, config.latent))
            self.register_buffer("share", torch.full((config.codes,), 1 / config.codes))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(c, h, w) of its latents."""
        side = self.config.resolution // self.config.factor
        return self.config.latent, side, side

    def encode(self, images: Tensor) -> Tensor:
        """The latents (B, c, h, w) of images (B, C, H, W) in [-1, 1]: the mean of the posterior, or unquantised."""
        return self.encoder(images)[:, : self.config.latent]

    def decode(self, latents: Tensor) -> Tensor:
        """The images (B, C, H, W), about in [-1, 1], of latents (B, c, h, w)."""
        return self.decoder(self.quantise(latents)[0] if self.config.kind == "vq" else latents)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) encoded and decoded."""
        return self.decode(self.encode(images))

    def quantise(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest code of each vector of latents (B, c, h, w), in their shape, and its number (B, h, w)."""
        vectors = latents.movedim(1, -1)
        number = torch.cdist(vectors.flatten(0, 2), self.codes).argmin(1).view(vectors.shape[:-1])
        return self.codes[number].movedim(-1, 1), number

    def loss(self, images: Tensor, features: Features | None = None) -> Tensor:
        """The loss of each image (B,): absolute error, perceptual error, and the term of the kind.

        features: of the perceptual error, the squared distance in them; None for none.
        """
        latents, penalty = self._posterior(images) if self.config.kind == "kl" else self._codes(images)
        made = self.decoder(latents)
        error = (made - images).abs().flatten(1).mean(1)
        if features:
            with torch.no_grad():
                wanted = features(images)
            error = error + PERCEPTUAL * (features(made) - wanted).square().sum(1)
        return error + penalty

    def _posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """A draw of the posterior, and its divergence from a standard normal, the mean over latents (B,)."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 10)
        draw = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1) / 2
        return draw, KL * divergence.flatten(1).mean(1)

    def _codes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of latents, with the gradient passed straight through, and the terms that draw both together."""
        latents = self.encode(images)
        codes, number = self.quantise(latents)
        if self.training:
            self._replace_unused(latents.detach(), number)
        to_codes = (codes - latents.detach()).square().flatten(1).mean(1)
        to_latents = (codes.detach() - latents).square().flatten(1).mean(1)
        return latents + (codes - latents).detach(), to_codes + COMMITMENT * to_latents

    @torch.no_grad()
    def _replace_unused(self, latents: Tensor, number: Tensor) -> None:
        """Move codes that are hardly used to latents of this batch, drawn from torch's global generator."""
        uses = number.flatten().bincount(minlength=len(self.codes)) / number.numel()
        self.share.lerp_(uses, 0.01)
        unused = self.share < UNUSED / len(self.codes)
        vectors = latents.movedim(1, -1).flatten(0, 2)
        drawn = torch.randint(len(vectors), (len(self.codes),)).to(vectors.device)
        self.codes.copy_(torch.where(unused[:, None], vectors[drawn], self.codes))
        self.share.masked_fill_(unused, 1 / len(self.codes))
