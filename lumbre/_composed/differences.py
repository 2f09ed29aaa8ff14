"""Numerical gradients, and sums that undo broadcasting."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


@operator("sum_to_size(input, *size)", function=False)
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Sums the dimensions in which ``size`` has 1 or nothing: what a broadcast from ``size`` would have repeated.

    >>> torch.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    if not size:
        raise TypeError('sum_to_size() missing 1 required positional arguments: "size"')
    wanted = list(size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size)
    have, extra = list(input.shape), input.dim() - len(wanted)
    if extra < 0 or any(one not in (1, other) for one, other in zip(wanted, have[extra:], strict=True)):
        raise RuntimeError(f"size {{{wanted}}} is not expandable to size {{{have}}}.")
    if not wanted:
        return input.sum()
    dims = [d for d in range(input.dim()) if d < extra or (wanted[d - extra] == 1 and have[d] != 1)]
    return (input.sum(tuple(dims), True) if dims else input).view(wanted)


def _spacings(input: Tensor, spacing: Any, dims: list[int], chosen: bool) -> list[Any]:
    """One spacing per dimension: a number, or a tensor of coordinates."""
    if not isinstance(spacing, (tuple, list)):
        return [spacing] * len(dims)
    if len(spacing) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
            f"{input.dim()}', since dim argument was not given, but got a list of length {len(spacing)}"
            if not chosen
            else f"torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the "
            f"same length, but got a spacing argument of length {len(spacing)} and a dim argument of length {len(dims)}."
        )
    for each, dim in zip(spacing, dims, strict=True):
        if isinstance(each, Tensor) and each.numel() != input.shape[dim]:
            raise RuntimeError(
                f"torch.gradient expected each tensor to have the same number of elements as the corresponding dimension "
                f"of self, but got {each.numel()} and {input.shape[dim]}"
            )
    return list(spacing)


def _slope(input: Tensor, dim: int, spacing: Any, edge_order: int) -> Tensor:
    """Second-order differences inside; differences of the asked order at both ends."""
    n = input.shape[dim]

    def at(start: int, length: int) -> Tensor:
        return input.narrow(dim, start, length)

    if not isinstance(spacing, Tensor):
        inner = (at(2, n - 2) - at(0, n - 2)) / (2.0 * spacing)
        if edge_order == 1:
            first, last = (at(1, 1) - at(0, 1)) / spacing, (at(n - 1, 1) - at(n - 2, 1)) / spacing
        else:
            first = (-1.5 * at(0, 1) + 2 * at(1, 1) - 0.5 * at(2, 1)) / spacing
            last = (1.5 * at(n - 1, 1) - 2 * at(n - 2, 1) + 0.5 * at(n - 3, 1)) / spacing
        return _f["cat"]([first, inner, last], dim)
    steps = spacing.diff()
    shape = [1] * input.dim()
    shape[dim] = -1
    before, after = steps[:-1].reshape(shape), steps[1:].reshape(shape)
    inner = (
        at(0, n - 2) * (-after / (before * (before + after)))
        + at(1, n - 2) * ((after - before) / (before * after))
        + at(2, n - 2) * (before / (after * (before + after)))
    )
    if edge_order == 1:
        first, last = (at(1, 1) - at(0, 1)) / steps[0], (at(n - 1, 1) - at(n - 2, 1)) / steps[-1]
    else:
        a, b = steps[0], steps[1]
        first = (
            at(0, 1) * (-(2 * a + b) / (a * (a + b))) + at(1, 1) * ((a + b) / (a * b)) - at(2, 1) * (a / (b * (a + b)))
        )
        a, b = steps[-2], steps[-1]
        last = (
            at(n - 3, 1) * (b / (a * (a + b)))
            - at(n - 2, 1) * ((b + a) / (a * b))
            + at(n - 1, 1) * ((2 * b + a) / (b * (a + b)))
        )
    return _f["cat"]([first, inner, last], dim)


@operator("gradient(input, *, spacing=1, dim=None, edge_order=1)", method=False)
def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The slopes of samples along each dimension (or those in ``dim``), by central differences.

    ``spacing`` is a number, one per dimension, or a tensor of coordinates for each; ``edge_order`` (1 or 2) is the order
    of the one-sided differences at the ends. RuntimeError where a dimension has fewer than edge_order + 1 elements.

    >>> torch.gradient(torch.tensor([1., 4., 9., 16.]))
    (tensor([3., 4., 6., 7.]),)
    """
    if isinstance(spacing, Tensor):
        raise TypeError(
            "gradient() received an invalid combination of arguments - got (Tensor, spacing=Tensor), but expected one of:\n"
            " * (Tensor input, *, Number or tuple of Numbers or tuple of Tensors spacing, dim, int edge_order)"
        )
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    spacing = 1 if spacing is None else spacing
    ndim = input.dim()
    given = range(ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    dims: list[int] = []
    for each in given:
        if not -ndim <= each < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {each})"
            )
        if each % ndim in dims:
            raise RuntimeError(f"dim {each % ndim} appears multiple times in the list of dims")
        dims.append(each % ndim)
    spacings = _spacings(input, spacing, dims, dim is not None)
    if any(input.shape[d] < edge_order + 1 for d in dims):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return tuple(_slope(input, d, step, edge_order) for d, step in zip(dims, spacings, strict=True))
