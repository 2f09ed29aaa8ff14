"""Whether mixed precision can be had on such a device."""

from __future__ import annotations

__all__ = ["amp_definitely_not_available"]


def amp_definitely_not_available() -> bool:
    """True: there is the CPU only."""
    return True
