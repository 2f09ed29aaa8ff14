"""``torch.linalg``: the operators whose names begin with ``linalg.``."""

from __future__ import annotations

from lumbre import _C, _identity, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LinAlgError = _C._LinAlgError

_names = _registry.namespace("linalg")
globals().update(_names)
__all__ = sorted([*_names, "LinAlgError"])


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}linalg' has no attribute '{name}'")
