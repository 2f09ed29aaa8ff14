"""For packages whose classes load when they are first touched: who walks ``vars(package)`` finds all of them."""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def complete_dict(package: str, names: Iterable[str]) -> None:
    """Has ``package.__dict__``, asked for as an attribute, load these names first. Plain look-ups do not ask for it."""

    class Package(ModuleType):
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            for name in names:
                getattr(self, name)
            own: Any = ModuleType
            return vars(own)["__dict__"].__get__(self)

    sys.modules[package].__class__ = Package
