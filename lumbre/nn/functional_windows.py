"""Windows of images as columns and back, unpooling, and pooling over windows at random places."""

from __future__ import annotations

from functools import lru_cache
from math import prod

from lumbre import _C, arange, cat, full, int64, no_grad, rand
from lumbre._registry import operator
from lumbre.nn.functional_pooling import _kind, _many, _places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_pad = _C._functions["nn.functional.pad"]


def _two(value: Any, name: str) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    value = tuple(value)
    if len(value) == 1:
        value *= 2
    if len(value) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(value)}")
    return value


def _check_blocks(kernel: tuple, dilation: tuple, padding: tuple, stride: tuple) -> None:
    for name, short, sizes in (
        ("kernel size", "kernel", kernel),
        ("stride", "stride", stride),
        ("dilation",) * 2 + (dilation,),
    ):
        if min(sizes) <= 0:
            raise RuntimeError(
                f"{name} should be greater than zero, but got {short}_height: {sizes[0]} {short}_width: {sizes[1]}"
            )
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")


def _block_counts(sizes: tuple, kernel: tuple, dilation: tuple, padding: tuple, stride: tuple) -> tuple[int, ...]:
    return tuple(
        (size + 2 * pad - spread * (k - 1) - 1) // step + 1
        for size, k, spread, pad, step in zip(sizes, kernel, dilation, padding, stride, strict=True)
    )


@lru_cache(maxsize=128)
def _block_places(padded: tuple, blocks: tuple, kernel: tuple, dilation: tuple, stride: tuple) -> Tensor:
    """For each place in the kernel and each block (row-major) the place in the padded plane."""
    rows = tuple(
        tuple(tuple(i * step + j * spread for j in range(k)) for i in range(count))
        for count, k, spread, step in zip(blocks, kernel, dilation, stride, strict=True)
    )
    return _places(padded, rows).t().reshape(-1)


@operator("nn.functional.unfold(input, kernel_size, dilation=1, padding=0, stride=1)", method=False)
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sliding windows of images (N, C, H, W) or (C, H, W) as columns (N, C * kernel, windows).

    Floating-point dtypes. RuntimeError where sizes do not fit.

    >>> torch.nn.functional.unfold(torch.arange(4.).view(1, 2, 2), 1)
    tensor([[0., 1., 2., 3.]])
    """
    kernel, dilation = _two(kernel_size, "kernel_size"), _two(dilation, "dilation")
    padding, stride = _two(padding, "padding"), _two(stride, "stride")
    _check_blocks(kernel, dilation, padding, stride)
    if input.dim() < 3:
        input.size(2)
    if input.dim() > 4 or 0 in input.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    *lead, channels, height, width = input.shape
    blocks = _block_counts((height, width), kernel, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size ({height}, {width}), kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, calculated shape of the array of sliding blocks as {blocks}, "
            "but its components must be at least one."
        )
    if not input.dtype.is_floating_point and input.dtype is not _C.bool:
        raise NotImplementedError(f"\"im2col_out_cpu\" not implemented for '{_kind(input.dtype)}'")
    padded = _pad(input, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else input
    places = _block_places(tuple(padded.shape[-2:]), blocks, kernel, dilation, stride)
    planes = padded.reshape(prod(lead) * channels, prod(padded.shape[-2:]))
    return planes.index_select(1, places).view(*lead, channels * prod(kernel), prod(blocks))


@operator("nn.functional.fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)", method=False)
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Adds columns (N, C * kernel, windows) into images (N, C, *output_size): the transpose of ``unfold``.

    Floating-point dtypes. RuntimeError where sizes do not fit.

    >>> torch.nn.functional.fold(torch.ones(1, 2, 2), (1, 3), (1, 2))
    tensor([[[[1., 2., 1.]]]])
    """
    size, kernel = _two(output_size, "output_size"), _two(kernel_size, "kernel_size")
    dilation, padding, stride = _two(dilation, "dilation"), _two(padding, "padding"), _two(stride, "stride")
    _check_blocks(kernel, dilation, padding, stride)
    if input.dim() not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    *lead, rows, columns = input.shape
    dim = input.dim() - 2
    if rows % prod(kernel):
        raise RuntimeError(
            f"Expected size of input's dimension {dim} to be divisible by the product of kernel_size, but got "
            f"input.size({dim})={rows} and kernel_size={kernel}."
        )
    blocks = _block_counts(size, kernel, dilation, padding, stride)
    if prod(blocks) != columns or min(blocks) < 1:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, padding={padding}, stride={stride}, "
            f"expected size of input's dimension {dim + 1} to match the calculated number of sliding blocks "
            f"{blocks[0]} * {blocks[1]} = {prod(blocks)}, but got input.size({dim + 1})={columns}."
        )
    if not input.dtype.is_floating_point and input.dtype is not _C.bool:
        raise NotImplementedError(f"\"col2im_out_cpu\" not implemented for '{_kind(input.dtype)}'")
    channels = rows // prod(kernel)
    padded = (size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    places = _block_places(padded, blocks, kernel, dilation, stride)
    planes = prod(lead) * channels
    whole = input.new_zeros((planes, prod(padded)))
    whole = whole.index_add(1, places, input.reshape(planes, prod(kernel) * columns)).view(*lead, channels, *padded)
    if any(padding):
        whole = whole[..., padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return whole.contiguous()


def _unpooled_size(dims: int, input: Tensor, kernel: tuple, stride: tuple, padding: tuple, output_size: Any) -> tuple:
    """The size that max_pool came from, or the wanted one where it may be."""
    sizes = input.shape[-dims:]
    plain = tuple(
        (size - 1) * step + k - 2 * pad for size, step, k, pad in zip(sizes, stride, kernel, padding, strict=True)
    )
    if output_size is None:
        return plain
    given = tuple(output_size)
    if len(given) == dims + 2:
        given = given[2:]
    if len(given) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, "
            f"but it has a length of '{len(given)}'"
        )
    for dim, (wanted, size, step) in enumerate(zip(given, plain, stride, strict=True)):
        if not size - step < wanted < size + step:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {dim} must be between {size - step} and {size + step})'
            )
    return given


