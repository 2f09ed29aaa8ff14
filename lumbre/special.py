"""``torch.special``: the operators whose names begin with ``special.``."""

from __future__ import annotations

from lumbre import _identity, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_names = _registry.namespace("special")
globals().update(_names)
__all__ = sorted(_names)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}special' has no attribute '{name}'")
