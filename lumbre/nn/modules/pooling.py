"""Pooling: greatest, average, power-average; by window, by output size, at random places; and the inverse of max pooling."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules.module import Module
from lumbre.nn.modules.utils import _pair, _single, _triple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxPoolNd(Module):
    __constants__ = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")
    _function: str

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The greatest of each window of (N, C, L) or (C, L); with ``return_indices`` also where it stands.

    >>> torch.nn.MaxPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    _function = "max_pool1d"


class MaxPool2d(_MaxPoolNd):
    """The greatest of each window of (N, C, H, W) or (C, H, W); with ``return_indices`` also where it stands.

    >>> torch.nn.MaxPool2d(2)(torch.arange(4.).view(1, 2, 2))
    tensor([[[3.]]])
    """

    _function = "max_pool2d"


class MaxPool3d(_MaxPoolNd):
    """The greatest of each window of (N, C, D, H, W) or (C, D, H, W); with ``return_indices`` also where it stands.

    >>> torch.nn.MaxPool3d(2)(torch.arange(8.).view(1, 2, 2, 2))
    tensor([[[[7.]]]])
    """

    _function = "max_pool3d"


class _MaxUnpoolNd(Module):
    _tuple: Any
    _function: str

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        many = type(self)._tuple
        self.kernel_size = many(kernel_size)
        self.stride = many(kernel_size if stride is None else stride)
        self.padding = many(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        unpool = getattr(F, self._function)
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts the values that ``MaxPool1d`` kept back where they stood, zeros elsewhere.

    >>> pooled, places = torch.nn.MaxPool1d(2, return_indices=True)(torch.tensor([[[1., 3., 2., 0.]]]))
    >>> torch.nn.MaxUnpool1d(2)(pooled, places)
    tensor([[[0., 3., 2., 0.]]])
    """

    _tuple = staticmethod(_single)
    _function = "max_unpool1d"


class MaxUnpool2d(_MaxUnpoolNd):
    """Puts the values that ``MaxPool2d`` kept back where they stood, zeros elsewhere.

    >>> pooled, places = torch.nn.MaxPool2d(2, return_indices=True)(torch.arange(4.).view(1, 1, 2, 2))
    >>> torch.nn.MaxUnpool2d(2)(pooled, places)
    tensor([[[[0., 0.],
              [0., 3.]]]])
    """

    _tuple = staticmethod(_pair)
    _function = "max_unpool2d"


class MaxUnpool3d(_MaxUnpoolNd):
    """Puts the values that ``MaxPool3d`` kept back where they stood, zeros elsewhere.

    >>> pooled, places = torch.nn.MaxPool3d(2, return_indices=True)(torch.ones(1, 1, 2, 2, 2))
    >>> torch.nn.MaxUnpool3d(2)(pooled, places).sum()
    tensor(1.)
    """

    _tuple = staticmethod(_triple)
    _function = "max_unpool3d"


class _AvgPoolNd(Module):
    __constants__: tuple[str, ...] = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The average of each window of (N, C, L) or (C, L).

    >>> torch.nn.AvgPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(kernel_size if stride is None else stride)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolDivided(_AvgPoolNd):
    __constants__ = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    _function: str

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPoolDivided):
    """The average of each window of (N, C, H, W) or (C, H, W).

    >>> torch.nn.AvgPool2d(2)(torch.arange(4.).view(1, 2, 2))
    tensor([[[1.5000]]])
    """

    _function = "avg_pool2d"


class AvgPool3d(_AvgPoolDivided):
    """The average of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> torch.nn.AvgPool3d(2)(torch.arange(8.).view(1, 2, 2, 2))
    tensor([[[[3.5000]]]])
    """

    _function = "avg_pool3d"

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        for name, value in (("padding", 0), ("ceil_mode", False), ("count_include_pad", True)):
            self.__dict__.setdefault(name, value)


class _FractionalMaxPoolNd(Module):
    __constants__ = ("kernel_size", "return_indices", "output_size", "output_ratio")
    _tuple: Any
    _function: str

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        many = type(self)._tuple
        self.kernel_size = many(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else many(output_size)
        self.output_ratio = None if output_ratio is None else many(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{type(self).__name__} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The greatest of windows at random places of (N, C, H, W) or (C, H, W), for an output of any smaller size.

    ``output_size`` or ``output_ratio`` (between 0 and 1) is given; ValueError otherwise.

    >>> torch.nn.FractionalMaxPool2d(2, output_size=3)(torch.zeros(1, 5, 5)).shape
    torch.Size([1, 3, 3])
    """

    _tuple = staticmethod(_pair)
    _function = "fractional_max_pool2d"


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The greatest of windows at random places of (N, C, D, H, W) or (C, D, H, W); see ``FractionalMaxPool2d``.

    >>> torch.nn.FractionalMaxPool3d(2, output_size=3)(torch.zeros(1, 5, 5, 5)).shape
    torch.Size([1, 3, 3, 3])
    """

    _tuple = staticmethod(_triple)
    _function = "fractional_max_pool3d"

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        if any(size <= 0 for size in _triple(kernel_size)):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)


class _LPPoolNd(Module):
    __constants__ = ("norm_type", "kernel_size", "stride", "ceil_mode")
    _function: str

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = getattr(F, self._function)
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of (N, C, L) or (C, L).

    >>> torch.nn.LPPool1d(2, 2)(torch.tensor([[3., 4.]]))
    tensor([[5.]])
    """

    _function = "lp_pool1d"


class LPPool2d(_LPPoolNd):
    """The p-norm of each window of (N, C, H, W) or (C, H, W).

    >>> torch.nn.LPPool2d(1, 2)(torch.ones(1, 2, 2))
    tensor([[[4.]]])
    """

    _function = "lp_pool2d"


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> torch.nn.LPPool3d(1, 2)(torch.ones(1, 2, 2, 2))
    tensor([[[[8.]]]])
    """

    _function = "lp_pool3d"


class _AdaptiveMaxPoolNd(Module):
    __constants__ = ("output_size", "return_indices")
    _function: str

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The greatest of each of ``output_size`` parts of (N, C, L) or (C, L).

    >>> torch.nn.AdaptiveMaxPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    _function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The greatest of each of ``output_size`` parts of (N, C, H, W) or (C, H, W); None keeps a dimension.

    >>> torch.nn.AdaptiveMaxPool2d((1, None))(torch.arange(4.).view(1, 2, 2))
    tensor([[[2., 3.]]])
    """

    _function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The greatest of each of ``output_size`` parts of (N, C, D, H, W) or (C, D, H, W); None keeps a dimension.

    >>> torch.nn.AdaptiveMaxPool3d(1)(torch.arange(8.).view(1, 2, 2, 2))
    tensor([[[[7.]]]])
    """

    _function = "adaptive_max_pool3d"


class _AdaptiveAvgPoolNd(Module):
    __constants__ = ("output_size",)
    _function: str

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The average of each of ``output_size`` parts of (N, C, L) or (C, L).

    >>> torch.nn.AdaptiveAvgPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    _function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The average of each of ``output_size`` parts of (N, C, H, W) or (C, H, W); None keeps a dimension.

    >>> torch.nn.AdaptiveAvgPool2d((1, None))(torch.arange(4.).view(1, 2, 2))
    tensor([[[1., 2.]]])
    """

    _function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The average of each of ``output_size`` parts of (N, C, D, H, W) or (C, D, H, W); None keeps a dimension.

    >>> torch.nn.AdaptiveAvgPool3d(1)(torch.arange(8.).view(1, 2, 2, 2))
    tensor([[[[3.5000]]]])
    """

    _function = "adaptive_avg_pool3d"
