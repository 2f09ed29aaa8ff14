"""``torch.accelerator``: there is none, and questions say so."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_NONE = "Cannot access accelerator device when none is available."
_REFUSED = (
    "current_device_idx", "current_device_index", "current_stream", "empty_cache", "get_memory_info",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device_idx", "set_device_index", "set_stream",
    "synchronize",
)  # fmt: skip
__all__ = ["current_accelerator", "device_count", "device_index", "is_available", *_REFUSED]


def is_available() -> bool:
    """False: there is the CPU only."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None."""


class device_index:
    """A block on a device: None leaves things as they are, any other is an error."""

    def __init__(self, device: int | None) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            raise RuntimeError(_NONE)

    def __exit__(self, *exception: object) -> None:
        return None


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(_NONE)


for _name in _REFUSED:
    globals()[_name] = _refuse
del _name
