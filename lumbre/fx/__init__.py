"""``torch.fx``: Lumbre makes no graphs of programs. Its classes have no objects; who would make one is told so."""

from __future__ import annotations

from lumbre import _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from lumbre.nn import Module

_WHY = _absent._GRAPHS
_CLASSES = ("Graph", "Interpreter", "Node", "Proxy", "Tracer", "Transformer")
_FUNCTIONS = ("has_side_effect", "map_arg", "replace_pattern", "symbolic_trace")
for _name in _CLASSES:
    globals()[_name] = _absent.refused_class(f"fx.{_name}", _WHY)
for _name in _FUNCTIONS:
    globals()[_name] = _absent.refused_function(f"fx.{_name}", _WHY)
GraphModule = _absent.refused_class("fx.GraphModule", _WHY, Module)
__all__ = ["GraphModule", "wrap", *_CLASSES, *_FUNCTIONS]
del _name


def wrap(fn_or_name: str | Callable) -> str | Callable:
    """What would be a leaf of traces, as it is: it runs as any other function. RuntimeError for what is no function or
    its name.

    >>> torch.fx.wrap(len) is len
    True
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    return fn_or_name


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}fx' has no attribute '{name}'")
