"""``torch.nn.parallel.distributed``: see ``torch.nn.parallel``."""

from __future__ import annotations

from lumbre.nn.parallel import DistributedDataParallel

__all__ = ["DistributedDataParallel"]
