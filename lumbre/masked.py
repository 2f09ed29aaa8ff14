"""``torch.masked``: reductions and normalisations that leave out what a mask does not name.

``mask`` is True where an element counts; it broadcasts to the input, and None lets all count. What has no elements to count
is the operation's identity (0 for a sum, nan for a mean).
"""

from __future__ import annotations

from lumbre import _C, _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions
_WHY = "Lumbre has no masked tensors; the functions of torch.masked take masks"
MaskedTensor = _absent.refused_class("masked.MaskedTensor", _WHY)
as_masked_tensor = _absent.refused_function("masked.as_masked_tensor", _WHY)
masked_tensor = _absent.refused_function("masked.masked_tensor", _WHY)
__all__ = [
    "MaskedTensor", "amax", "amin", "argmax", "argmin", "as_masked_tensor", "cumprod", "cumsum", "is_masked_tensor",
    "log_softmax", "logaddexp", "logsumexp", "masked_tensor", "mean", "median", "norm", "normalize", "prod", "softmax",
    "softmin", "std", "sum", "var",
]  # fmt: skip
_SMALL = (_C.bool, _C.uint8, _C.int8, _C.int16, _C.int32)


def is_masked_tensor(obj: Any, /) -> bool:
    """False: there are none."""
    return False


