"""Names of dispatch keys, as libraries combine them when they register operators: labels, which nothing here reads."""

from __future__ import annotations

from lumbre import _absent, _identity

__all__ = ["DispatchKey", "DispatchKeySet"]


class _Keys(type):
    def __getattr__(cls, name: str) -> DispatchKey:
        if name.startswith("_") or not name[0].isupper():
            raise AttributeError(f"type object 'DispatchKey' has no attribute '{name}'")
        made = cls(name)
        setattr(cls, name, made)
        return made


class DispatchKey(metaclass=_Keys):
    """The label of a backend or of a functionality."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<DispatchKey.{self.name}>"


class DispatchKeySet:
    """Several of them."""

    def __init__(self, *keys: DispatchKey) -> None:
        self.keys = frozenset(keys)

    def __or__(self, other: DispatchKeySet) -> DispatchKeySet:
        return DispatchKeySet(*self.keys, *other.keys)

    def has(self, key: DispatchKey) -> bool:
        """Whether it is among them."""
        return key in self.keys

    def __repr__(self) -> str:
        return f"{_identity.prefix()}DispatchKeySet({', '.join(sorted(key.name for key in self.keys))})"


_ExcludeDispatchKeyGuard = _absent.refused_class("_C._ExcludeDispatchKeyGuard", _absent._LIBTORCH)
