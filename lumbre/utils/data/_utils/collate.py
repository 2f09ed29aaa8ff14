"""``torch.utils.data._utils.collate``: see ``torch.utils.data.default_collate``."""

from __future__ import annotations

from lumbre.utils.data._collate import default_collate, default_collate_fn_map, default_convert

__all__ = ["default_collate", "default_collate_fn_map", "default_convert"]
