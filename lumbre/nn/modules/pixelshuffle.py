"""Channels as pixels, and back."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules._settings import SettingsModule

Tensor = _C.Tensor
__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(SettingsModule):
    """(N, C * r * r, H, W) to (N, C, H * r, W * r)."""

    settings = (("upscale_factor", SettingsModule.required),)

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(SettingsModule):
    """(N, C, H * r, W * r) to (N, C * r * r, H, W)."""

    settings = (("downscale_factor", SettingsModule.required),)

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)
