"""``torch.cpu``: what programs written for any device ask of the one that is here."""

from __future__ import annotations

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Event", "Stream", "StreamContext", "current_device", "current_stream", "device_count", "is_available",
    "is_initialized", "set_device", "stream", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def synchronize(device: Any = None) -> None:
    """Nothing: operators have finished when they return."""


def current_device() -> str:
    """The name of the device."""
    return "cpu"


def set_device(device: Any) -> None:
    """Nothing: there is one."""


def device_count() -> int:
    """1."""
    return 1


class Stream:
    """The order of work, which on the CPU is the program's."""

    def __init__(self, priority: int = -1) -> None:
        return

    def wait_stream(self, stream: Any) -> None:
        """Nothing: there is no other order."""

    def record_event(self) -> None:
        """Nothing."""

    def wait_event(self, event: Any) -> None:
        """Nothing: it has happened."""


class Event:
    """A point in that order; it has happened when it is asked for."""

    def query(self) -> bool:
        """True."""
        return True

    def record(self, stream: Any = None) -> None:
        """Nothing."""

    def synchronize(self) -> None:
        """Nothing."""

    def wait(self, stream: Any = None) -> None:
        """Nothing."""


class StreamContext:
    """A block on a stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        global _current
        if self.stream is not None:
            self._before, _current = _current, self.stream

    def __exit__(self, *exception: object) -> None:
        global _current
        if self.stream is not None:
            _current = self._before


_current = Stream()


def stream(stream: Any) -> StreamContext:
    """A block on a stream; None leaves the current one."""
    return StreamContext(stream)


def current_stream(device: Any = None) -> Stream:
    """The stream of the block."""
    return _current


def __getattr__(name: str) -> object:
    if name == "amp":
        from importlib import import_module

        return import_module(f"{__name__}.amp")
    raise AttributeError(f"module '{_identity.prefix()}cpu' has no attribute '{name}'")
