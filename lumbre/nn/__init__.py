"""``torch.nn``: networks. So far the functions in ``torch.nn.functional``."""

from __future__ import annotations

from lumbre import _identity


def __getattr__(name: str) -> object:
    if name == "functional":
        from importlib import import_module

        return import_module("lumbre.nn.functional")
    raise AttributeError(f"module '{_identity.prefix()}nn' has no attribute '{name}'")
