"""``torch.backends.mps``: there is no Metal."""

from __future__ import annotations


def is_built() -> bool:
    """False."""
    return False


def is_available() -> bool:
    """False."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: without Metal no version is asked for."""
    return False
