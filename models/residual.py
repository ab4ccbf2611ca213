"""The residual block of the convolutional networks that take no time."""

from torch import Tensor, nn

GROUPS = 8  # of channels that are normalised together


class Residual(nn.Module):
    """x + two convolutions of it, (B, C, H, W) -> (B, C', H / stride, W / stride). C and C' are multiples of 8."""

    def __init__(self, channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, stride, padding=1),
            nn.GroupNorm(GROUPS, out_channels), nn.SiLU(), nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )  # fmt: skip
        same = channels == out_channels and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)
