"""Pooling over windows of signals, images and volumes, of any dtype that the engine compares or adds.

Arguments are checked here, once for each geometry; the loops are the engine's. A plane is the flattened last one, two
or three dimensions; signals are planes of one row.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

from lumbre import _C, int64, tensor, zeros
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

Tensor = _C.Tensor
_pad = _C._functions["nn.functional.pad"]
Rows = tuple[tuple[int, ...], ...]


def _many(value: Any, dims: int, name: str) -> tuple[int, ...]:
    """One number for each dimension."""
    if isinstance(value, int):
        return (value,) * dims
    value = tuple(int(each) for each in value)
    if len(value) == 1:
        return value * dims
    if len(value) != dims:
        words = {2: "two ints", 3: "three ints"}.get(dims, "one int")
        raise RuntimeError(f"{name} must either be a single int, or a tuple of {words}")
    return value


def _check_rank(shape: tuple[int, ...], dims: int, name: str) -> None:
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: Expected {dims + 1}D or {dims + 2}D input tensor, but got {len(shape)}D: {list(shape)}"
        )
    if any(size == 0 for size in shape[-dims - 1 :]):
        raise RuntimeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, "
            f"but got: {list(shape)}"
        )


def _check_windows(name: str, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> None:
    if any(size <= 0 for size in kernel):
        raise RuntimeError(f"{name}: kernel size should be greater than zero, but got {list(kernel)}")
    if any(step <= 0 for step in stride):
        raise RuntimeError("stride should not be zero" if 0 in stride else f"{name}: stride must be positive")
    for pad, size in zip(padding, kernel, strict=True):
        if pad < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {pad}")
        if pad > size // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={pad}, kernel_size={size} "
                "and dilation=1"
            )


def _output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    # The last window must begin inside the input or the padding before it.
    return out - 1 if (out - 1) * stride >= size + padding else out


def _output_sizes(shape: tuple[int, ...], geometry: Sequence[Sequence[int]], ceil_mode: bool) -> tuple[int, ...]:
    dims = len(geometry[0])
    sizes = shape[-dims:]
    out = tuple(_output_size(*each, ceil_mode=ceil_mode) for each in zip(sizes, *geometry, strict=True))
    if any(size < 1 for size in out):
        channels = shape[-dims - 1]
        before, after = ("x".join(map(str, (channels, *each))) for each in (sizes, out))
        raise RuntimeError(f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small")
    return out


@lru_cache(maxsize=128)
def _places(sizes: tuple[int, ...], rows: tuple[Rows, ...]) -> Tensor:
    """For each window (all dimensions, row-major) the places in the plane that it covers: (windows, taps)."""
    table = zeros(1, 1, dtype=int64)
    for size, each in zip(sizes, rows, strict=True):
        part = tensor(each, dtype=int64)
        outs, taps = part.shape
        table = table.reshape(table.size(0), 1, table.size(1), 1) * size + part.reshape(1, outs, 1, taps)
        table = table.reshape(table.size(0) * outs, -1)
    return table


def _flat(values: Any) -> Any:
    """Lists as tuples, which can be looked up."""
    return tuple(values) if isinstance(values, list) else values


@lru_cache(maxsize=512)
def _max_geometry(
    dims: int, shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[tuple[int, ...], ...]:
    """Output sizes, kernel, stride, padding and dilation, checked."""
    name = f"max_pool{dims}d"
    kernel = _many(kernel_size, dims, f"{name}: kernel_size")
    stride = kernel if stride is None or stride == () else _many(stride, dims, f"{name}: stride")
    padding, dilation = _many(padding, dims, f"{name}: padding"), _many(dilation, dims, f"{name}: dilation")
    _check_rank(shape, dims, name)
    if any(each <= 0 for each in dilation):
        raise RuntimeError(f"dilation should be greater than zero, but got dilation: {list(dilation)}")
    reach = tuple(spread * (size - 1) + 1 for size, spread in zip(kernel, dilation, strict=True))
    _check_windows(name, kernel, stride, (0,) * dims)
    for pad, size, spread, covered in zip(padding, kernel, dilation, reach, strict=True):
        if pad < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {pad}")
        if pad > covered // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={pad}, kernel_size={size} "
                f"and dilation={spread}"
            )
    geometry = (kernel, stride, padding, dilation)
    out = _output_sizes(shape, geometry, ceil_mode)
    if dims == 1:
        return (1, *out), (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
    return out, *geometry


def _max_pool(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    geometry = _max_geometry(
        dims, input.shape, _flat(kernel_size), _flat(stride), _flat(padding), _flat(dilation), ceil_mode
    )
    if input.dtype is _C.bool:
        raise NotImplementedError(f"\"max_pool{dims}d\" not implemented for 'Bool'")
    if dims == 1:
        values, where = _C._functions["_max_pool2d"](input.unsqueeze(-2), *geometry)
        return (values.squeeze(-2), where.squeeze(-2)) if return_indices else values.squeeze(-2)
    values, where = _C._functions[f"_max_pool{dims}d"](input, *geometry)
    return (values, where) if return_indices else values


def _max_pool_family(dims: int, shapes: str, example: str) -> tuple[Any, Any]:
    arguments = "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"

    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(dims, input, kernel_size, stride, padding, dilation, ceil_mode, True)

    max_pool.__doc__ = f"""The greatest element of each window of {shapes}; with ``return_indices`` also its place.

    Places count the elements of the plane. RuntimeError where sizes do not fit.

    >>> {example}
    """
    max_pool_with_indices.__doc__ = f"""The greatest element of each window of {shapes}, and its place in the plane.

    >>> {example.replace(f"max_pool{dims}d(", f"max_pool{dims}d_with_indices(")}
    """
    name = f"nn.functional.max_pool{dims}d"
    return (
        operator(f"{name}({arguments})", method=False)(max_pool),
        operator(f"{name}_with_indices({arguments})", method=False)(max_pool_with_indices),
    )


max_pool1d, max_pool1d_with_indices = _max_pool_family(
    1, "(N, C, L) or (C, L)", "torch.nn.functional.max_pool1d(torch.tensor([[1., 3., 2., 0.]]), 2)"
)
max_pool2d, max_pool2d_with_indices = _max_pool_family(
    2, "(N, C, H, W) or (C, H, W)", "torch.nn.functional.max_pool2d(torch.arange(4.).view(1, 2, 2), 2)"
)
max_pool3d, max_pool3d_with_indices = _max_pool_family(
    3, "(N, C, D, H, W) or (C, D, H, W)", "torch.nn.functional.max_pool3d(torch.arange(8.).view(1, 2, 2, 2), 2)"
)


@lru_cache(maxsize=512)
def _avg_geometry(
    dims: int, shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> tuple[tuple[int, ...], ...]:
    """Output sizes, kernel, stride and padding, checked."""
    name = f"avg_pool{dims}d"
    kernel = _many(kernel_size, dims, f"{name}: kernel_size")
    stride = kernel if stride is None or stride == () else _many(stride, dims, f"{name}: stride")
    padding = _many(padding, dims, f"{name}: padding")
    _check_rank(shape, dims, name)
    _check_windows(name, kernel, stride, padding)
    if dims == 3 and any(size < covered for size, covered in zip(shape[-3:], kernel, strict=True)):
        image, window = (
            " ".join(f"{a}: {n}" for a, n in zip(names, each, strict=True))
            for names, each in ((("T", "H", "W"), shape[-3:]), (("kT", "kH", "kW"), kernel))
        )
        raise RuntimeError(f"input image ({image}) smaller than kernel size ({window})")
    out = _output_sizes(shape, (kernel, stride, padding, (1,) * dims), ceil_mode)
    if dims == 1:
        return (1, *out), (1, *kernel), (1, *stride), (0, *padding)
    return out, kernel, stride, padding


def _avg_pool(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Tensor:
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    geometry = _avg_geometry(dims, input.shape, _flat(kernel_size), _flat(stride), _flat(padding), ceil_mode)
    dtype = input.dtype
    refused = dtype.itemsize == 2 if dtype.is_floating_point else dtype is not int64
    if refused and (dims == 3 or not dtype.is_floating_point):
        kernel = "avg_pool3d_out_frame" if dims == 3 else "avg_pool2d"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{_kind(dtype)}'")
    if dims == 1:
        return _C._functions["_average_pool2d"](input.unsqueeze(-2), *geometry, include, divisor).squeeze(-2)
    return _C._functions[f"_average_pool{dims}d"](input, *geometry, include, divisor)


def _kind(dtype: _C.dtype) -> str:
    names = {"uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "bool": "Bool"}
    names |= {"float16": "Half", "bfloat16": "BFloat16"}
    return names[str(dtype).rpartition(".")[2]]


@operator(
    "nn.functional.avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True)",
    method=False,
    aliases="avg_pool1d",
)
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average of each window of (N, C, L) or (C, L). RuntimeError where sizes do not fit.

    >>> torch.nn.functional.avg_pool1d(torch.tensor([[1., 3., 2., 0.]]), 2)
    tensor([[2., 1.]])
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@operator(
    "nn.functional.avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None)",
    method=False,
    out=True,
)
def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of (N, C, H, W) or (C, H, W). RuntimeError where sizes do not fit.

    >>> torch.nn.functional.avg_pool2d(torch.arange(4.).view(1, 2, 2), 2)
    tensor([[[1.5000]]])
    """
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@operator(
    "nn.functional.avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None)",
    method=False,
    out=True,
)
def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of (N, C, D, H, W) or (C, D, H, W). RuntimeError where sizes do not fit.

    >>> torch.nn.functional.avg_pool3d(torch.arange(8.).view(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _lp_pool(dims: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    kernel = _many(kernel_size, dims, f"lp_pool{dims}d: kernel_size")
    average = _avg_pool(dims, input.pow(norm_type), kernel, stride, 0, ceil_mode, True, None)
    return (average.sign() * average.abs().relu()).mul(prod(kernel)).pow(1.0 / norm_type)


def _lp_pool_family(dims: int, shapes: str, sample: str, answer: str) -> Any:
    def lp_pool(
        input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Tensor:
        return _lp_pool(dims, input, norm_type, kernel_size, stride, ceil_mode)

    lp_pool.__doc__ = f"""The p-norm (p = ``norm_type``) of each window of {shapes}, its average's sign kept.

    >>> torch.nn.functional.lp_pool{dims}d({sample}, 1, 2)
    {answer}
    """
    signature = f"nn.functional.lp_pool{dims}d(input, norm_type, kernel_size, stride=None, ceil_mode=False)"
    return operator(signature, method=False)(lp_pool)


lp_pool1d = _lp_pool_family(1, "(N, C, L) or (C, L)", "torch.ones(1, 2)", "tensor([[2.]])")
lp_pool2d = _lp_pool_family(2, "(N, C, H, W) or (C, H, W)", "torch.ones(1, 2, 2)", "tensor([[[4.]]])")
lp_pool3d = _lp_pool_family(3, "(N, C, D, H, W) or (C, D, H, W)", "torch.ones(1, 2, 2, 2)", "tensor([[[[8.]]]])")


def _adaptive_sizes(dims: int, input: Tensor, output_size: Any, name: str) -> tuple[int, ...]:
    if dims > 1 and input.dim() <= dims:
        raise ValueError(f"Input dimension should be at least {dims + 1}")
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}: Expected {dims + 1}D or {dims + 2}D tensor, but got {list(input.shape)}")
    given = (output_size,) * dims if output_size is None or isinstance(output_size, int) else tuple(output_size)
    if len(given) == 1:
        given *= dims
    if len(given) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims}")
    out = tuple(
        size if wanted is None else int(wanted) for wanted, size in zip(given, input.shape[-dims:], strict=True)
    )
    if any(size < 0 for size in out):
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {list(out)}"
        )
    if any(size == 0 for size in input.shape[-dims - (name.startswith("adaptive_max")) :]):
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, "
            f"but input has sizes {list(input.shape)} with dimension {input.shape.index(0)} being empty"
        )
    return out


