"""The switches of automatic casts by the older names that have a kind of device in them."""

from __future__ import annotations

import warnings

from lumbre.amp import autocast_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__: list[str] = []


def _add(pattern: str, replacement: Callable, device_type: str, *parameters: str) -> None:
    name = pattern.format("gpu" if device_type == "cuda" else device_type)
    old = ", ".join(parameters)
    new = ", ".join((f"'{device_type}'", *parameters))

    def function(*values: Any) -> Any:
        if len(values) != len(parameters):
            raise TypeError(f"{name}() takes {len(parameters)} positional arguments but {len(values)} were given")
        warnings.warn(
            f"torch.{name}({old}) is deprecated. Please use torch.{replacement.__name__}({new}) instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return replacement(device_type, *values)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``torch.{replacement.__name__}({new})``."
    globals()[name] = function
    __all__.append(name)


for _kind in ("cpu", "ipu", "xla"):
    _add("is_autocast_{}_enabled", autocast_mode.is_autocast_enabled, _kind)
    _add("set_autocast_{}_enabled", autocast_mode.set_autocast_enabled, _kind, "enabled")
for _kind in ("cpu", "cuda", "ipu", "xla"):
    _add("get_autocast_{}_dtype", autocast_mode.get_autocast_dtype, _kind)
    _add("set_autocast_{}_dtype", autocast_mode.set_autocast_dtype, _kind, "dtype")
