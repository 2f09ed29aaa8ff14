"""``torch.utils``: its submodules load when they are first touched."""

from __future__ import annotations

from lumbre import _identity


def __getattr__(name: str) -> object:
    if not name.startswith("__"):
        from importlib import import_module

        full = f"{__name__}.{name}"
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
    raise AttributeError(f"module '{_identity.prefix()}utils' has no attribute '{name}'")
