"""``torch.cuda`` of a package that computes on the CPU: questions get their honest answer, work is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from lumbre import _identity

_ANSWERS: dict[str, Any] = {
    "is_available": False,
    "is_initialized": False,
    "is_bf16_supported": False,
    "is_tf32_supported": False,
    "device_count": 0,
    "memory_allocated": 0,
    "max_memory_allocated": 0,
    "memory_reserved": 0,
    "max_memory_reserved": 0,
    "get_arch_list": [],
    "get_rng_state_all": [],
    "is_current_stream_capturing": False,
}
# Requests that ask nothing of a machine without such devices.
_NOTHING = (
    "empty_cache", "ipc_collect", "manual_seed", "manual_seed_all", "seed", "seed_all",
    "set_rng_state_all",
)  # fmt: skip
_ERRORS = (
    "current_device", "current_stream", "default_stream", "get_device_capability", "get_device_name",
    "get_device_properties", "get_rng_state", "init", "initial_seed", "mem_get_info", "memory_stats", "memory_summary",
    "reset_peak_memory_stats", "set_device", "set_rng_state", "synchronize", "utilization",
)  # fmt: skip

has_half = False


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise AssertionError("Torch not compiled with CUDA enabled: Lumbre computes on the CPU")


def _make(name: str, function: Callable, doc: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    globals()[name] = function


def _answer(value: Any) -> Callable:
    return lambda *args, **kwargs: list(value) if isinstance(value, list) else value


for _name, _value in _ANSWERS.items():
    _make(_name, _answer(_value), f"{_value}: there is the CPU only.")
for _name in _NOTHING:
    _make(_name, _answer(None), "Does nothing: there is the CPU only.")
for _name in _ERRORS:
    _make(_name, lambda *args, **kwargs: _refuse(), "AssertionError: there is the CPU only.")

__all__ = [*_ANSWERS, *_NOTHING, *_ERRORS, "Event", "Stream", "device", "stream"]


class Stream:
    """RuntimeError: there is the CPU only."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("torch.cuda.Stream requires CUDA support")


class Event:
    """RuntimeError: there is the CPU only."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("Tried to instantiate dummy base class Event")


class device:
    """The device of a block: None and negative numbers leave things as they are, any other is an error."""

    def __init__(self, device: Any) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None and not (isinstance(self.idx, int) and self.idx < 0):
            _refuse()

    def __exit__(self, *exception: object) -> None:
        return None


class stream:
    """The stream of a block: None leaves things as they are, and there is no other."""

    def __init__(self, stream: Any) -> None:
        if stream is not None:
            _refuse()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


StreamContext = stream


def memory_cached(device: Any = None) -> int:
    """``memory_reserved`` by its older name: 0."""
    import warnings

    warnings.warn(
        "`torch.cuda.memory_cached` has been renamed to `torch.cuda.memory_reserved`", FutureWarning, stacklevel=2
    )
    return 0


class _TensorTypes(type):
    """Nothing is an instance of a tensor type of a device that is not here."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"type {_identity.prefix()}cuda.{cls.__name__} not available. Torch not compiled with CUDA enabled."
        )

    def __instancecheck__(cls, instance: object) -> bool:
        return False


for _name in ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double"):
    globals()[_name + "Tensor"] = _TensorTypes(_name + "Tensor", (), {"is_cuda": True})


class CUDAGraph:
    """RuntimeError: there is no device whose work could be captured."""

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("Tried to instantiate dummy base class CUDAGraph")


class graph:
    """RuntimeError: there is no device whose work could be captured."""

    def __init__(self, cuda_graph: Any, *args: Any, **kwargs: Any) -> None:
        Stream()


def __getattr__(name: str) -> object:
    if name in ("AcceleratorError", "OutOfMemoryError"):
        from lumbre import _checks

        return getattr(_checks, name)
    if name in ("amp", "nvtx"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{_identity.prefix()}cuda' has no attribute '{name}'")
