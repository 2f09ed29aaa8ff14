"""Resizing: ``interpolate`` and its older names.

Each dimension is resized on its own: an output is a sum of a few inputs (taps), whose places and weights are worked out
once for each pair of sizes.
"""

from __future__ import annotations

from functools import lru_cache
from math import floor

from lumbre import _C, arange, full, int64, tensor
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
_MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
_RANKS = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


def _nearest_places(size: int, out: int, scale: float | None, exact: bool) -> Tensor:
    """The nearest input of each output, worked out in float32 as in PyTorch."""
    ratio = full((), 1 / scale if scale else size / out, dtype=_C.float32)
    places = arange(out, dtype=_C.float32)
    if exact:
        places = places + 0.5
    return (places * ratio).floor().to(int64).clamp(max=size - 1)


def _positions(size: int, out: int, scale: float | None, align: bool, dtype: _C.dtype) -> Tensor:
    """Where each output lies among the inputs."""
    places = arange(out, dtype=dtype)
    if align:
        return places * full((), (size - 1) / (out - 1) if out > 1 else 0.0, dtype=dtype)
    return (places + 0.5) * full((), 1 / scale if scale else size / out, dtype=dtype) - 0.5


def _linear_taps(size: int, out: int, scale: float | None, align: bool, dtype: _C.dtype) -> list[tuple]:
    where = _positions(size, out, scale, align, dtype).clamp(min=0)
    low = where.floor().to(int64).clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    part = (where - low.to(dtype)).clamp(max=1)
    return [(low, 1 - part), (high, part)]


def _cubic_taps(size: int, out: int, scale: float | None, align: bool, dtype: _C.dtype) -> list[tuple]:
    where = _positions(size, out, scale, align, dtype)
    low = where.floor()
    part = where - low
    return [
        ((low.to(int64) + offset).clamp(0, size - 1), _cubic((part - offset).abs(), -0.75)) for offset in range(-1, 3)
    ]


def _cubic(distance: Tensor, a: float) -> Tensor:
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return near.where(distance <= 1, far.where(distance < 2, distance * 0))


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _sharp_cubic(x: float) -> float:
    x, a = abs(x), -0.5
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def _smooth_taps(
    size: int, out: int, scale: float | None, align: bool, dtype: _C.dtype, curve: Callable, reach: int
) -> list[tuple]:
    """The taps of a filter that widens as the output shrinks (anti-aliasing)."""
    ratio = 1 / scale if scale else size / out
    if align:
        ratio = (size - 1) / (out - 1) if out > 1 else 0.0
    wide = max(ratio, 1.0)
    rows = []
    for i in range(out):
        centre = ratio * (i + 0.5)
        first = max(int(centre - reach * wide + 0.5), 0)
        last = min(int(centre + reach * wide + 0.5), size)
        weights = [curve((place - centre + 0.5) / wide) for place in range(first, last)]
        total = sum(weights) or 1.0
        rows.append([(place, weight / total) for place, weight in zip(range(first, last), weights, strict=True)])
    longest = max(map(len, rows))
    rows = [row + [(row[0][0], 0.0)] * (longest - len(row)) for row in rows]
    return [
        (tensor([row[tap][0] for row in rows], dtype=int64), tensor([row[tap][1] for row in rows], dtype=dtype))
        for tap in range(longest)
    ]


@lru_cache(maxsize=128)
def _taps(mode: str, size: int, out: int, scale: float | None, align: bool, dtype: _C.dtype) -> list[tuple]:
    if mode == "smooth bilinear":
        return _smooth_taps(size, out, scale, align, dtype, _triangle, 1)
    if mode == "smooth bicubic":
        return _smooth_taps(size, out, scale, align, dtype, _sharp_cubic, 2)
    make = _cubic_taps if mode == "bicubic" else _linear_taps
    return make(size, out, scale, align, dtype)


def _resize(input: Tensor, mode: str, sizes: tuple, scales: tuple, align: bool) -> Tensor:
    dtype = input.dtype
    computed = dtype if dtype is _C.float64 else _C.float32
    values = input.to(computed)
    whole = not dtype.is_floating_point
    for place in reversed(range(len(sizes))):
        dim, out, scale = 2 + place, sizes[place], scales[place]
        size, total = input.size(dim), None
        if size == out and (scale is None or scale == 1):
            continue
        for index, weight in _taps(mode, size, out, scale, align, computed):
            weight = weight.view(-1, *(1,) * (len(sizes) - place - 1))
            part = values.index_select(dim, index) * weight
            total = part if total is None else total + part
        values = (total + 0.5).floor().clamp(0, 255) if whole else total
    return values.to(dtype) if values is not input else input.clone()


