"""Images resized, sampled at given places, and grids of places."""

from __future__ import annotations

import math

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions
_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


# --- along one dimension ----------------------------------------------------------------------------------------------


def _places(count: int, dtype: Any) -> Tensor:
    from lumbre import arange

    return arange(count, dtype=dtype)


def _ratio(size: int, out: int, scale: float | None, align: bool) -> float:
    """How far apart the places of two neighbouring results are in the input."""
    if align:
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return 1.0 / scale if scale is not None and scale > 0 else size / out


def _fixed(weights: list[Tensor]) -> list[Tensor]:
    """Weights of bytes, rounded to what fits into 16 bits: as many binary places as the greatest one leaves."""
    greatest = max(float(each.max()) for each in weights)
    places = 0
    while places < 22 and int(0.5 + greatest * 2 ** (places + 1)) < 1 << 15:
        places += 1
    return [(each.abs() * 2**places + 0.5).floor() * each.sign() / 2**places for each in weights]


def _nearest(x: Tensor, dim: int, out: int, scale: float | None, exact: bool) -> Tensor:
    size = x.size(dim)
    step = _C.tensor(_ratio(size, out, scale, False), dtype=_C.float32)
    places = ((_places(out, _C.float32) + (0.5 if exact else 0.0)) * step).floor().long().clamp(max=size - 1)
    return x.index_select(dim, places)


def _linear(x: Tensor, dim: int, out: int, scale: float | None, align: bool, whole: bool) -> Tensor:
    size = x.size(dim)
    kind = x.dtype if x.dtype is _C.float64 else _C.float32
    step = _C.tensor(_ratio(size, out, scale, align), dtype=kind)
    grid = _places(out, kind)
    source = grid * step if align else ((grid + 0.5) * step - 0.5).clamp(min=0)
    low = source.long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    weight = source - low
    if x.dtype is kind and not whole:
        return _f["_blend"](x, dim, low, high, weight)
    shape = [1] * x.dim()
    shape[dim] = out
    weight = weight.view(shape)
    near, far = _fixed([1 - weight, weight]) if whole else (1 - weight, weight)
    return x.index_select(dim, low) * near + x.index_select(dim, high) * far


def _cubic_weights(t: Tensor, a: float) -> list[Tensor]:
    """The weights of four neighbours (Keys 1981)."""

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic(x: Tensor, dim: int, out: int, scale: float | None, align: bool, whole: bool) -> Tensor:
    size = x.size(dim)
    kind = x.dtype if x.dtype is _C.float64 else _C.float32
    step = _ratio(size, out, scale, align)
    grid = _places(out, kind)
    source = grid * step if align else (grid + 0.5) * step - 0.5
    low = source.floor()
    shape = [1] * x.dim()
    shape[dim] = out
    result = None
    weights = _cubic_weights(source - low, -0.75)
    if whole:  # weights of places outside are added to the border's before they are rounded
        matrix = x.new_zeros((out, size))
        for offset, weight in enumerate(weights):
            places = (low.long() + offset - 1).clamp(0, size - 1)
            matrix = matrix.scatter_add(1, places.unsqueeze(1), weight.unsqueeze(1))
        return (x.movedim(dim, -1) @ _fixed([matrix])[0].t()).movedim(-1, dim)
    for offset, weight in enumerate(weights):
        places = (low.long() + offset - 1).clamp(0, size - 1)
        part = x.index_select(dim, places) * weight.view(shape)
        result = part if result is None else result + part
    return result  # type: ignore[return-value]


def _antialiased(x: Tensor, dim: int, out: int, scale: float | None, align: bool, cubic: bool, whole: bool) -> Tensor:
    """Each result is a weighted mean over as many elements as it stands for."""
    size = x.size(dim)
    kind = x.dtype if x.dtype is _C.float64 else _C.float32
    step = _ratio(size, out, scale, align)
    width = max(step, 1.0)
    support = (2.0 if cubic else 1.0) * width
    rows = []
    for i in range(out):
        centre = step * (i + 0.5)
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        weights = [_filter((j + first - centre + 0.5) / width, cubic) for j in range(last - first)]
        total = sum(weights) or 1.0
        rows.append([0.0] * first + [w / total for w in weights] + [0.0] * (size - last))
    matrix = _C.tensor(rows, dtype=kind)
    if whole:
        (matrix,) = _fixed([matrix])
    return (x.movedim(dim, -1).to(kind) @ matrix.t()).movedim(-1, dim)


