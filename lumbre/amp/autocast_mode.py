"""Automatic casts: inside a block, matrix products run in half precision and losses in float32.

Which operators do which is a table of the engine (``core/ops/autocast.cc``); a call looks there while a block is
enabled, and only then.
"""

from __future__ import annotations

import functools
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from lumbre import _C, _device, bfloat16, float16

__all__ = [
    "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available", "is_autocast_enabled",
    "set_autocast_dtype", "set_autocast_enabled",
]  # fmt: skip

_OTHERS = ("cuda", "ipu", "xpu", "hip", "mps", "xla", "hpu", "mtia", "maia", "privateuseone")
# Devices that are not here have a dtype all the same, which programs ask for and set.
_other_dtypes: dict[str, Any] = {
    name: bfloat16 if name in ("xla", "mtia", "maia", "hpu") else float16 for name in _OTHERS
}


def _check_device(function: str, device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise TypeError(
            f"{function}(): argument 'device_type' (position 1) must be str, not {type(device_type).__name__}"
        )
    return _device.device(device_type).type


def is_autocast_available(device_type: str) -> bool:
    """Whether PyTorch has automatic casts for a kind of device; here only those of the CPU do anything.

    >>> torch.amp.is_autocast_available("cpu")
    True
    """
    return _check_device("is_autocast_available", device_type) in ("cpu", *_OTHERS)


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether operators on a kind of device ("cuda" when none is named) are being cast."""
    if device_type is None:
        return False
    return _check_device("is_autocast_enabled", device_type) == "cpu" and _C._autocast_enabled()


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Starts or stops the casts on a kind of device, outside any block."""
    if enabled is None and isinstance(device_type, bool):
        device_type, enabled = "cuda", device_type
    name = _check_device("set_autocast_enabled", device_type)
    if not isinstance(enabled, bool):
        raise TypeError(
            f"set_autocast_enabled(): argument 'enabled' (position 2) must be bool, not {type(enabled).__name__}"
        )
    if name == "cpu":
        _C._autocast_enable(enabled)
    elif enabled:
        _device.check(name)


def get_autocast_dtype(device_type: str) -> Any:
    """The half precision that operators on a kind of device are cast to."""
    name = _check_device("get_autocast_dtype", device_type)
    if name == "cpu":
        return _C._autocast_dtype()
    if name not in _other_dtypes:
        raise RuntimeError("unsupported scalarType")
    return _other_dtypes[name]


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Chooses the half precision that operators on a kind of device are cast to, outside any block."""
    name = _check_device("set_autocast_dtype", device_type)
    if name == "cpu":
        _C._autocast_set_dtype(dtype)
    elif name not in _other_dtypes:
        raise RuntimeError("unsupported scalarType")
    elif not isinstance(dtype, _C.dtype):
        raise TypeError(
            f"set_autocast_dtype(): argument 'dtype' (position 2) must be torch.dtype, not {type(dtype).__name__}"
        )
    else:
        _other_dtypes[name] = dtype


class autocast:
    """A block (or decorated function) in which operators choose their precision.

    Matrix products and convolutions run in ``dtype`` (bfloat16 on the CPU, or float16), losses and other operators
    that need range in float32, and those of several tensors in the widest dtype among them; everything else as its
    arguments are. Parameters are cast once per block; their gradients come back in their own dtype. On a device that
    is not here the block does nothing and says so in a warning; ValueError for a device that is not a string.

    >>> with torch.autocast("cpu"):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    True
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self.device = device_type
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self._cache_enabled = _C.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        if device_type != "cpu":
            if enabled and device_type == "cuda":
                warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
            enabled = False
        elif enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._before: list[tuple] = []  # a decorated function may call itself

    def __enter__(self) -> autocast:
        self._before.append(
            (is_autocast_enabled(self.device), get_autocast_dtype(self.device), _C.is_autocast_cache_enabled())
        )
        set_autocast_enabled(self.device, self._enabled)
        set_autocast_dtype(self.device, self.fast_dtype)
        _C.autocast_increment_nesting()
        _C.set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, *exception: object) -> None:
        enabled, dtype, cached = self._before.pop()
        if _C.autocast_decrement_nesting() == 0:
            _C.clear_autocast_cache()
        set_autocast_enabled(self.device, enabled)
        set_autocast_dtype(self.device, dtype)
        _C.set_autocast_cache_enabled(cached)

    def __call__(self, func: Callable) -> Callable:
        @functools.wraps(func)
        def casting(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return casting


def _enter_autocast(*args: Any) -> autocast:
    return autocast(*args).__enter__()


def _exit_autocast(mode: autocast) -> None:
    mode.__exit__(None, None, None)


def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    """The same structure with its floating tensors (doubles excepted) in a dtype."""
    if isinstance(value, _C.Tensor):
        eligible = value.is_floating_point() and value.device.type == device_type and value.element_size() < 8
        return value.to(dtype) if eligible else value
    if isinstance(value, dict):
        return {_cast(key, device_type, dtype): _cast(item, device_type, dtype) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        members = [_cast(item, device_type, dtype) for item in value]
        return type(value)(*members) if hasattr(value, "_fields") else type(value)(members)
    return value


def _check_type(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Callable:
    """For ``forward`` of a Function of one's own: runs it with the casts as they are at the call, remembered for
    ``custom_bwd``; or, with ``cast_inputs``, on inputs of that dtype and without casts inside.
    """
    _check_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorate_fwd(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        context._dtype = get_autocast_dtype(device_type)
        enabled = is_autocast_enabled(device_type)
        if cast_inputs is None or not enabled:
            context._fwd_used_autocast = enabled
            return fwd(*args, **kwargs)
        context._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(*_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return decorate_fwd


def custom_bwd(bwd: Any = None, *, device_type: str) -> Callable:
    """For ``backward`` of a Function whose ``forward`` is under ``custom_fwd``: the same casts as there."""
    _check_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorate_bwd(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        with autocast(device_type, enabled=context._fwd_used_autocast, dtype=context._dtype):
            return bwd(*args, **kwargs)

    return decorate_bwd
