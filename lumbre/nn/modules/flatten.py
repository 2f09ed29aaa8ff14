"""Dimensions joined and split."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn.modules._settings import SettingsModule
from lumbre.nn.modules.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = ["Flatten", "Unflatten"]


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
                raise TypeError(
                    f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}"
                )
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
