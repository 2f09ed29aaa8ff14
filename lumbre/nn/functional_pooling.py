"""Pooling over windows of signals, images and volumes, of any dtype that the engine compares or adds.

A plane is the flattened last one, two or three dimensions. What a window covers is a table of places in the plane, made
once for each geometry; the greatest element is found without recording and then picked by its place, so that the
gradient is a scatter.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

from lumbre import _C, arange, int64, no_grad, tensor, zeros
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


def _check_rank(input: Tensor, dims: int, name: str) -> None:
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: Expected {dims + 1}D or {dims + 2}D input tensor, but got {input.dim()}D: {list(input.shape)}"
        )
    if any(size == 0 for size in input.shape[-dims - 1 :]):
        raise RuntimeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, "
            f"but got: {list(input.shape)}"
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


def _output_sizes(input: Tensor, geometry: Sequence[Sequence[int]], ceil_mode: bool) -> tuple[int, ...]:
    dims = len(geometry[0])
    sizes = input.shape[-dims:]
    out = tuple(_output_size(*each, ceil_mode) for each in zip(sizes, *geometry, strict=True))
    if any(size < 1 for size in out):
        channels = input.size(-dims - 1)
        before, after = ("x".join(map(str, (channels, *each))) for each in (sizes, out))
        raise RuntimeError(f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small")
    return out


@lru_cache(maxsize=512)
def _window_rows(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> Rows:
    """What each window of a dimension covers; places outside stand for the first one inside."""
    rows = []
    for start in range(-padding, -padding + out * stride, stride):
        inside = [place for place in range(start, start + kernel * dilation, dilation) if 0 <= place < size]
        first = inside[0] if inside else size - 1
        rows.append(tuple(place if 0 <= place < size else first for place in _span(start, kernel, dilation)))
    return tuple(rows)


def _span(start: int, count: int, step: int) -> range:
    return range(start, start + count * step, step)


@lru_cache(maxsize=512)
def _adaptive_rows(size: int, out: int) -> Rows:
    """What each of ``out`` parts of a dimension covers, filled up with its first place."""
    spans = [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
    width = max(map(len, spans), default=0)
    return tuple((*span, *(span[0],) * (width - len(span))) for span in spans)


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


def _greatest(input: Tensor, out: tuple[int, ...], rows: tuple[Rows, ...]) -> tuple[Tensor, Tensor]:
    """The greatest of each window and its place in the plane."""
    dims = len(out)
    lead, sizes = tuple(input.shape[:-dims]), tuple(input.shape[-dims:])
    planes = input.reshape(prod(lead), prod(sizes))
    table = _places(sizes, rows)
    windows, taps = table.shape
    with no_grad():
        covered = planes.detach().index_select(1, table.reshape(-1)).view(planes.size(0), windows, taps)
        chosen = covered.argmax(-1) + arange(0, windows * taps, taps)
        where = table.reshape(-1).index_select(0, chosen.reshape(-1)).view(planes.size(0), windows)
    return planes.gather(1, where).view(*lead, *out), where.view(*lead, *out)


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
    name = f"max_pool{dims}d"
    kernel = _many(kernel_size, dims, f"{name}: kernel_size")
    stride = kernel if stride is None or stride == () else _many(stride, dims, f"{name}: stride")
    padding, dilation = _many(padding, dims, f"{name}: padding"), _many(dilation, dims, f"{name}: dilation")
    _check_rank(input, dims, name)
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
    out = _output_sizes(input, geometry, ceil_mode)
    rows = tuple(_window_rows(*each) for each in zip(input.shape[-dims:], out, *geometry, strict=True))
    values, where = _greatest(input, out, rows)
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


def _counts(size: int, out: int, kernel: int, stride: int, padding: int, include: bool) -> list[int]:
    """How many elements each window of a dimension is divided by."""
    found = []
    for start in range(-padding, -padding + out * stride, stride):
        stop = min(start + kernel, size + padding)
        if not include:
            start, stop = max(start, 0), min(stop, size)
        found.append(stop - start)
    return found


def _window_sums(input: Tensor, out: tuple[int, ...], geometry: Sequence[Sequence[int]]) -> Tensor:
    """The sums of windows over the last dimensions, one dimension after the other."""
    dims = len(out)
    sizes = input.shape[-dims:]
    kernel, stride, padding = geometry
    if kernel == stride and not any(padding) and all(o * k == s for o, k, s in zip(out, kernel, sizes, strict=True)):
        split = [each for pair in zip(out, kernel, strict=True) for each in pair]
        return input.reshape(*input.shape[:-dims], *split).sum(tuple(range(-2 * dims + 1, 0, 2)))
    for place, (size, count, k, step, pad) in enumerate(zip(sizes, out, *geometry, strict=True)):
        behind = (count - 1) * step + k - size - pad
        edges = (0, 0) * (dims - 1 - place) + (pad, max(behind, 0))
        padded = _pad(input, edges) if pad or behind > 0 else input
        total, dim = None, place - dims
        for offset in range(k):
            index = (Ellipsis, slice(offset, offset + (count - 1) * step + 1, step), *(slice(None),) * (-dim - 1))
            total = padded[index] if total is None else total + padded[index]
        input = total
    return input


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
    name = f"avg_pool{dims}d"
    kernel = _many(kernel_size, dims, f"{name}: kernel_size")
    stride = kernel if stride is None or stride == () else _many(stride, dims, f"{name}: stride")
    padding = _many(padding, dims, f"{name}: padding")
    _check_rank(input, dims, name)
    _check_windows(name, kernel, stride, padding)
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    out = _output_sizes(input, (kernel, stride, padding, (1,) * dims), ceil_mode)
    dtype = input.dtype
    if dtype is _C.bool or (not dtype.is_floating_point and dtype is not int64):
        raise NotImplementedError(f"\"{name}_out_frame\" not implemented for '{_kind(dtype)}'")
    values = input.float() if dtype.itemsize == 2 else input
    sums = _window_sums(values, out, (kernel, stride, padding))
    if divisor is None:
        whole = ceil_mode or (not include and any(padding))
        divisor = (
            _divisors(tuple(input.shape[-dims:]), out, kernel, stride, padding, include) if whole else prod(kernel)
        )
    if dtype is int64:
        return sums.div(divisor, rounding_mode="trunc")
    return (sums / divisor).to(dtype)


@lru_cache(maxsize=128)
def _divisors(sizes: tuple, out: tuple, kernel: tuple, stride: tuple, padding: tuple, include: bool) -> Tensor:
    total = tensor(1, dtype=int64)
    for each in zip(sizes, out, kernel, stride, padding, strict=True):
        total = total.unsqueeze(-1) * tensor(_counts(*each, include), dtype=int64)
    return total


def _kind(dtype: _C.dtype) -> str:
    names = {"uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "bool": "Bool"}
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


@lru_cache(maxsize=128)
def _averaging(size: int, out: int, dtype: _C.dtype) -> Tensor:
    """The matrix (size, out) whose columns average the parts of a dimension."""
    matrix = [[0.0] * out for _ in range(size)]
    for i in range(out):
        start, stop = i * size // out, -(-(i + 1) * size // out)
        for place in range(start, stop):
            matrix[place][i] = 1.0 / (stop - start)
    return tensor(matrix, dtype=dtype).reshape(size, out)


def _adaptive_avg_pool(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    out = _adaptive_sizes(dims, input, output_size, name)
    dtype = input.dtype
    if not dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{_kind(dtype)}'")
    if 0 in out:
        return input.new_zeros((*input.shape[:-dims], *out))
    values = input.float() if dtype.itemsize == 2 else input
    sizes = input.shape[-dims:]
    if all(size % count == 0 for size, count in zip(sizes, out, strict=True)):
        split = [each for size, count in zip(sizes, out, strict=True) for each in (count, size // count)]
        values = values.reshape(*values.shape[:-dims], *split).mean(tuple(range(-2 * dims + 1, 0, 2)))
        return values.to(dtype)
    for place, (size, count) in enumerate(zip(sizes, out, strict=True)):
        if size != count:
            dim = place - dims
            values = (values.transpose(dim, -1) @ _averaging(size, count, values.dtype)).transpose(dim, -1)
    return values.contiguous().to(dtype)


def _adaptive_max_pool(dims: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    out = _adaptive_sizes(dims, input, output_size, f"adaptive_max_pool{dims}d")
    if 0 in out or input.numel() == 0:
        shape = (*input.shape[:-dims], *out)
        values, where = input.new_zeros(shape), zeros(shape, dtype=int64)
    else:
        rows = tuple(_adaptive_rows(size, count) for size, count in zip(input.shape[-dims:], out, strict=True))
        values, where = _greatest(input, out, rows)
    return (values, where) if return_indices else values


def _adaptive_family(dims: int, shapes: str) -> tuple[Any, Any, Any]:
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