def _filter(x: float, cubic: bool) -> float:
    x = abs(x)
    if not cubic:
        return max(1.0 - x, 0.0)
    a = -0.5
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    return (((x - 5.0) * x + 8.0) * x - 4.0) * a if x < 2.0 else 0.0


# --- interpolate ------------------------------------------------------------------------------------------------------


def _targets(input: Tensor, size: Any, scale_factor: Any, recompute: bool | None, mode: str) -> tuple[list[int], list]:
    dims = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, (list, tuple)):
            if len(size) != dims:
                raise ValueError(
                    "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
                    f"of {list(input.shape[2:])} and output size of {size}. Please provide input tensor in (N, C, d1, d2, "
                    "...,dK) format and output size in (o1, o2, ...,oK) format."
                )
            sizes = list(size)
        else:
            sizes = [size] * dims
        for one in sizes:
            if not hasattr(one, "__index__"):
                raise TypeError(f"interpolate(): size must be ints, not {type(one).__name__}")
        return [one.__index__() for one in sizes], [None] * dims
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if isinstance(scale_factor, (list, tuple)):
        if len(scale_factor) != dims:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {list(input.shape[2:])} and scale_factor of shape {scale_factor}. Please provide input tensor "
                "in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
            )
        scales = [float(one) for one in scale_factor]
    else:
        scales = [float(scale_factor)] * dims
    sizes = [math.floor(float(input.size(i + 2)) * scale) for i, scale in enumerate(scales)]
    keeps = recompute is not True and mode != "area"
    return sizes, scales if keeps else [None] * dims


