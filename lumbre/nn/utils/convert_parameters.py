"""Parameters as one vector, and back."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Tensor = _C.Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, one after another, in one vector.

    >>> torch.nn.utils.parameters_to_vector([torch.zeros(2), torch.ones(1)])
    tensor([0., 0., 1.])
    """
    from lumbre import cat

    return cat([param.view(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Parameters become views of consecutive parts of a vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    at = 0
    for param in parameters:
        count = param.numel()
        param.data = vec[at : at + count].view_as(param).data
        at += count
