"""Convolutions and transposed convolutions over one, two and three dimensions, and those that learn their channels."""

from __future__ import annotations

import math

from lumbre import _C, empty
from lumbre.nn import functional as F
from lumbre.nn import init
from lumbre.nn.modules.lazy import LazyModuleMixin
from lumbre.nn.modules.module import Module
from lumbre.nn.modules.utils import _pair, _reverse_repeat_tuple, _single, _triple
from lumbre.nn.parameter import Parameter, UninitializedParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

_PADDING_NAMES = ("same", "valid")
_PADDING_MODES = ("zeros", "reflect", "circular", "replicate")


def _listed(names: Sequence[str]) -> str:
    return "{" + ", ".join(repr(name) for name in names) + "}"


class _ConvNd(Module):
    """What all convolutions share: the options, the weights, their first values, the printed form."""

    __constants__ = (
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_options(in_channels, out_channels, groups, stride, padding, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = _pad_amounts(kernel_size, dilation, padding)
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(empty((*channels, *kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias uniformly within 1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = init._calculate_fan_in_and_fan_out(self.weight)[0]
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [str(self.in_channels), str(self.out_channels)]
        parts += [f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        for name, plain in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (plain,) * len(value):
                parts.append(f"{name}={value}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


def _check_options(
    in_channels: int, out_channels: int, groups: int, stride: tuple, padding: Any, padding_mode: str
) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        if padding not in _PADDING_NAMES:
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {_listed(_PADDING_NAMES)}")
        if padding == "same" and any(step != 1 for step in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            f"padding_mode must be one of {_listed(_PADDING_MODES)}, but got padding_mode='{padding_mode}'"
        )


def _pad_amounts(kernel_size: tuple[int, ...], dilation: tuple[int, ...], padding: Any) -> Any:
    """The padding in the order of ``functional.pad``: last dimension first, both sides."""
    if not isinstance(padding, str):
        return _reverse_repeat_tuple(padding, 2)
    amounts = [0] * (2 * len(kernel_size))
    if padding == "same":
        for place, (size, spread) in enumerate(zip(reversed(kernel_size), reversed(dilation), strict=False)):
            total = spread * (size - 1)
            amounts[2 * place : 2 * place + 2] = total // 2, total - total // 2
    return amounts


class _Conv(_ConvNd):
    """A convolution over as many dimensions as ``_tuple`` repeats."""

    _tuple: Any
    _function: str

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        many = type(self)._tuple
        super().__init__(
            in_channels,
            out_channels,
            many(kernel_size),
            many(stride),
            padding if isinstance(padding, str) else many(padding),
            many(dilation),
            False,
            many(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolve, padding = getattr(F, self._function), self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = type(self)._tuple(0)
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Convolves (N, C, L), or (C, L), with learned kernels.

    ``padding`` is a number per dimension, "same" or "valid"; ``padding_mode`` is zeros, reflect, replicate or
    circular. weight is (out_channels, in_channels / groups, *kernel_size), bias (out_channels,). ValueError for
    options that do not go together, RuntimeError for inputs of another size.

    >>> torch.nn.Conv1d(2, 4, 3)(torch.zeros(1, 2, 8)).shape
    torch.Size([1, 4, 6])
    """

    _tuple = staticmethod(_single)
    _function = "conv1d"


class Conv2d(_Conv):
    """Convolves (N, C, H, W), or (C, H, W), with learned kernels; options as in ``Conv1d``.

    >>> torch.nn.Conv2d(3, 8, 3, padding="same")(torch.zeros(1, 3, 6, 6)).shape
    torch.Size([1, 8, 6, 6])
    """

    _tuple = staticmethod(_pair)
    _function = "conv2d"


class Conv3d(_Conv):
    """Convolves (N, C, D, H, W), or (C, D, H, W), with learned kernels; options as in ``Conv1d``.

    >>> torch.nn.Conv3d(1, 2, 2)(torch.zeros(1, 1, 3, 3, 3)).shape
    torch.Size([1, 2, 2, 2, 2])
    """

    _tuple = staticmethod(_triple)
    _function = "conv3d"


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {self.__class__.__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Any,
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Sequence[int]:
        """What must be added at the far ends for an output of the wanted size; ValueError where it cannot be."""
        if output_size is None:
            return _single(self.output_padding)
        leading = 2 if input.dim() == num_spatial_dims + 2 else 1
        if len(output_size) == leading + num_spatial_dims:
            output_size = output_size[leading:]
        if len(output_size) != num_spatial_dims:
            raise ValueError(
                f"ConvTranspose{num_spatial_dims}D: for {input.dim()}D input, output_size must have "
                f"{num_spatial_dims} or {leading + num_spatial_dims} elements (got {len(output_size)})"
            )
        spread = dilation or (1,) * num_spatial_dims
        least = [
            (input.size(dim + leading) - 1) * stride[dim] - 2 * padding[dim] + spread[dim] * (kernel_size[dim] - 1) + 1
            for dim in range(num_spatial_dims)
        ]
        most = [size + step - 1 for size, step in zip(least, stride, strict=False)]
        if any(not low <= size <= high for low, size, high in zip(least, output_size, most, strict=False)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} "
                f"(for an input of {input.size()[2:]})"
            )
        return [size - low for size, low in zip(output_size, least, strict=False)]


class _ConvTranspose(_ConvTransposeNd):
    """A transposed convolution over as many dimensions as ``_tuple`` repeats."""

    _tuple: Any
    _function: str
    _dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        many = type(self)._tuple
        super().__init__(
            in_channels, out_channels, many(kernel_size), many(stride), many(padding), many(dilation), True,
            many(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        output_padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, self._dims, self.dilation
        )
        convolve = getattr(F, self._function)
        return convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )


class ConvTranspose1d(_ConvTranspose):
    """The transpose of ``Conv1d``: spreads each of (N, C, L), or (C, L), over a learned kernel.

    weight is (in_channels, out_channels / groups, *kernel_size). ``output_size`` of the call picks one of the sizes
    that the stride leaves open. ValueError where it cannot be had.

    >>> torch.nn.ConvTranspose1d(2, 4, 3, stride=2)(torch.zeros(1, 2, 4), output_size=[10]).shape
    torch.Size([1, 4, 10])
    """

    _tuple = staticmethod(_single)
    _function = "conv_transpose1d"
    _dims = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of ``Conv2d`` over (N, C, H, W) or (C, H, W); see ``ConvTranspose1d``.

    >>> torch.nn.ConvTranspose2d(3, 8, 2, stride=2)(torch.zeros(1, 3, 4, 4)).shape
    torch.Size([1, 8, 8, 8])
    """

    _tuple = staticmethod(_pair)
    _function = "conv_transpose2d"
    _dims = 2


class ConvTranspose3d(_ConvTranspose):
    """The transpose of ``Conv3d`` over (N, C, D, H, W) or (C, D, H, W); see ``ConvTranspose1d``.

    >>> torch.nn.ConvTranspose3d(1, 2, 2)(torch.zeros(1, 1, 3, 3, 3)).shape
    torch.Size([1, 2, 4, 4, 4])
    """

    _tuple = staticmethod(_triple)
    _function = "conv_transpose3d"
    _dims = 3


class _LazyConvXdMixin(LazyModuleMixin):
    """Waits for the first input to learn the number of its channels."""

    groups: int
    transposed: bool
    kernel_size: tuple[int, ...]

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        channels = (self.out_channels, self.in_channels // self.groups)
        if self.transposed:
            channels = (self.in_channels, self.out_channels // self.groups)
        self.weight.materialize((*channels, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input: Tensor) -> int:
        dims = self._get_num_spatial_dims()
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {self.__class__.__name__}, "
                f"but got input of size: {input.shape}"
            )
        return input.shape[1] if input.dim() == dims + 2 else input.shape[0]

    def _get_num_spatial_dims(self) -> int:
        return len(self.kernel_size)

    def _wait(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)


class _LazyConv(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
        self._wait(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode, device, dtype
        )
        self._wait(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A ``Conv1d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConv1d(4, 3)(torch.zeros(1, 2, 8)).shape
    torch.Size([1, 4, 6])
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A ``Conv2d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConv2d(4, 3)(torch.zeros(1, 2, 8, 8)).shape
    torch.Size([1, 4, 6, 6])
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A ``Conv3d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConv3d(4, 2)(torch.zeros(1, 2, 3, 3, 3)).shape
    torch.Size([1, 4, 2, 2, 2])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ``ConvTranspose1d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConvTranspose1d(4, 3)(torch.zeros(1, 2, 8)).shape
    torch.Size([1, 4, 10])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ``ConvTranspose2d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConvTranspose2d(4, 3)(torch.zeros(1, 2, 8, 8)).shape
    torch.Size([1, 4, 10, 10])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ``ConvTranspose3d`` that takes ``in_channels`` from its first input.

    >>> torch.nn.LazyConvTranspose3d(4, 2)(torch.zeros(1, 2, 3, 3, 3)).shape
    torch.Size([1, 4, 4, 4, 4])
    """

    cls_to_become = ConvTranspose3d
