"""The network that every method shares, its averaged weights, and the files they are kept in."""

from models.checkpoint import Checkpoint, CheckpointError, load, save, shipped
from models.ema import EMA
from models.noisy_classifier import NoisyClassifier, NoisyClassifierConfig
from models.unet import PRESETS, UNet, UNetConfig, weaker

__all__ = [
    "EMA", "PRESETS", "Checkpoint", "CheckpointError", "NoisyClassifier", "NoisyClassifierConfig", "UNet", "UNetConfig",
    "load", "save", "shipped", "weaker",
]  # fmt: skip