def _filled(input: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """The input with a value where the mask is not."""
    if mask is None:
        return input
    return _f["where"](mask.expand(input.shape).bool(), input, input.new_full((), value))


def _dims(input: Tensor, dim: Any) -> tuple[int, ...]:
    if dim is None or dim == ():
        return tuple(range(input.dim()))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    for each in dims:
        if input.dim():
            input.size(each)  # IndexError where there is no such dimension
    return dims


def _count(input: Tensor, dims: tuple[int, ...], mask: Tensor | None) -> Tensor:
    """How many elements count, with sizes kept at 1."""
    ones = _f["ones"](input.shape, dtype=_C.int64) if mask is None else mask.expand(input.shape).bool().long()
    return ones.sum(dims, keepdim=True) if dims else ones


def _limits(dtype: Any) -> tuple[float, float]:
    if dtype.is_floating_point:
        return float("-inf"), float("inf")
    from lumbre._numeric_info import iinfo

    info: Any = iinfo(dtype)
    return info.min, info.max


def _squeezed(values: Tensor, dims: tuple[int, ...], keepdim: Any) -> Tensor:
    return values if keepdim or not dims else values.squeeze(dims)


# --- reductions -------------------------------------------------------------------------------------------------------


def sum(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The sum of what counts.

    >>> torch.masked.sum(torch.tensor([1., 2., 3.]), mask=torch.tensor([True, False, True]))
    tensor(4.)
    """
    wide = dtype or (_C.int64 if input.dtype in _SMALL else input.dtype)
    dims = _dims(input, dim)
    values = _filled(input.to(wide), mask, 0)
    return values.sum(dims, bool(keepdim)) if dims else values.clone()


def prod(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The product of what counts.

    >>> torch.masked.prod(torch.tensor([4., 2., 3.]), mask=torch.tensor([True, False, True]))
    tensor(12.)
    """
    wide = dtype or (_C.int64 if input.dtype in _SMALL else input.dtype)
    values = _filled(input.to(wide), mask, 1)
    dims = _dims(input, dim)
    for each in sorted((d % max(input.dim(), 1) for d in dims), reverse=True):
        values = values.prod(each, True)
    return _squeezed(values, dims, keepdim)


def _extreme(name: str, side: int) -> Callable[..., Tensor]:
    def extreme(
        input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
    ) -> Tensor:
        values = input if dtype is None else input.to(dtype)
        dims = _dims(input, dim)
        values = _filled(values, mask, _limits(values.dtype)[side])
        return _f[name](values, dims, bool(keepdim)) if dims else values.clone()

    def place(
        input: Tensor,
        dim: int | None = None,
        *,
        keepdim: bool | None = False,
        dtype: Any = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        values = input if dtype is None else input.to(dtype)
        values = _filled(values, mask, _limits(values.dtype)[side])
        return _f[name](values, dim, bool(keepdim)).to(values.dtype)

    made = place if name.startswith("arg") else extreme
    made.__name__ = made.__qualname__ = name
    what = "The place, in the input's dtype, of the" if name.startswith("arg") else "The"
    made.__doc__ = f"""{what} {"greatest" if side == 0 else "least"} of what counts.

    >>> torch.masked.{name}(torch.tensor([1., 2., 3.]), {"0, " if name.startswith("arg") else ""}mask=torch.tensor([False, True, False]))
    tensor({"1." if name.startswith("arg") else "2."})
    """
    return made


amax, amin, argmax, argmin = (
    _extreme(name, side) for name, side in (("amax", 0), ("amin", 1), ("argmax", 0), ("argmin", 1))
)


def mean(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The mean of what counts; nan where nothing does. RuntimeError for integers.

    >>> torch.masked.mean(torch.tensor([1., 2., 3.]), mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    kind = dtype or input.dtype
    if not kind.is_floating_point:
        raise RuntimeError(
            "mean(): Could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {kind}"
        )
    dims = _dims(input, dim)
    values = input.to(kind)
    exact = values.float() if kind.itemsize == 2 else values
    total = sum(exact, dims, keepdim=True, mask=mask)
    return _squeezed((total / _count(input, dims, mask)).to(kind), dims, keepdim)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The lower median of what counts along a dimension; nan where nothing does.

    >>> torch.masked.median(torch.tensor([1., 2., 3.]), 0, mask=torch.tensor([True, False, True]))
    tensor(1.)
    """
    values = input if dtype is None else input.to(dtype)
    if not values.dtype.is_floating_point:
        raise ValueError(f"median expects no integer dtype, got {values.dtype}")
    if mask is None:
        return _f["median"](values, dim, keepdim)[0]
    return _f["nanmedian"](_filled(values, mask, float("nan")), dim, keepdim)[0]


def norm(
    input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The vector norm of what counts.

    >>> torch.masked.norm(torch.tensor([3., 9., 4.]), mask=torch.tensor([True, False, True]))
    tensor(5.)
    """
    order = 2.0 if ord is None else ord
    values = input if dtype is None else input.to(dtype)
    values = _filled(values, mask, float("inf") if order < 0 else 0.0)
    return _f["linalg.vector_norm"](values, order, _dims(input, dim), bool(keepdim))


def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: float | None = None,
    keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The variance of what counts; nan where that is too little.

    >>> torch.masked.var(torch.tensor([1., 2., 3.]), mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    if unbiased is not None and correction is not None:
        raise RuntimeError("Only one of unbiased and correction may be given")
    less = correction if correction is not None else float(unbiased is None or unbiased)
    kind = dtype or (input.dtype if input.dtype.is_floating_point else _C.get_default_dtype())
    dims = _dims(input, dim)
    values = input.to(kind)
    exact = values.float() if kind.itemsize == 2 else values
    count = _count(input, dims, mask)
    centre = sum(exact, dims, keepdim=True, mask=mask) / count
    squares = sum((exact - centre).square(), dims, keepdim=True, mask=mask)
    return _squeezed((squares / (count - less).clamp(min=0)).to(kind), dims, keepdim)


def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: int | None = None,
    keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of what counts; nan where that is too little.

    >>> torch.masked.std(torch.tensor([1., 2., 3.]), unbiased=False, mask=torch.tensor([True, False, True]))
    tensor(1.)
    """
    return var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask).sqrt()


def logsumexp(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The logarithm of the sum of exponentials of what counts.

    >>> torch.masked.logsumexp(torch.tensor([0., 9., 0.]), 0, mask=torch.tensor([True, False, True]))
    tensor(0.6931)
    """
    kind = dtype or input.dtype
    values = _filled(input.to(kind), mask, _limits(kind)[0] if kind is not _C.bool else 0)
    exact = values if kind.is_floating_point else values.to(_C.get_default_dtype())
    return _f["logsumexp"](exact, _dims(input, dim), keepdim).to(kind)  # integers too, as PyTorch has it


# --- along a dimension, of the same shape -----------------------------------------------------------------------------


def _along(name: str, fill: float, example: str) -> Callable[..., Tensor]:
    def along(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
        values = input if dtype is None else input.to(dtype)
        if name.startswith("cum"):
            return _f[name](_filled(values, mask, fill), dim, dtype=values.dtype)
        values = _filled(values, mask, fill)
        return _f["softmax"](-values, dim) if name == "softmin" else _f[name](values, dim)

    along.__name__ = along.__qualname__ = name
    along.__doc__ = f"""``torch.{"nn.functional." * (name == "softmin")}{name}`` of what counts along a dimension.

    >>> torch.masked.{name}(torch.tensor([2., 9., 2.]), 0, mask=torch.tensor([True, False, True]))
    tensor({example})
    """
    return along


cumsum, cumprod, softmax, log_softmax, softmin = (
    _along("cumsum", 0, "[2., 2., 4.]"),
    _along("cumprod", 1, "[2., 2., 4.]"),
    _along("softmax", float("-inf"), "[0.5000, 0.0000, 0.5000]"),
    _along("log_softmax", float("-inf"), "[-0.6931,    -inf, -0.6931]"),
    _along("softmin", float("inf"), "[0.5000, 0.0000, 0.5000]"),
)


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """What counts divided by its norm along a dimension; 0 elsewhere.

    >>> torch.masked.normalize(torch.tensor([3., 9., 4.]), 2.0, 0, mask=torch.tensor([True, False, True]))
    tensor([0.6000, 0.0000, 0.8000])
    """
    values = input if dtype is None else input.to(dtype)
    size = norm(values, ord, dim, keepdim=True, mask=mask)
    return _filled(values, mask, 0.0) / size.clamp(min=eps)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """``torch.logaddexp`` where what a mask leaves out is minus infinity.

    >>> torch.masked.logaddexp(torch.zeros(2), torch.zeros(2), input_mask=torch.tensor([True, False]))
    tensor([0.6931, 0.0000])
    """
    pair = [each if dtype is None else each.to(dtype) for each in (input, other)]
    first, second = (
        _filled(each, mask, float("-inf")) for each, mask in zip(pair, (input_mask, other_mask), strict=True)
    )
    return _f["logaddexp"](first, second)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}masked' has no attribute '{name}'")
