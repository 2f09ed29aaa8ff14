"""``torch.amp``: mixed precision. Operators are cast (``autocast``), and losses scaled (``GradScaler``)."""

from __future__ import annotations

from lumbre.amp.autocast_mode import (  # noqa: F401
    _enter_autocast,
    _exit_autocast,
    autocast,
    custom_bwd,
    custom_fwd,
    is_autocast_available,
)
from lumbre.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
