"""``torch.distributed.optim``: one process computes, so no state is shared out."""

from __future__ import annotations

from lumbre import _absent
from lumbre.optim import Optimizer

ZeroRedundancyOptimizer = _absent.refused_class(
    "distributed.optim.ZeroRedundancyOptimizer", _absent._ONE_PROCESS, Optimizer
)
__all__ = ["ZeroRedundancyOptimizer"]
