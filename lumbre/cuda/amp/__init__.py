"""``torch.cuda.amp``: the deprecated names; everything is disabled without such a device."""

from __future__ import annotations

from lumbre.cuda.amp.autocast_mode import autocast, custom_bwd, custom_fwd
from lumbre.cuda.amp.common import amp_definitely_not_available
from lumbre.cuda.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]
