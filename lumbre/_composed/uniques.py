"""Distinct elements, with what PyTorch returns beside them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


def _unique(input: Tensor, sorted: bool, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    if dim is not None and input.dim():
        axis = dim + input.dim() if dim < 0 else dim
        if not 0 <= axis < input.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], but got {dim})"
            )
        others = [size for position, size in enumerate(input.shape) if position != axis]
        if 0 in others or (input.numel() == 0 and input.shape[axis] != 0):
            raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    first, inverse, counts = _f["_unique_groups"](input, dim, sorted)
    if dim is None:
        inverse = inverse.reshape(input.shape)
    name = "_unique_consecutive" if not sorted else "_unique2" if dim is None else "_unique_dim"
    results = [_f[name](input, first, dim)]
    if return_inverse:
        results.append(inverse)
    if return_counts:
        results.append(counts)
    return results[0] if len(results) == 1 else tuple(results)


@operator("unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)", derivative="none")
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements (or slices along ``dim``) in ascending order.

    With ``return_inverse`` also which of them each element is, with ``return_counts`` how often each occurs.

    >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    return _unique(input, True, return_inverse, return_counts, dim)


@operator("unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)", derivative="none")
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or slices along ``dim``) without those that equal the one before.

    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    return _unique(input, False, return_inverse, return_counts, dim)
