"""The network that every method shares, its averaged weights, and the files they are kept in."""

from samplerbench.models.checkpoint import Checkpoint, CheckpointError, load, save, shipped
from samplerbench.models.ema import EMA
from samplerbench.models.noisy_classifier import NoisyClassifier, NoisyClassifierConfig
from samplerbench.models.unet import PRESETS, UNet, UNetConfig, weaker

__all__ = [
    "EMA", "PRESETS", "Checkpoint", "CheckpointError", "NoisyClassifier", "NoisyClassifierConfig", "UNet", "UNetConfig",
    "load", "save", "shipped", "weaker",
]  # fmt: skip
