"""Operators composed of others, a module per family; see ``lumbre._registry.operator``."""

from __future__ import annotations


def load() -> None:
    """Imports every family, which registers its operators."""
    from os import listdir

    files = [name for folder in __path__ for name in listdir(folder)]
    names = {name.partition(".")[0] for name in files if name.endswith((".py", ".pyc"))}
    for name in sorted(names - {"__init__"}):
        __import__(f"{__name__}.{name}")
