"""``torch.nn.parallel.data_parallel``: see ``torch.nn.parallel``."""

from __future__ import annotations

from lumbre.nn.parallel import DataParallel, data_parallel

__all__ = ["DataParallel", "data_parallel"]
