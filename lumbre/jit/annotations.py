"""``torch.jit.annotations``: types that TorchScript reads, as the types they are in Python."""

from __future__ import annotations

from typing import Any, Generic, List, TypeVar  # noqa: UP035

_T = TypeVar("_T")


class BroadcastingListCls(Generic[_T]):
    """A list, or one value that stands for its members."""


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = BroadcastingList4 = BroadcastingList5 = BroadcastingListCls
BroadcastingList6 = BroadcastingListCls
__all__ = ["Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "BroadcastingListCls", "List"]
