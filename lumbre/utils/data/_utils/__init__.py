"""``torch.utils.data._utils``: where PyTorch keeps what makes batches; the parts that libraries take from it."""

from __future__ import annotations

from lumbre.utils.data._utils import collate

__all__ = ["collate"]
