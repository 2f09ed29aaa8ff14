"""``torch.nn.functional``: the operators whose names begin with ``nn.functional.``."""

from __future__ import annotations

from lumbre import _identity, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _load_families() -> None:
    """Imports the sibling files ``functional_*.py``, which register their operators."""
    from importlib import import_module
    from os import listdir
    from os.path import dirname

    names = {name.partition(".")[0] for name in listdir(dirname(__file__)) if name.endswith((".py", ".pyc"))}
    for name in sorted(each for each in names if each.startswith("functional_")):
        import_module(f"lumbre.nn.{name}")


_load_families()

_names = _registry.namespace("nn.functional")
globals().update(_names)
__all__ = sorted(_names)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}nn.functional' has no attribute '{name}'")
