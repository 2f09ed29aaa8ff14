"""``torch.cpu.amp``: the deprecated names of mixed precision on the CPU."""

from __future__ import annotations

from lumbre.cpu.amp.autocast_mode import autocast
from lumbre.cpu.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast"]
