"""``torch.utils``: its submodules load when they are first touched."""

from __future__ import annotations

from lumbre import _identity, _listed


def __getattr__(name: str) -> object:
    if (module := _listed.submodule(__name__, name)) is not None:
        return module
    raise AttributeError(f"module '{_identity.prefix()}utils' has no attribute '{name}'")
