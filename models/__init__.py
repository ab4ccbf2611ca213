"""The network that every method shares, its averaged weights, and the files they are kept in."""

from models.checkpoint import Checkpoint, CheckpointError, load, save, shipped
from models.ema import EMA
from models.unet import PRESETS, UNet, UNetConfig

__all__ = ["EMA", "PRESETS", "Checkpoint", "CheckpointError", "UNet", "UNetConfig", "load", "save", "shipped"]