@operator(
    "nn.functional.interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
    "recompute_scale_factor=None, antialias=False)",
    method=False,
)
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """(N, C, d1, ...) resized to a size or by a factor.

    ``mode``: "nearest", "nearest-exact", "area", "linear" (3-d inputs), "bilinear", "bicubic" (4-d), "trilinear" (5-d).

    >>> torch.nn.functional.interpolate(torch.tensor([[[1., 2.]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    sizes, scales = _targets(input, size, scale_factor, recompute_scale_factor, mode)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "lanczos" and antialias:
        raise NotImplementedError("interpolate: Lumbre does not have the mode lanczos yet")
    if input.dim() not in (3, 4, 5):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
            f"{input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | "
            f"nearest-exact (got {mode})"
        )
    known = ("nearest", "nearest-exact", "area", "bicubic", *_LINEAR.values())
    if mode not in known or (mode == "bicubic" and input.dim() != 4):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
            f"{input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | "
            f"nearest-exact (got {mode})"
        )
    if (
        mode not in ("nearest", "nearest-exact", "area")
        and mode != _LINEAR[input.dim()]
        and not (mode == "bicubic" and input.dim() == 4)
    ):
        raise NotImplementedError(f"Got {input.dim()}D input, but {mode} mode needs {_needed(mode)}D input")
    _check_sizes(input, sizes, mode)
    if mode == "area":
        from lumbre.nn import functional as F

        return getattr(F, f"adaptive_avg_pool{input.dim() - 2}d")(input, sizes)
    return _resized(input, sizes, scales, mode, bool(align_corners), antialias)


def _check_sizes(input: Tensor, sizes: list[int], mode: str) -> None:
    """Refuses empty sizes, and the dtypes that PyTorch does not resize."""
    before, after = (
        ", ".join(f"{axis}: {one}" for axis, one in zip("DHW"[-len(sizes) :], each, strict=True))
        for each in (input.shape[2:], sizes)
    )
    if any(one <= 0 for one in [*input.shape[2:], *sizes]):
        joint = " and" if len(sizes) == 1 else ""
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({before}){joint} output ({after})"
        )
    if input.size(1) == 0:
        raise RuntimeError(
            f"Non-empty {input.dim()}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )
    dtype = input.dtype
    if mode == "area" or dtype.is_floating_point or (dtype is _C.uint8 and (len(sizes) == 2 or "nearest" in mode)):
        return
    from lumbre.nn.functional_pooling import _kind

    name = "nearest" if "nearest" in mode else "cubic" if mode == "bicubic" else "linear"
    raise NotImplementedError(f"\"compute_indices_weights_{name}\" not implemented for '{_kind(dtype)}'")


def _needed(mode: str) -> int:
    return {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}[mode]


def _resized(input: Tensor, sizes: list[int], scales: list, mode: str, align: bool, antialias: bool) -> Tensor:
    x = input
    half = x.dtype.is_floating_point and x.dtype.itemsize == 2
    if half and not mode.startswith("nearest"):
        x = x.float()
    whole = not x.dtype.is_floating_point and not mode.startswith("nearest")
    if whole:
        x = x.double()
    # The last dimension first: then the largest part of the work is done on the smallest memory.
    for i in reversed(range(len(sizes))):
        dim, out, scale = i + 2, sizes[i], scales[i]
        if mode.startswith("nearest"):
            x = _nearest(x, dim, out, scale, mode == "nearest-exact")
        elif antialias:
            x = _antialiased(x, dim, out, scale, align, mode == "bicubic", whole)
        elif mode == "bicubic":
            x = _cubic(x, dim, out, scale, align, whole)
        else:
            x = _linear(x, dim, out, scale, align, whole)
        if whole:
            x = (x + 0.5).floor().clamp(0, 255)
    return x.to(input.dtype)


@operator(
    "nn.functional.upsample(input, size=None, scale_factor=None, mode='nearest', align_corners=None)", method=False
)
def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """The older name of interpolate.

    >>> torch.nn.functional.upsample(torch.ones(1, 1, 1), size=2)
    tensor([[[1., 1.]]])
    """
    from warnings import warn

    warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, mode, align_corners)


@operator("nn.functional.upsample_nearest(input, size=None, scale_factor=None)", method=False)
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with the nearest elements.

    >>> torch.nn.functional.upsample_nearest(torch.ones(1, 1, 1), size=2)
    tensor([[[1., 1.]]])
    """
    from warnings import warn

    warn("`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, "nearest")


@operator("nn.functional.upsample_bilinear(input, size=None, scale_factor=None)", method=False)
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Bilinear interpolation with aligned corners.

    >>> torch.nn.functional.upsample_bilinear(torch.ones(1, 1, 1, 1), size=2).shape
    torch.Size([1, 1, 2, 2])
    """
    from warnings import warn

    warn("`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, "bilinear", True)


# --- grids ------------------------------------------------------------------------------------------------------------


@operator("nn.functional.affine_grid(theta, size, align_corners=None)", method=False)
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places in [-1, 1] that an affine map sends the pixels of a (N, C, H, W) or (N, C, D, H, W) image to.

    >>> torch.nn.functional.affine_grid(torch.eye(2, 3).unsqueeze(0), (1, 1, 1, 1), align_corners=False)
    tensor([[[[0., 0.]]]])
    """
    from lumbre import linspace, meshgrid, ones, stack

    if align_corners is None:
        from warnings import warn

        warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
            "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
            stacklevel=3,
        )
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    dims = len(size) - 2
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{size}."
        )
    if theta.dim() != 3 or theta.shape[-2] != dims or theta.shape[-1] != dims + 1:
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    axes = []
    for count in size[2:]:
        axis = linspace(-1, 1, count, dtype=theta.dtype) if count > 1 else theta.new_zeros(1)
        axes.append(axis if align_corners else axis * (count - 1) / count)
    mesh = meshgrid(*axes, indexing="ij")
    base = stack([*reversed(mesh), ones(mesh[0].shape, dtype=theta.dtype)], -1)
    flat = base.reshape(1, -1, dims + 1).expand(theta.size(0), -1, -1)
    return (flat @ theta.transpose(1, 2)).reshape(theta.size(0), *size[2:], dims)


def _pixel(place: Tensor, size: int, align: bool) -> Tensor:
    return (place + 1) / 2 * (size - 1) if align else ((place + 1) * size - 1) / 2


