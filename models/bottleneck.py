"""What lies between the encoder and the decoder of an autoencoder: a Gaussian posterior, or a codebook."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

KL_WEIGHT = 1e-3  # of the divergence of one number of the latents, against the mean error of a pixel
COMMITMENT = 0.25  # beta of VQ-VAE
MEMORY = 0.99  # decay of the running usage of codes
UNUSED = 0.1  # codes used less than this fraction of the average are placed anew


class Bottleneck(nn.Module, ABC):
    """Encoder outputs (B, outputs, h, w) to latents (B, C, h, w).

    outputs: the channels that it needs of the encoder.
    """

    outputs: int

    @abstractmethod
    def latents(self, encoded: Tensor) -> Tensor:
        """The latents of an encoder's outputs, without randomness."""

    @abstractmethod
    def restored(self, latents: Tensor) -> Tensor:
        """The input of the decoder for latents from anywhere, such as a sampler."""

    @abstractmethod
    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """The input of the decoder in training, and the penalty of each image (B,)."""


class GaussianPosterior(Bottleneck):
    """A Gaussian for each latent, pulled towards the standard normal (VAE, arXiv 1312.6114)."""

    def __init__(self, channels: int):
        super().__init__()
        self.outputs = 2 * channels

    def latents(self, encoded: Tensor) -> Tensor:
        return encoded.chunk(2, dim=1)[0]

    def restored(self, latents: Tensor) -> Tensor:
        return latents

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = encoded.chunk(2, dim=1)
        log_variance = log_variance.clamp(-30, 20)  # as in LDM
        sampled = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return sampled, KL_WEIGHT * divergence(mean, log_variance).mean((1, 2, 3))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each number, in nats."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


class Codebook(Bottleneck):
    """The nearest of K codes for each pixel of the latents (VQ-VAE, arXiv 1711.00937).

    The latents are the encoder's outputs, and quantisation belongs to the decoder, as in LDM (arXiv 2112.10752).
    codes: (K, C), trained by gradient. usage: (K,) the running share of pixels that each code is nearest to. Codes that
    lose their pixels are moved to pixels that are far from all codes. All are at first, since no code has been used.
    """

    usage: Tensor

    def __init__(self, codes: int, channels: int):
        super().__init__()
        self.outputs = channels
        self.codes = nn.Parameter(torch.empty(codes, channels))
        nn.init.normal_(self.codes)
        self.register_buffer("usage", torch.zeros(codes))

    def latents(self, encoded: Tensor) -> Tensor:
        return encoded

    def restored(self, latents: Tensor) -> Tensor:
        return self._codes_at(self.nearest(latents))

    def nearest(self, latents: Tensor) -> Tensor:
        """The index of the nearest code of each pixel, (B, C, h, w) -> (B, h, w)."""
        return self._distances(_pixels(latents)).argmin(1).view(len(latents), *latents.shape[2:])

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            self._replace_unused(_pixels(encoded.detach()))
        chosen = self.nearest(encoded.detach())
        if self.training:
            self._count(chosen)
        codes = self._codes_at(chosen)
        codebook, commitment = ((a - b).square().mean((1, 2, 3)) for a, b in _stopped(codes, encoded))
        straight_through = encoded + (codes - encoded).detach()
        return straight_through, codebook + COMMITMENT * commitment

    def _codes_at(self, chosen: Tensor) -> Tensor:
        return embedding(chosen, self.codes).permute(0, 3, 1, 2)

    def _distances(self, pixels: Tensor) -> Tensor:
        """(N, K) squared distances, up to a term that is the same for all codes."""
        return self.codes.square().sum(1) - 2 * pixels @ self.codes.T

    @torch.no_grad()
    def _replace_unused(self, pixels: Tensor) -> None:
        """Move codes without pixels to random pixels (N, C), likelier ones far from all codes (as in k-means++)."""
        unused = self.usage < UNUSED / len(self.codes)
        far = (self._distances(pixels).amin(1) + pixels.square().sum(1)).clamp(min=1e-12)
        drawn = torch.multinomial(far, len(self.codes), replacement=True)
        self.codes.copy_(torch.where(unused[:, None], pixels[drawn], self.codes))
        self.usage.masked_fill_(unused, 1 / len(self.codes))

    @torch.no_grad()
    def _count(self, chosen: Tensor) -> None:
        shares = chosen.flatten().bincount(minlength=len(self.codes)) / chosen.numel()
        self.usage.lerp_(shares, 1 - MEMORY)


def _pixels(latents: Tensor) -> Tensor:
    """(B, C, h, w) -> (B h w, C)."""
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def _stopped(codes: Tensor, encoded: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The pairs whose distances train the codes and the encoder: either with the gradient of the other stopped."""
    return (codes, encoded.detach()), (codes.detach(), encoded)