def _wanted(input: Tensor, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[tuple, tuple]:
    """The output's sizes, and for each dimension the factor that positions follow (None: that of the sizes)."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None and recompute:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    dims = input.dim() - 2
    spatial = list(input.shape[2:])
    form = "Please provide input tensor in (N, C, d1, d2, ...,dK) format and"
    if size is not None:
        if not isinstance(size, (list, tuple)):
            return (size,) * dims, (None,) * dims
        if len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {spatial} and output size of {size}. {form} output size in (o1, o2, ...,oK) format."
            )
        return tuple(size), (None,) * dims
    factors = scale_factor if isinstance(scale_factor, (list, tuple)) else (scale_factor,) * dims
    if len(factors) != dims:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of {spatial} and scale_factor of shape {scale_factor}. {form} scale_factor in "
            "(s1, s2, ...,sK) format."
        )
    sizes = tuple(floor(each * factor) for each, factor in zip(spatial, factors, strict=True))
    return sizes, (None,) * dims if recompute else tuple(map(float, factors))


def _check_sizes(input: Tensor, sizes: tuple) -> None:
    dims = len(sizes)
    for size in sizes:
        if not isinstance(size, int):
            raise TypeError(f"interpolate(): size must be ints, not {type(size).__name__}")
    axes = ("D", "H", "W")[-dims:]
    before, after = (
        ", ".join(f"{axis}: {each}" for axis, each in zip(axes, what, strict=True)) for what in (input.shape[2:], sizes)
    )
    if min(sizes) <= 0 or 0 in input.shape[2:]:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({before}) and output ({after})"
        )
    if input.size(1) == 0:
        raise RuntimeError(
            f"Non-empty {dims + 2}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )


def _refuse_mode(input: Tensor, mode: str) -> None:
    dims, wanted = input.dim() - 2, _RANKS.get(mode)
    if 1 <= dims <= 3 and wanted is not None and mode != "bicubic":
        raise NotImplementedError(f"Got {dims + 2}D input, but {mode} mode needs {wanted + 2}D input")
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the modes: {_MODES} "
        f"(got {mode})"
    )


@operator(
    "nn.functional.interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
    "recompute_scale_factor=None, antialias=False)",
    method=False,
)
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resizes the spatial dimensions of (N, C, L), (N, C, H, W) or (N, C, D, H, W) to ``size`` or by ``scale_factor``.

    mode: nearest, nearest-exact, linear (3-D input), bilinear, bicubic (4-D), trilinear (5-D) or area. Floating-point
    dtypes and uint8. ValueError where size and factor do not fit, NotImplementedError for modes that the input's rank
    does not have.

    >>> torch.nn.functional.interpolate(torch.tensor([[[1., 3.]]]), size=4, mode="linear", align_corners=False)
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: "
                "linear | bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    sizes, scales = _wanted(input, size, scale_factor, recompute_scale_factor)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "lanczos":
        raise NotImplementedError("interpolate: Lumbre does not have the mode lanczos yet")
    dims = input.dim() - 2
    if mode == "area" and 1 <= dims <= 3:
        from lumbre.nn import functional

        return getattr(functional, f"adaptive_avg_pool{dims}d")(input, sizes)
    nearest = mode in ("nearest", "nearest-exact")
    if not 1 <= dims <= 3 or not (nearest or _RANKS.get(mode) == dims):
        _refuse_mode(input, mode)
    _check_sizes(input, sizes)
    if not input.dtype.is_floating_point and (input.dtype is not _C.uint8 or (not nearest and dims != 2)):
        from lumbre.nn.functional_pooling import _kind

        name = "nearest" if nearest else "cubic" if mode == "bicubic" else "linear"
        raise NotImplementedError(f"\"compute_indices_weights_{name}\" not implemented for '{_kind(input.dtype)}'")
    if not nearest:
        return _resize(input, f"smooth {mode}" if antialias else mode, sizes, scales, bool(align_corners))
    result = input
    for place, (out, scale) in enumerate(zip(sizes, scales, strict=True)):
        index = _nearest_places(input.size(2 + place), out, scale, mode == "nearest-exact")
        result = result.index_select(2 + place, index)
    return result


def _warn_renamed(name: str) -> None:
    import warnings

    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=4)


@operator(
    "nn.functional.upsample(input, size=None, scale_factor=None, mode='nearest', align_corners=None)", method=False
)
def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The older name of ``interpolate``; warns.

    >>> torch.nn.functional.upsample(torch.ones(1, 1, 2), size=3)
    tensor([[[1., 1., 1.]]])
    """
    _warn_renamed("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@operator("nn.functional.upsample_nearest(input, size=None, scale_factor=None)", method=False)
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` with mode nearest; warns.

    >>> torch.nn.functional.upsample_nearest(torch.ones(1, 1, 2), size=3)
    tensor([[[1., 1., 1.]]])
    """
    _warn_renamed("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


@operator("nn.functional.upsample_bilinear(input, size=None, scale_factor=None)", method=False)
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` with mode bilinear, corners on corners; warns.

    >>> torch.nn.functional.upsample_bilinear(torch.ones(1, 1, 2, 2), size=3).shape
    torch.Size([1, 1, 3, 3])
    """
    _warn_renamed("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)
