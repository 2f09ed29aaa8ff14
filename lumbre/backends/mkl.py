"""``torch.backends.mkl``. Products come from OpenBLAS."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False
