"""Normalisation of each sample by itself: over its last dimensions, groups of channels, or neighbouring channels."""

from __future__ import annotations

from numbers import Integral

from lumbre import _C, empty
from lumbre.nn import functional as F
from lumbre.nn import init
from lumbre.nn.modules.module import Module
from lumbre.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LocalResponseNorm(Module):
    """Divides each element of (N, C, ...) by a power of the squares of its neighbours in ``size`` channels.

    >>> torch.nn.LocalResponseNorm(2, alpha=1., beta=1.)(torch.ones(1, 1, 1))
    tensor([[[0.6667]]])
    """

    __constants__ = ("size", "alpha", "beta", "k")

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """``LocalResponseNorm`` over images (N, C, H, W), windows centred as in the first networks that had it.

    >>> torch.nn.CrossMapLRN2d(1, alpha=1., beta=1.)(torch.ones(1, 1, 1, 1))
    tensor([[[[0.5000]]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        channels, before = input.size(1), int((self.size - 1) / 2 + 1) - 1
        squares = input * input
        padded = F.pad(squares, (0, 0, 0, 0, before, before))
        sums = padded.narrow(1, 0, channels)
        for offset in range(1, 2 * before + 1):
            sums = sums + padded.narrow(1, offset, channels)
        if channels > before + 1:
            # PyTorch's sliding sum never lets go of the first channel.
            far = squares.narrow(1, 0, 1).expand(-1, channels - before - 1, -1, -1)
            sums = sums + F.pad(far, (0, 0, 0, 0, before + 1, 0))
        return input * (self.k + sums * (self.alpha / self.size)) ** -self.beta

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    return (int(normalized_shape),) if isinstance(normalized_shape, Integral) else tuple(normalized_shape)


class LayerNorm(Module):
    """Normalises the last dimensions, whose sizes are ``normalized_shape``, then scales and shifts each element.

    RuntimeError where the input's last sizes are others.

    >>> torch.nn.LayerNorm(2)(torch.tensor([[1., 3.]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    __constants__ = ("normalized_shape", "eps", "elementwise_affine")

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        place = {"device": device, "dtype": dtype}
        wanted = {"weight": elementwise_affine, "bias": elementwise_affine and bias}
        for name, present in wanted.items():
            self.register_parameter(name, Parameter(empty(shape, **place)) if present else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0."""
        if self.elementwise_affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalises ``num_groups`` groups of the channels of (N, C, ...), then scales and shifts each channel.

    ValueError where the groups do not divide the channels.

    >>> torch.nn.GroupNorm(1, 2)(torch.tensor([[1., 3.]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    __constants__ = ("num_groups", "num_channels", "eps", "affine")

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        place = {"device": device, "dtype": dtype}
        for name, present in {"weight": affine, "bias": affine and bias}.items():
            self.register_parameter(name, Parameter(empty(num_channels, **place)) if present else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0."""
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divides the last dimensions by the root of their mean square, then scales each element.

    ``eps`` is the dtype's by default. RuntimeError where the input's last sizes are others.

    >>> torch.nn.RMSNorm(2, eps=0.)(torch.tensor([[1., 1.]])).detach()
    tensor([[1., 1.]])
    """

    __constants__ = ("normalized_shape", "eps", "elementwise_affine")

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(empty(shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.elementwise_affine:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
