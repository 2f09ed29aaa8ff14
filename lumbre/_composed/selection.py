"""Forms of selecting operators that take their arguments in another order."""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor


@operator("where(input, condition, other)", function=False, out=False)
def where(input: Tensor, condition: Tensor, other: Tensor | float) -> Tensor:
    """The elements of the tensor where ``condition`` holds, else of ``other``.

    >>> torch.tensor([1., 2.]).where(torch.tensor([True, False]), 0.)
    tensor([1., 0.])
    """
    return _C._functions["where"](condition, input, other)
