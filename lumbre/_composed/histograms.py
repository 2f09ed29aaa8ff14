"""Histograms as users call them; the engine counts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


def _counted(points: Tensor, bins: Any, limits: Any, weight: Any, density: bool) -> Any:
    """The engine's results: the counts, then the edges of each dimension."""
    if bins and isinstance(bins[0], Tensor):
        return _f["_histogram_edges"](points, list(bins), weight, density)
    if limits is not None:
        limits = _C.tensor([float(each) for each in limits], dtype=_C.float64)
    return _f["_histogram_even"](points, tuple(bins), limits, weight, density)


@operator("histogram(input, bins=100, *, range=None, weight=None, density=False, out=None)", derivative="none")
def histogram(
    input: Tensor, bins: Any = 100, *, range: Any = None, weight: Any = None, density: bool = False
) -> tuple[Tensor, Tensor]:
    """How many elements (or how much weight) lie in each bin, and the edges of the bins.

    ``bins`` is a number of equal bins over ``range`` (by default from the least to the largest element) or a rising
    tensor of edges. Elements outside are left out. With ``density`` the area is 1.

    >>> torch.histogram(torch.tensor([1., 2., 1.]), 2).hist
    tensor([2., 1.])
    """
    if weight is not None:
        weight = weight.reshape(-1) if weight.shape == input.shape else weight
    hist, edges = _counted(input.reshape(-1, 1), [bins], range, weight, density)
    return _C._fields_type("histogram", "hist, bin_edges")((hist, edges))


@operator("histogramdd(input, bins, *, range=None, weight=None, density=False)", method=False, derivative="none")
def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Any = None, density: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A histogram of points (..., d) in d dimensions, and the edges of each.

    ``bins`` is a number for all dimensions, one for each, or a tensor of edges for each; ``range`` holds a least and a
    largest value for each.

    >>> torch.histogramdd(torch.tensor([[0., 1.], [1., 0.]]), [2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    if isinstance(bins, int):
        if input.dim() < 2:
            raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
        bins = [bins] * input.shape[-1]
    hist, *edges = _counted(input, list(bins), range, weight, density)
    return _C._fields_type("histogramdd", "hist, bin_edges")((hist, tuple(edges)))
