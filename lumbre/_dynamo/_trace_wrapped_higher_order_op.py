"""``torch._dynamo._trace_wrapped_higher_order_op``: what programs that index inside ``vmap`` take from it."""

from __future__ import annotations

from contextlib import AbstractContextManager

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(AbstractContextManager):
    """Inside, ``x[i]`` with tensors of one integer may be mapped by ``vmap``: here it may be everywhere.

    >>> x = torch.arange(3) * 2
    >>> with TransformGetItemToIndex():
    ...     torch.vmap(lambda i: x[i])(torch.tensor([2, 0]))
    tensor([4, 0])
    """

    def __exit__(self, *error: object) -> None:
        """Nothing was changed."""
