"""Statistics composed of reductions: norms by name, quantiles, differences, integrals, similarity, membership."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


def _dims(dim: Any) -> Any:
    return (dim,) if isinstance(dim, int) else dim


@operator("norm(input, p='fro', dim=None, keepdim=False, out=None, dtype=None)")
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm of all elements or over dimensions; "fro" is 2. Kept for older programs: see linalg.vector_norm.

    >>> torch.norm(torch.tensor([3., 4.]))
    tensor(5.)
    """
    if p == "nuc":
        from lumbre import linalg

        return linalg.matrix_norm(input, "nuc", (0, 1) if dim is None else tuple(dim), keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"only valid string values are 'fro' and 'nuc', found {p}")
    if not (dtype or input.dtype).is_floating_point:
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {_title(input.dtype)}"
        )
    return _f["linalg.vector_norm"](input, 2 if p is None or p == "fro" else p, _dims(dim), keepdim, dtype=dtype)


_TITLES = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long",
    "float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double",
}  # fmt: skip


def _title(dtype: Any) -> str:
    return _TITLES[str(dtype).rpartition(".")[2]]


@operator("dist(input, other, p=2)")
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference of two tensors.

    >>> torch.dist(torch.tensor([3., 4.]), torch.zeros(2))
    tensor(5.)
    """
    return _f["linalg.vector_norm"](input - other, p)


@operator("nanmean(input, dim=None, keepdim=False, *, dtype=None, out=None)")
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of the elements that are not NaN.

    >>> torch.nanmean(torch.tensor([1., float("nan"), 3.]))
    tensor(2.)
    """
    if not input.is_floating_point():
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {_title(input.dtype)}"
        )
    count = input.isnan().logical_not().sum(_dims(dim), keepdim)
    return input.nansum(_dims(dim), keepdim, dtype=dtype) / count


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(input: Tensor, q: Any, dim: Any, keepdim: bool, interpolation: str, skip_nan: bool, name: str) -> Tensor:
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype not in (_C.float32, _C.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    scalar = not isinstance(q, Tensor)
    if scalar:
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = _f["full"]((), float(q), dtype=input.dtype)
    if q.dim() > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.dtype != input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if bool(((q < 0) | (q > 1)).any()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    shape = list(input.shape)
    if dim is None:
        rows, shape = input.reshape(1, -1), [1] * input.dim()
        axis = 0
    else:
        axis = dim + input.dim() if dim < 0 else dim
        if input.dim() and not 0 <= axis < input.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], but got {dim})"
            )
        rows = input.movedim(axis, -1).reshape(-1, shape[axis]) if input.dim() else input.reshape(1, 1)
        if input.dim():
            shape[axis] = 1
    ordered = rows.sort(-1)[0]
    nans = rows.isnan().sum(-1, True)
    sizes = (rows.shape[-1] - nans).clamp(min=1) if skip_nan else _f["full"](nans.shape, rows.shape[-1])
    rank = q.reshape(1, -1) * (sizes - 1).to(input.dtype)
    if not skip_nan:
        rank = rank.where(nans == 0, float(rows.shape[-1] - 1))
    if interpolation == "lower":
        rank = rank.floor()
    elif interpolation == "higher":
        rank = rank.ceil()
    elif interpolation == "nearest":
        rank = rank.round()
    below = rank.long()
    values = ordered.gather(-1, below)
    if interpolation in ("linear", "midpoint"):
        weight = _f["full"](rank.shape, 0.5, dtype=input.dtype) if interpolation == "midpoint" else rank - below
        values = values.lerp(ordered.gather(-1, rank.ceil().long()), weight)
    values = values.t().reshape(q.numel(), *shape)
    if not keepdim:
        values = values.reshape(q.numel(), -1) if dim is None else (values.squeeze(axis + 1) if input.dim() else values)
        if dim is None:
            values = values.reshape(q.numel())
    return values.squeeze(0) if q.dim() == 0 else values


