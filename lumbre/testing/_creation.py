"""Tensors of random values for tests."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Tensor, empty, finfo, iinfo, randint, zeros
from lumbre import bool as _bool


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Random values from [low, high): by default [-9, 9) of numbers with a sign, [0, 10) of bytes, {0, 1} of bools.

    >>> torch.testing.make_tensor((2, 3), dtype=torch.float32, device="cpu").shape
    torch.Size([2, 3])
    """
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, "
            f"but got noncontiguous={noncontiguous!r} and memory_format={memory_format!r}"
        )
    if requires_grad and not dtype.is_floating_point:
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype!r}"
        )
    low, high = _bounds(dtype, low, high)
    strided = noncontiguous and math.prod(sizes) > 1
    drawn = (*sizes[:-1], sizes[-1] * 2) if strided else sizes
    if dtype.is_floating_point:
        result = zeros(drawn, dtype=dtype, device=device).uniform_(low, high)
    else:
        result = randint(int(low), int(high), drawn, dtype=dtype, device=device)
    if strided:
        result = result[..., ::2]
    elif memory_format is not None:
        result = empty(sizes, dtype=dtype).copy_(result).contiguous(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = finfo(dtype).tiny if dtype.is_floating_point else 1
    return result.requires_grad_(requires_grad) if requires_grad else result


def _bounds(dtype: Any, low: float | None, high: float | None) -> tuple[float, float]:
    if dtype is _bool:
        default, lowest, highest = (0, 2), 0, 2
    elif dtype.is_floating_point:
        info = finfo(dtype)
        default, lowest, highest = (-9, 9), info.min, info.max
    else:
        limits = iinfo(dtype)
        default, lowest, highest = ((-9, 10) if limits.min < 0 else (0, 10)), limits.min, limits.max
    low = default[0] if low is None else low
    high = default[1] if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low!r} and high={high!r}")
    if low > high or (low == high and dtype.is_floating_point is False):
        raise ValueError(f"`low` must be less than `high`, but got {low!r} >= {high!r}")
    low, high = max(low, lowest), min(high, highest)
    return (low, high) if dtype.is_floating_point else (math.ceil(low), math.ceil(high))
