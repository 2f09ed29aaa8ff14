"""``torch.amp``: mixed precision. Gradients are scaled; automatic casts on the CPU are refused (see ``autocast``)."""

from __future__ import annotations

from lumbre.amp.autocast_mode import autocast, is_autocast_available
from lumbre.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "is_autocast_available"]
