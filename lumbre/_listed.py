"""For packages whose parts load when they are first touched."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def submodule(package: str, name: str) -> ModuleType | None:
    """A submodule of a package, loaded; None where there is none. ModuleNotFoundError for what it fails to import itself."""
    if name.startswith("__"):
        return None
    full = f"{package}.{name}"
    try:
        return import_module(full)
    except ModuleNotFoundError as error:
        if error.name != full:
            raise
    return None


def complete_dict(package: str, names: Iterable[str]) -> None:
    """Has ``package.__dict__``, asked for as an attribute, load these names first: who walks ``vars(package)`` finds all.
    Plain look-ups do not ask for it.
    """

    class Package(ModuleType):
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            for name in names:
                getattr(self, name)
            own: Any = ModuleType
            return vars(own)["__dict__"].__get__(self)

    sys.modules[package].__class__ = Package
