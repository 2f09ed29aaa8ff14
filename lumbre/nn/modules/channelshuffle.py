"""Channels in another order."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules._settings import SettingsModule

Tensor = _C.Tensor
__all__ = ["ChannelShuffle"]


class ChannelShuffle(SettingsModule):
    """Channels of several groups taken in turn."""

    settings = (("groups", SettingsModule.required),)

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)
