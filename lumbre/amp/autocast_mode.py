"""Automatic casts."""

from __future__ import annotations

import functools
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from lumbre import bfloat16, float16

__all__ = ["autocast", "is_autocast_available"]


def is_autocast_available(device_type: str) -> bool:
    """False: see ``autocast``."""
    return False


class autocast:
    """A block (or decorated function) with automatic casts, where a machine has them.

    On "cuda" it is disabled with PyTorch's warning, as PyTorch does without such a device. On "cpu" it must be given
    ``enabled=False``: automatic casts on the CPU are not there yet, and entering an enabled block raises
    NotImplementedError rather than computing in another precision than PyTorch.

    >>> with torch.autocast("cpu", enabled=False):
    ...     (torch.ones(1) + 1).dtype == torch.float32
    True
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type
        self.fast_dtype = dtype if dtype is not None else (bfloat16 if device_type == "cpu" else float16)
        if device_type == "cuda" and enabled:
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
            enabled = False
        elif device_type == "cpu" and enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        elif device_type not in ("cpu", "cuda"):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self._enabled = enabled

    def __enter__(self) -> autocast:
        if self._enabled:
            raise NotImplementedError(
                'autocast("cpu"): Lumbre does not cast automatically yet. Pass enabled=False, or cast the module and its '
                "inputs with .to(torch.bfloat16)."
            )
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def casting(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return casting