def _adaptive_avg_pool(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    out = _adaptive_sizes(dims, input, output_size, name)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{_kind(input.dtype)}'")
    if dims == 1:
        return _adaptive_average(2, input.unsqueeze(-2), (1, *out)).squeeze(-2)
    return _adaptive_average(dims, input, out)


def _adaptive_average(dims: int, input: Tensor, out: tuple[int, ...]) -> Tensor:
    if all(size == 1 for size in out) and input.numel():
        return input.mean(tuple(range(-dims, 0)), keepdim=True)
    return _C._functions[f"_adaptive_average_pool{dims}d"](input, out, (), (), (), False, None)


def _adaptive_max_pool(dims: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    out = _adaptive_sizes(dims, input, output_size, f"adaptive_max_pool{dims}d")
    if dims == 1:
        pair = _C._functions["_adaptive_max_pool2d"](input.unsqueeze(-2), (1, *out), (), (), (), ())
        values, where = (each.squeeze(-2) for each in pair)
    else:
        values, where = _C._functions[f"_adaptive_max_pool{dims}d"](input, out, (), (), (), ())
    return (values, where) if return_indices else values


def _adaptive_family(dims: int, shapes: str) -> tuple[Any, ...]:
    def adaptive_avg_pool(input: Tensor, output_size: Any) -> Tensor:
        return _adaptive_avg_pool(dims, input, output_size)

    def adaptive_max_pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max_pool(dims, input, output_size, return_indices)

    def adaptive_max_pool_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max_pool(dims, input, output_size, True)

    ones = ", ".join(["1", *["2"] * dims])
    brackets = "[" * (dims + 1), "]" * (dims + 1)
    made = []
    for function, name, what, answer in (
        (adaptive_avg_pool, "adaptive_avg_pool{}d(input, output_size)", "average", "tensor({}1.{})"),
        (
            adaptive_max_pool,
            "adaptive_max_pool{}d(input, output_size, return_indices=False)",
            "greatest element",
            "tensor({}1.{})",
        ),
        (
            adaptive_max_pool_with_indices,
            "adaptive_max_pool{}d_with_indices(input, output_size, return_indices=False)",
            "greatest element, and its place,",
            "(tensor({}1.{}), tensor({}0{}))",
        ),
    ):
        signature = name.format(dims)
        call = signature.partition("(")[0]
        function.__doc__ = f"""The {what} of each of ``output_size`` parts of {shapes}; None keeps a dimension.

    >>> torch.nn.functional.{call}(torch.ones({ones}), 1)
    {answer.format(*brackets, *brackets)}
    """
        alias = "adaptive_avg_pool1d" if call == "adaptive_avg_pool1d" else ""
        made.append(operator(f"nn.functional.{signature}", method=False, aliases=alias)(function))
    return tuple(made)


adaptive_avg_pool1d, adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_family(1, "(N, C, L) or (C, L)")
adaptive_avg_pool2d, adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_family(
    2, "(N, C, H, W) or (C, H, W)"
)
adaptive_avg_pool3d, adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_family(
    3, "(N, C, D, H, W) or (C, D, H, W)"
)
