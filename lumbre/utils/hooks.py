"""Handles of hooks."""

from __future__ import annotations

from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RemovableHandle:
    """Takes a hook away again: ``remove()``, or the end of a ``with`` block.

    >>> hooks = {}
    >>> handle = torch.utils.hooks.RemovableHandle(hooks)
    >>> hooks[handle.id] = print
    >>> handle.remove(); hooks
    {}
    """

    next_id = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        from collections import OrderedDict

        if type(hooks_dict) is dict:
            self._hooks: Any = lambda: hooks_dict
        else:
            self._hooks = ref(hooks_dict)
        extras = [] if extra_dict is None else extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self._extras = [ref(one) if isinstance(one, OrderedDict) else (lambda one=one: one) for one in extras]
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1

    def remove(self) -> None:
        """Takes the hook away; a second call does nothing."""
        for hooks in (self._hooks, *self._extras):
            found = hooks()
            if found is not None and self.id in found:
                del found[self.id]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
