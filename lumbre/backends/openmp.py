"""``torch.backends.openmp``. Threads are the engine's own."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False
