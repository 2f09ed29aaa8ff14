"""Distances between pairs of vectors, and changes of shape."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules._settings import SettingsModule
from lumbre.nn.modules.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "ChannelShuffle", "CosineSimilarity", "Flatten", "PairwiseDistance", "PixelShuffle", "PixelUnshuffle", "Unflatten",
]  # fmt: skip


class _Quiet(SettingsModule):
    def extra_repr(self) -> str:
        return ""


class PairwiseDistance(_Quiet):
    """The p-norm of x1 - x2 + eps along the last dimension."""

    settings = (("norm", 2.0), ("eps", 1e-6), ("keepdim", False))

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p, eps, keepdim)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(_Quiet):
    """The cosine of the angle between x1 and x2 along a dimension."""

    settings = (("dim", 1), ("eps", 1e-8))

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class Flatten(SettingsModule):
    """Dimensions from start_dim to end_dim become one.

    >>> torch.nn.Flatten()(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 12])
    """

    settings = (("start_dim", 1), ("end_dim", -1))

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """One dimension becomes several.

    >>> torch.nn.Unflatten(1, (2, 3))(torch.zeros(1, 6)).shape
    torch.Size([1, 2, 3])
    """

    __constants__ = ["dim", "unflattened_size"]

    def __init__(self, dim: Any, unflattened_size: Any) -> None:
        super().__init__()
        if isinstance(dim, int):
            if not isinstance(unflattened_size, (tuple, list)):
                raise TypeError(f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}")
            for i, size in enumerate(unflattened_size):
                if not isinstance(size, int):
                    raise TypeError(
                        f"unflattened_size must be tuple of ints, but found element of type {type(size).__name__} at pos {i}"
                    )
        else:
            raise TypeError(f"invalid argument type for dim parameter: Lumbre has no named dimensions, got {dim!r}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class ChannelShuffle(SettingsModule):
    """Channels of several groups taken in turn."""

    settings = (("groups", SettingsModule.required),)

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)


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