def _max_unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    name = f"max_unpool{dims}d"
    kernel = _many(kernel_size, dims, f"{name}: kernel_size")
    stride = kernel if stride is None else _many(stride, dims, f"{name}: stride")
    padding = _many(padding, dims, f"{name}: padding")
    out = _unpooled_size(dims, input, kernel, stride, padding, output_size)
    if indices.dtype is not int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {_kind(indices.dtype)}")
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d Tensor, "
            f"but got a tensor with {input.dim()} dimensions."
        )
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) "
            f"but got indices tensor with shape: {list(indices.shape)}"
        )
    lead, plane = tuple(input.shape[:-dims]), prod(out)
    if indices.numel():
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= plane:
            volume = "x".join(map(str, (*out, 1) if dims == 1 else out))
            raise RuntimeError(
                f"Found an invalid max index: {low if low < 0 else high} (output volumes are of size {volume})"
            )
    flat = input.reshape(prod(lead), -1) if input.numel() else input.reshape(prod(lead), prod(input.shape[-dims:]))
    whole = input.new_zeros((prod(lead), plane)).scatter(1, indices.reshape(flat.shape), flat)
    return whole.view(*lead, *out)


def _max_unpool_family(dims: int, shapes: str) -> Any:
    def max_unpool(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Tensor:
        return _max_unpool(dims, input, indices, kernel_size, stride, padding, output_size)

    sizes = ", ".join(["1"] * (dims + 2))
    max_unpool.__doc__ = f"""Puts the values {shapes} that max pooling kept at their places (int64), zeros elsewhere.

    ValueError for an ``output_size`` that the pooling cannot have come from, RuntimeError for places outside.

    >>> torch.nn.functional.max_unpool{dims}d(torch.ones({sizes}), torch.zeros({sizes}, dtype=torch.int64), 2).sum()
    tensor(1.)
    """
    signature = (
        f"nn.functional.max_unpool{dims}d(input, indices, kernel_size, stride=None, padding=0, output_size=None)"
    )
    return operator(signature, method=False)(max_unpool)


max_unpool1d = _max_unpool_family(1, "(N, C, L) or (C, L)")
max_unpool2d = _max_unpool_family(2, "(N, C, H, W) or (C, H, W)")
max_unpool3d = _max_unpool_family(3, "(N, C, D, H, W) or (C, D, H, W)")


def _random_places(samples: Tensor, sizes: tuple, kernel: tuple, out: tuple) -> Tensor:
    """For each plane and window the places that it covers; the last coordinate takes the first sample."""
    planes, dims = samples.shape
    table = arange(1).view(1, 1, 1)
    for dim, (size, k, count) in enumerate(zip(sizes, kernel, out, strict=True)):
        sample = samples[:, dims - 1 - dim].unsqueeze(1) if dims == 2 else samples[:, dim].unsqueeze(1)
        steps = arange(count - 1, dtype=samples.dtype)
        room = full((), (size - k) / (count - 1) if count > 1 else 0.0, dtype=samples.dtype)
        starts = ((steps + sample) * room).to(int64) - (sample * room).to(int64)
        starts = cat([starts, full((planes, 1), size - k, dtype=int64)], 1)
        part = starts.unsqueeze(2) + arange(k)
        table = table.unsqueeze(2).unsqueeze(4) * size + part.view(planes, 1, count, 1, k)
        table = table.reshape(planes, -1, table.size(3) * k)
    return table


def _fractional_max_pool(
    dims: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool, samples: Any
) -> Any:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratios = tuple(output_ratio) if len(output_ratio) == dims else (output_ratio[0],) * dims
        output_size = [int(input.size(dim - dims) * ratio) for dim, ratio in enumerate(ratios)]
    if input.dim() < dims + 1:
        input.size(-dims - 1)
    whole = (kernel_size, output_size)
    for value, what in zip(whole, ("kernel_size", "output_size"), strict=True):
        if not isinstance(value, int) and len(value) not in (1, dims):
            raise RuntimeError(f"{name}: {what} must either be a single Int or tuple of Ints")
    kernel, out = (_many(value, dims, name) for value in whole)
    lead, sizes = tuple(input.shape[:-dims]), tuple(input.shape[-dims:])
    called = name if dims == 2 else f"{name}_out"
    for axis, k, count, size in zip(("time", "height", "width")[-dims:], kernel, out, sizes, strict=True):
        if count + k - 1 > size:
            raise RuntimeError(f"{called}(): pool {axis} {k} too large relative to input {axis} {size}")
        if k < 1 or count < 1:
            raise RuntimeError(f"{called}(): kernel_size and output_size must be positive, but got {kernel} and {out}")
    if samples is None:
        samples = rand((1 if input.dim() == dims + 1 else lead[0], lead[-1], dims), dtype=input.dtype)
    if not prod(lead):
        values = input.reshape(*lead, *out).clone()  # of no elements, but in the graph
        return (values, values.to(int64)) if return_indices else values
    planes = input.reshape(prod(lead), prod(sizes))
    with no_grad():
        # PyTorch looks at the samples of as many batches as there are.
        table = _random_places(samples[: prod(lead[:-1])].reshape(prod(lead), dims), sizes, kernel, out)
        covered = planes.detach().gather(1, table.reshape(prod(lead), -1)).view(table.shape)
        where = table.gather(2, covered.argmax(-1, keepdim=True)).squeeze(2)
    values = planes.gather(1, where).view(*lead, *out)
    return (values, where.view(*lead, *out)) if return_indices else values


def _fractional_family(dims: int, shapes: str) -> tuple[Any, ...]:
    arguments = "input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None"

    def fractional_max_pool(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        return _fractional_max_pool(
            dims, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )

    def fractional_max_pool_with_indices(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        return _fractional_max_pool(dims, input, kernel_size, output_size, output_ratio, True, _random_samples)

    sizes = ", ".join(["1", *["4"] * dims])
    made = []
    for function, suffix, place in (
        (fractional_max_pool, "", ""),
        (fractional_max_pool_with_indices, "_with_indices", "[0]"),
    ):
        call = f"nn.functional.fractional_max_pool{dims}d{suffix}"
        function.__doc__ = f"""The greatest of windows at random places of {shapes}, ``output_size`` of them.

    ``output_ratio`` gives the size as a part of the input's. ValueError or RuntimeError where sizes do not fit.

    >>> torch.{call}(torch.ones({sizes}), 2, 2){place}.sum()
    tensor({2**dims}.)
    """
        made.append(operator(f"{call}({arguments})", method=False)(function))
    return tuple(made)


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional_family(2, "(N, C, H, W) or (C, H, W)")
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional_family(3, "(N, C, D, H, W) or (C, D, H, W)")