def _reflected(x: Tensor, low: float, high: float) -> Tensor:
    if low == high:
        return x * 0
    span = high - low
    x = (x - low).abs()
    extra = x - (x / span).floor() * span
    even = (x / span).floor() % 2 == 0
    from lumbre import where

    return where(even, extra + low, span - extra + low)


def _bounded(x: Tensor, size: int, padding: str, align: bool) -> Tensor:
    if padding == "border":
        return x.clamp(0, size - 1)
    if padding == "reflection":
        x = _reflected(x, 0.0, size - 1.0) if align else _reflected(x, -0.5, size - 0.5)
        return x.clamp(0, size - 1)
    return x


def _fetch(input: Tensor, places: list[Tensor]) -> Tensor:
    """Elements at whole places (N, ...), 0 outside of the image: (N, C, ...)."""
    from lumbre import where

    count, channels = input.shape[:2]
    inside = None
    flat = None
    for place, size in zip(places, input.shape[2:], strict=True):
        valid = (place >= 0) & (place < size)
        inside = valid if inside is None else inside & valid
        safe = where(valid, place, place.new_zeros(())).long()
        flat = safe if flat is None else flat * size + safe
    index = flat.reshape(count, 1, -1).expand(count, channels, -1)  # type: ignore[union-attr]
    found = input.reshape(count, channels, -1).gather(2, index).reshape(count, channels, *flat.shape[1:])  # type: ignore[union-attr]
    return where(inside.unsqueeze(1), found, found.new_zeros(()))  # type: ignore[union-attr]


@operator(
    "nn.functional.grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None)", method=False
)
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """An image (N, C, H, W) or (N, C, D, H, W) at the places of a grid (N, ..., 2 or 3), which are in [-1, 1].

    >>> torch.nn.functional.grid_sample(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 1, 2), align_corners=False)
    tensor([[[[1.]]]])
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        from warnings import warn

        warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
            "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
            stacklevel=3,
        )
        align_corners = False
    if input.dtype is grid.dtype and input.dtype.itemsize == 2:
        # Weights and their sums in half precision would be off by a pixel's worth.
        return grid_sample(input.float(), grid.float(), mode, padding_mode, align_corners).to(input.dtype)
    dims = input.dim() - 2
    if dims not in (2, 3) or grid.dim() != input.dim():
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.size(0) != input.size(0):
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.size(-1) != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid with sizes {list(grid.shape)}"
        )
    sizes = list(input.shape[2:])
    if any(size <= 0 for size in sizes):
        raise RuntimeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {list(input.shape)} with "
            f"dimension {2 + [s <= 0 for s in sizes].index(True)} being empty"
        )
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    # The grid's last dimension counts from the image's last: x, y, z.
    places = [_pixel(grid[..., dims - 1 - d], sizes[d], align_corners) for d in range(dims)]
    if mode == "bicubic":
        return _sample_cubic(input, places, sizes, padding_mode, align_corners)
    places = [_bounded(place, size, padding_mode, align_corners) for place, size in zip(places, sizes, strict=True)]
    if mode == "nearest":
        return _fetch(input, [place.round() for place in places])
    lows = [place.floor() for place in places]
    result = None
    for corner in range(2**dims):
        weight, where_to = None, []
        for d in range(dims):
            high = corner >> d & 1
            where_to.append((lows[d] + high).detach())
            part = places[d] - lows[d] if high else lows[d] + 1 - places[d]
            weight = part if weight is None else weight * part
        term = _fetch(input, where_to) * weight.unsqueeze(1)  # type: ignore[union-attr]
        result = term if result is None else result + term
    return result  # type: ignore[return-value]


def _sample_cubic(input: Tensor, places: list[Tensor], sizes: list[int], padding: str, align: bool) -> Tensor:
    lows = [place.floor() for place in places]
    weights = [_cubic_weights(place - low, -0.75) for place, low in zip(places, lows, strict=True)]
    result = None
    for i in range(4):
        for j in range(4):
            y = _bounded((lows[0] + i - 1).detach(), sizes[0], padding, align)
            x = _bounded((lows[1] + j - 1).detach(), sizes[1], padding, align)
            term = _fetch(input, [y, x]) * (weights[0][i] * weights[1][j]).unsqueeze(1)
            result = term if result is None else result + term
    return result  # type: ignore[return-value]
