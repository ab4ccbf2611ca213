"""The networks that methods share, their averaged weights, and the files they are stored in."""

from samplerbench.models.autoencoder import Autoencoder, AutoencoderConfig
from samplerbench.models.checkpoint import Checkpoint, CheckpointError, load, save, shipped
from samplerbench.models.digits_cnn import DigitsCNN
from samplerbench.models.ema import EMA
from samplerbench.models.encoder import Encoder, EncoderConfig
from samplerbench.models.facts import CheckpointFacts
from samplerbench.models.noisy_classifier import NoisyClassifier, NoisyClassifierConfig
from samplerbench.models.unet import PRESETS, UNet, UNetConfig, fitting, weaker

__all__ = [
    "EMA", "PRESETS", "Autoencoder", "AutoencoderConfig", "Checkpoint", "CheckpointError", "CheckpointFacts",
    "DigitsCNN", "Encoder", "EncoderConfig", "NoisyClassifier", "NoisyClassifierConfig", "UNet", "UNetConfig",
    "fitting", "load", "save", "shipped", "weaker",
]  # fmt: skip
