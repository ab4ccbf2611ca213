"""The classifier that classifier guidance asks: which class a noisy image belongs to."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.unet import Downsample, Stage, TimeEmbedding

LEAST_NOISE, MOST_NOISE = 10.0, -10.0  # the log-SNRs between which it is trained


@dataclass(frozen=True)
class NoisyClassifierConfig:
    """The architecture, as it is written into a checkpoint.

    channels: width at full resolution; each halving, down to 4 pixels, doubles it up to four times that.
    classes: number of labels.
    """

    resolution: int = 8
    image_channels: int = 1
    channels: int = 32
    dropout: float = 0.3
    classes: int = 10


class NoisyClassifier(nn.Module):
    """The encoder of a U-Net that sees the log-SNR in the place of a time, and so serves every path.

    forward(x, log_snr): x (B, C, H, W) of variance-preserving scale, x_t / sqrt(alpha^2 + sigma^2); log_snr (B,).
    Returns logits (B, classes). They carry the factor alpha / sqrt(alpha^2 + sigma^2): without signal all classes are
    equal, and the gradient fades with the signal as that of the exact classifier does.
    """

    def __init__(self, config: NoisyClassifierConfig):
        super().__init__()
        self.config = config
        width, current, resolution = 4 * config.channels, config.channels, config.resolution
        self.time = TimeEmbedding(config.channels, width, scale=100.0)
        self.conv_in = nn.Conv2d(config.image_channels, current, 3, padding=1)
        self.stages = nn.ModuleList([Stage(current, current, width, config.dropout, attention=False)])
        while resolution > 4:
            wider = min(2 * current, 4 * config.channels)
            self.stages += [Downsample(current), Stage(current, wider, width, config.dropout, attention=False)]
            current, resolution = wider, resolution // 2
        self.stages.append(Stage(current, current, width, config.dropout, attention=True))
        self.classify = nn.Linear(current, config.classes)

    def forward(self, x: Tensor, log_snr: Tensor) -> Tensor:
        known = log_snr.clamp(MOST_NOISE, LEAST_NOISE)
        embedding = self.time((known - MOST_NOISE) / (LEAST_NOISE - MOST_NOISE))
        h = self.conv_in(x)
        for stage in self.stages:
            h = stage(h, embedding)
        return torch.sigmoid(log_snr).sqrt()[:, None] * self.classify(F.silu(h).mean((2, 3)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of each image (B,), at a log-SNR that is drawn here, uniformly."""
        log_snr = torch.rand(len(images), device=images.device) * (LEAST_NOISE - MOST_NOISE) + MOST_NOISE
        alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
        noisy = alpha * images + sigma * torch.randn_like(images)
        return F.cross_entropy(self(noisy, log_snr), labels, reduction="none")
