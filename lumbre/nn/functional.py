"""``torch.nn.functional``: the operators whose names begin with ``nn.functional.``."""

from __future__ import annotations

from lumbre import _identity, _registry

_names = _registry.namespace("nn.functional")
globals().update(_names)
__all__ = sorted(_names)


def __getattr__(name: str) -> object:
    raise AttributeError(f"module '{_identity.prefix()}nn.functional' has no attribute '{name}'")
