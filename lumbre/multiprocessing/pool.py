"""Python's pools, whose tensors share their memory."""

from __future__ import annotations

from multiprocessing.pool import Pool

__all__ = ["Pool"]
