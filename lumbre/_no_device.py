"""What ``torch.xpu``, ``torch.mps`` and ``torch.mtia`` are: devices that are not there. Questions are answered; what would
need one refuses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "is_available",
    "manual_seed",
    "manual_seed_all",
    "synchronize",
]


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def empty_cache() -> None:
    """Changes nothing: there is no memory of such a device."""


def manual_seed(seed: int) -> None:
    """Changes nothing: there is no generator of such a device."""


manual_seed_all = manual_seed


def current_device() -> NoReturn:
    """RuntimeError."""
    raise RuntimeError("Lumbre computes on the CPU: there is no other device")


def synchronize(device: Any = None) -> NoReturn:
    """RuntimeError."""
    current_device()