@operator("quantile(input, q, dim=None, keepdim=False, *, interpolation='linear', out=None)")
def quantile(input: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantiles (q from 0 to 1, a number or a vector, whose dimension comes first). NaN where there is a NaN.

    >>> torch.quantile(torch.tensor([1., 2., 4.]), 0.5)
    tensor(2.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, False, "quantile")


@operator("nanquantile(input, q, dim=None, keepdim=False, *, interpolation='linear', out=None)")
def nanquantile(
    input: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-quantiles of the elements that are not NaN.

    >>> torch.nanquantile(torch.tensor([1., 2., float("nan")]), 1.)
    tensor(2.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, True, "nanquantile")


@operator("diff(input, n=1, dim=-1, prepend=None, append=None, *, out=None)")
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The n-th differences of neighbours along a dimension.

    >>> torch.diff(torch.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    for each, name in ((prepend, "prepend"), (append, "append")):
        if each is not None and each.dim() != input.dim():
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        del name
    if n == 0:
        return input.clone()
    pieces = [each for each in (prepend, input, append) if each is not None]
    result = _f["cat"](pieces, dim) if len(pieces) > 1 else input
    for _ in range(min(n, result.shape[dim])):
        size = result.shape[dim]
        upper, lower = result.narrow(dim, 1, size - 1), result.narrow(dim, 0, size - 1)
        result = upper.logical_xor(lower) if result.dtype == _C.bool else upper - lower
    return result


def _trapezoids(y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    size = y.shape[dim]
    heights = y.narrow(dim, 0, size - 1) + y.narrow(dim, 1, size - 1)
    if x is None:
        return heights * (dx / 2)
    if x.dim() == 1:
        if x.shape[0] != size:
            raise RuntimeError("trapezoid: There must be one `x` value for each sample point")
        widths = x.diff()
        position = dim % y.dim()
        return heights * widths.reshape([-1] + [1] * (y.dim() - position - 1)) / 2
    return heights * x.diff(dim=dim) / 2


def _empty_integral(y: Tensor, dim: int) -> Tensor | None:
    if y.shape[dim] == 0:
        shape = list(y.shape)
        del shape[dim]
        return _f["zeros"](shape, dtype=y.dtype)
    return None


@operator("trapezoid(y, x=None, *, dx=1, dim=-1)", method=False, aliases="trapz")
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral along a dimension by the trapezoidal rule, over points ``x`` or in steps of ``dx``.

    >>> torch.trapezoid(torch.tensor([1., 2., 3.]))
    tensor(4.)
    """
    empty = _empty_integral(y, dim)
    return empty if empty is not None else _trapezoids(y, x, dx, dim).sum(dim)


@operator("cumulative_trapezoid(y, x=None, *, dx=1, dim=-1)", method=False)
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The running integral along a dimension by the trapezoidal rule.

    >>> torch.cumulative_trapezoid(torch.tensor([1., 2., 3.]))
    tensor([1.5000, 4.0000])
    """
    return _trapezoids(y, x, dx, dim).cumsum(dim)


@operator("cov(input, *, correction=1, fweights=None, aweights=None)")
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariance matrix of variables (rows) over observations (columns), with frequencies or weights.

    >>> torch.cov(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.dim() > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    if input.dtype == _C.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    values = input.reshape(1, -1) if input.dim() < 2 else input
    count = values.shape[1]
    weights = None
    for given, name, whole in ((fweights, "fweights", True), (aweights, "aweights", False)):
        if given is None:
            continue
        if given.dim() > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with {given.dim()} dimensions"
            )
        if given.is_floating_point() == whole:
            raise RuntimeError(
                f"cov(): expected {name} to have {'integral' if whole else 'floating point'} dtype but got {name} with {_title(given.dtype)} dtype"
            )
        if given.numel() != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got {given.numel()} != {count}"
            )
        if count and bool((given < 0).any()):
            raise RuntimeError(f"cov(): {name} cannot be negative")
        weights = given if weights is None else weights * given
    if weights is None:
        total: Any = count
        mean = values.to(_real(values)).mean(1, True)
        centred = values - mean
        scaled = centred
    else:
        total = weights.sum()
        if count and float(total) == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        mean = (values * weights).sum(1, True) / total
        centred = values - mean
        scaled = centred * weights
    if weights is None or aweights is None:
        factor = total - correction
    else:
        factor = total - correction * (weights * aweights).sum() / total
    result = scaled @ centred.t().to(scaled.dtype) / (factor if float(factor) > 0 else 0.0)
    return result.squeeze()


def _real(tensor: Tensor) -> Any:
    return tensor.dtype if tensor.is_floating_point() else _C.get_default_dtype()


@operator("corrcoef(input)")
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation coefficients of variables (rows) over observations (columns).

    >>> torch.corrcoef(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.dim() > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    c = cov(input)
    if c.dim() == 0:
        return c / c
    d = c.diagonal().sqrt()
    return (c / d.reshape(-1, 1) / d.reshape(1, -1)).clamp(-1, 1)


@operator(
    "isin(elements, test_elements, *, assume_unique=False, invert=False, out=None)", method=False, derivative="none"
)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element occurs among the test elements; either may be a number.

    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 3]))
    tensor([False,  True,  True])
    """
    del assume_unique  # a hint that the search does not need
    elements = (
        elements if isinstance(elements, Tensor) else _f["scalar_tensor"](elements, dtype=_C.tensor(elements).dtype)
    )
    tests = test_elements if isinstance(test_elements, Tensor) else _C.tensor([test_elements])
    if _C.bool in (elements.dtype, tests.dtype):
        raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    common = _C.promote_types(elements.dtype, tests.dtype)
    ordered = tests.to(common).reshape(-1).sort()[0]
    if ordered.numel() == 0:
        found = _f["zeros"](tuple(elements.shape), dtype=_C.bool)
    else:
        wanted = elements.to(common).contiguous()
        places = _f["searchsorted"](ordered, wanted).clamp(max=ordered.numel() - 1)
        found = ordered[places] == wanted
    return found.logical_not() if invert else found


@operator("nn.functional.cosine_similarity(x1, x2, dim=1, eps=1e-08)", method=False, aliases="cosine_similarity")
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along a dimension; lengths below ``eps`` count as ``eps``.

    >>> torch.nn.functional.cosine_similarity(torch.tensor([1., 0.]), torch.tensor([0., 1.]), dim=0)
    tensor(0.)
    """
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            + _title(_C.promote_types(x1.dtype, x2.dtype))
        )
    x1, x2 = _f["broadcast_tensors"](x1, x2) if "broadcast_tensors" in _f else (x1 + x2 * 0, x2 + x1 * 0)
    lengths = [(each * each).sum(dim, True).sqrt().clamp(min=eps) for each in (x1, x2)]
    return ((x1 / lengths[0]) * (x2 / lengths[1])).sum(dim)


