"""``torch.fx.graph_module``: see ``torch.fx``."""

from __future__ import annotations

from lumbre import _absent
from lumbre.fx import GraphModule
from lumbre.nn import Module

_WHY = _absent._GRAPHS
_CodeOnlyModule = _absent.refused_class("fx.graph_module._CodeOnlyModule", _WHY, Module)
_copy_attr = _absent.refused_function("fx.graph_module._copy_attr", _WHY)
_USER_PRESERVED_ATTRIBUTES_KEY = "_user_preserved_attributes"
__all__ = ["GraphModule"]
