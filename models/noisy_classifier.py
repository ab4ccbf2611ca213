"""The classifier of noisy images for classifier guidance."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.layers import Downsample, Stage, TimeEmbedding

MAX_LOG_SNR, MIN_LOG_SNR = 10.0, -10.0  # the range it is trained on


@dataclass(frozen=True)
class NoisyClassifierConfig:
    """The architecture, as stored in a checkpoint.

    channels: width at full resolution; each halving, down to 4 pixels, doubles it, up to four times this width.
    classes: number of labels.
    """

    resolution: int = 8
    image_channels: int = 1
    channels: int = 32
    dropout: float = 0.3
    classes: int = 10


class NoisyClassifier(nn.Module):
    """The encoder of a U-Net, conditioned on the log-SNR instead of the time, and so applicable to every path.

    forward(x, log_snr): x (B, C, H, W) of variance-preserving scale, x_t / sqrt(alpha^2 + sigma^2); log_snr (B,).
    Returns logits (B, classes). They are scaled by alpha / sqrt(alpha^2 + sigma^2): without signal all classes are
    equally likely, and the gradient fades with the signal, as that of the exact classifier does.
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
        clamped = log_snr.clamp(MIN_LOG_SNR, MAX_LOG_SNR)
        embedding = self.time((clamped - MIN_LOG_SNR) / (MAX_LOG_SNR - MIN_LOG_SNR))
        h = self.conv_in(x)
        for stage in self.stages:
            h = stage(h, embedding)
        return torch.sigmoid(log_snr).sqrt()[:, None] * self.classify(F.silu(h).mean((2, 3)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of each image (B,), noised to a uniformly random log-SNR."""
        log_snr = torch.rand(len(images), device=images.device) * (MAX_LOG_SNR - MIN_LOG_SNR) + MIN_LOG_SNR
        alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
        noisy = alpha * images + sigma * torch.randn_like(images)
        return F.cross_entropy(self(noisy, log_snr), labels, reduction="none")
