"""Padding with a constant, by reflection, by repeating the border, and around a circle."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules.module import Module
from lumbre.nn.modules.utils import _ntuple, _pair, _quadruple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor
_sextuple = _ntuple(6, "_sextuple")

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _ModePad(Module):
    """Padding by a mode of ``functional.pad``; ``_amounts`` makes one number as many as are needed."""

    __constants__ = ("padding",)
    _amounts: Any
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = type(self)._amounts(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_ModePad):
    _mode = "circular"
    _dims: int

    def _check_input_dim(self, input: Tensor) -> None:
        least = self._dims + 1
        if input.dim() not in (least, least + 1):
            raise ValueError(f"expected {least}D or {least + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return F.pad(input, self.padding, "circular")


class CircularPad1d(_CircularPadNd):
    """Pads the last dimension of (C, W) or (N, C, W) with its other end. padding: a number or (left, right).

    >>> torch.nn.CircularPad1d(1)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[3., 1., 2., 3., 1.]]])
    """

    _amounts = staticmethod(_pair)
    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pads the last two dimensions of (C, H, W) or (N, C, H, W) with their other ends.

    >>> torch.nn.CircularPad2d((1, 0, 0, 0))(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[3., 1., 2., 3.]]])
    """

    _amounts = staticmethod(_quadruple)
    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pads the last three dimensions of (C, D, H, W) or (N, C, D, H, W) with their other ends.

    >>> torch.nn.CircularPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _amounts = staticmethod(_sextuple)
    _dims = 3


class _ConstantPadNd(Module):
    __constants__ = ("padding", "value")

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with a value. padding: a number or (left, right).

    >>> torch.nn.ConstantPad1d((1, 0), 9.)(torch.tensor([1., 2.]))
    tensor([9., 1., 2.])
    """

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(value)
        self.padding = _pair(padding)


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with a value. padding: a number or (left, right, top, bottom).

    >>> torch.nn.ConstantPad2d(1, 0.)(torch.zeros(2, 2)).shape
    torch.Size([4, 4])
    """

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(value)
        self.padding = _quadruple(padding)


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with a value. padding: a number or six, last dimension first.

    >>> torch.nn.ConstantPad3d(1, 0.)(torch.zeros(2, 2, 2)).shape
    torch.Size([4, 4, 4])
    """

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(value)
        self.padding = _sextuple(padding)


class ZeroPad1d(ConstantPad1d):
    """Pads the last dimension with zeros.

    >>> torch.nn.ZeroPad1d((1, 0))(torch.tensor([1., 2.]))
    tensor([0., 1., 2.])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Pads the last two dimensions with zeros.

    >>> torch.nn.ZeroPad2d(1)(torch.zeros(2, 2)).shape
    torch.Size([4, 4])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Pads the last three dimensions with zeros.

    >>> torch.nn.ZeroPad3d(1)(torch.zeros(2, 2, 2)).shape
    torch.Size([4, 4, 4])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPadNd(_ModePad):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads the last dimension of (C, W) or (N, C, W) with its mirror image, the border not repeated.

    >>> torch.nn.ReflectionPad1d(1)(torch.tensor([[1., 2., 3.]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    _amounts = staticmethod(_pair)


class ReflectionPad2d(_ReflectionPadNd):
    """Pads the last two dimensions of (C, H, W) or (N, C, H, W) with their mirror image.

    >>> torch.nn.ReflectionPad2d(1)(torch.zeros(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    _amounts = staticmethod(_quadruple)


class ReflectionPad3d(_ReflectionPadNd):
    """Pads the last three dimensions of (C, D, H, W) or (N, C, D, H, W) with their mirror image.

    >>> torch.nn.ReflectionPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _amounts = staticmethod(_sextuple)


class _ReplicationPadNd(_ModePad):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads the last dimension of (C, W) or (N, C, W) by repeating its ends.

    >>> torch.nn.ReplicationPad1d(1)(torch.tensor([[1., 2., 3.]]))
    tensor([[1., 1., 2., 3., 3.]])
    """

    _amounts = staticmethod(_pair)


class ReplicationPad2d(_ReplicationPadNd):
    """Pads the last two dimensions of (C, H, W) or (N, C, H, W) by repeating their border.

    >>> torch.nn.ReplicationPad2d(1)(torch.zeros(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    _amounts = staticmethod(_quadruple)


class ReplicationPad3d(_ReplicationPadNd):
    """Pads the last three dimensions of (C, D, H, W) or (N, C, D, H, W) by repeating their border.

    >>> torch.nn.ReplicationPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _amounts = staticmethod(_sextuple)
