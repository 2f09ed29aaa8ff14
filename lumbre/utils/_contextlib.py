"""``torch.utils._contextlib``: the base of blocks that are decorators too."""

from __future__ import annotations

from lumbre._controls import _Mode as _DecoratorContextManager

__all__ = ["_DecoratorContextManager"]
