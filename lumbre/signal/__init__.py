"""``torch.signal``: windows."""

from __future__ import annotations

from lumbre.signal import windows

__all__ = ["windows"]