@operator(
    "nn.functional.pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)",
    method=False,
    aliases="pairwise_distance",
)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> torch.nn.functional.pairwise_distance(torch.tensor([[3., 4.]]), torch.zeros(1, 2))
    tensor([5.0000])
    """
    return _f["linalg.vector_norm"](x1 - x2 + eps, p, (-1,), keepdim)


@operator("nn.functional.normalize(input, p=2.0, dim=1, eps=1e-12, out=None)", method=False)
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along a dimension divided by their p-norm (at least ``eps``).

    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / norm(input, p, dim, keepdim=True).clamp_min(eps).expand_as(input)


@operator("renorm(input, p, dim, maxnorm, *, out=None)", inplace=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along a dimension scaled down to a p-norm of at most ``maxnorm``.

    >>> torch.renorm(torch.tensor([[3., 4.], [0.3, 0.4]]), 2, 0, 1.)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if input.dim() < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.dim()} dimensions")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    axis = dim % input.dim()
    others = tuple(d for d in range(input.dim()) if d != axis)
    wide = input.to(_C.float32) if input.dtype in (_C.float16, _C.bfloat16) else input
    lengths = _f["linalg.vector_norm"](wide, p, others, True)
    factor = (maxnorm / (lengths + 1e-7)).where(lengths > maxnorm, 1.0)
    return (wide * factor).to(input.dtype)
