"""Compiled modules."""

from __future__ import annotations

from lumbre._compiling.function import Function
from lumbre.nn.modules.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_OWN = ("_orig_mod", "forward", "_settings", "training")


class OptimizedModule(Module):
    """A module whose calls are recorded and repeated; everything else is the original's, ``_orig_mod``."""

    _orig_mod: Module

    def __init__(
        self, mod: Module, fullgraph: bool = False, limit: int | None = None, as_written: bool = False
    ) -> None:
        super().__init__()
        self._modules["_orig_mod"] = mod
        self.__dict__["_settings"] = (fullgraph, limit, as_written)
        self._make_forward()

    def _make_forward(self) -> None:
        fullgraph, limit, as_written = self._settings
        original = self._modules["_orig_mod"]
        made = Function(original, fullgraph=fullgraph, limit=limit, as_written=as_written).callable
        made.__wrapped__ = original
        self.__dict__["forward"] = made

    @property
    def training(self) -> bool:  # type: ignore[override]
        """The original's."""
        return self._modules["_orig_mod"].training

    @training.setter
    def training(self, value: bool) -> None:
        self._modules["_orig_mod"].training = value

    def __getattr__(self, name: str) -> Any:
        if name == "_modules" or "_orig_mod" not in self.__dict__.get("_modules", ()):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        original = self._modules["_orig_mod"]
        return original if name == "_orig_mod" else getattr(original, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or name in self.__dict__:
            super().__setattr__(name, value)
        else:
            setattr(self._modules["_orig_mod"], name, value)

    def __delattr__(self, name: str) -> None:
        if name in _OWN:
            super().__delattr__(name)
        else:
            delattr(self._modules["_orig_mod"], name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._modules["_orig_mod"])})

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "forward"}

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self._make_forward()


def optimize(backend: Any = "inductor", *, nopython: bool = False, disable: bool = False, **options: Any) -> Callable:
    """The older spelling of ``torch.compile(...)`` as a decorator."""
    from lumbre import compile

    return compile(backend=backend, fullgraph=nopython, disable=disable)


def optimize_assert(backend: Any = "inductor", **options: Any) -> Callable:
    """The same with ``fullgraph=True``."""
    return optimize(backend, nopython=True)
