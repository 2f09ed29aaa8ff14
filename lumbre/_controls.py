"""Switches of the process: default dtype and device, gradient mode, determinism; and questions about objects."""

from __future__ import annotations

from lumbre import _C, _device, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "are_deterministic_algorithms_enabled",
    "enable_grad",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "inference_mode",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_storage",
    "is_tensor",
    "is_warn_always_enabled",
    "no_grad",
    "set_default_device",
    "set_default_dtype",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_num_interop_threads",
    "set_warn_always",
    "typename",
    "use_deterministic_algorithms",
]


# --- gradient mode ----------------------------------------------------------------------------------------------------


is_grad_enabled = _C.is_grad_enabled
is_inference_mode_enabled = _C.is_inference_mode_enabled


class _Mode:
    """A switch that works as a context manager and as a decorator, of functions and of generators."""

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """A fresh switch with the same setting, so that a decorated function may call itself."""
        return type(self)()

    def __call__(self, function: Callable) -> Callable:
        from functools import wraps
        from inspect import isclass, isgeneratorfunction

        if isclass(function):
            setattr(function, "__init__", self(function.__init__))  # noqa: B010
            return function
        if isgeneratorfunction(function):
            return _wrap_generator(self, function)

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapped


def _wrap_generator(mode: _Mode, function: Callable) -> Callable:
    """The switch is on while the generator's own code runs, and off while its consumer's does."""
    from functools import wraps

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        step, value = generator.send, None
        while True:
            try:
                with mode.clone():
                    item = step(value)
            except StopIteration as stop:
                return stop.value
            try:
                step, value = generator.send, (yield item)
            except GeneratorExit:
                with mode.clone():
                    generator.close()
                raise
            except BaseException as error:
                step, value = generator.throw, error

    return wrapped


class _GradMode(_C.GradModeBase, _Mode):
    _grad: bool

    if TYPE_CHECKING:
        # The engine's base class answers these.
        def __new__(cls, function: Callable | None = None) -> Any: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *exception: object) -> None: ...


class no_grad(_GradMode):
    """Operations inside are not recorded: their results require no gradient.

    >>> with torch.no_grad():
    ...     torch.is_grad_enabled()
    False
    """

    _grad = False


class enable_grad(_GradMode):
    """Operations inside are recorded, also within ``no_grad``."""

    _grad = True


class set_grad_enabled(_Mode):
    """Switches recording on or off, at once; as a context manager it puts the old setting back."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        self.mode = mode
        self.prev = _C._set_grad_enabled(mode)

    def __call__(self, function: Callable) -> Callable:
        _C._set_grad_enabled(self.prev)
        return super().__call__(function)

    def __enter__(self) -> None:
        _C._set_grad_enabled(self.mode)

    def __exit__(self, *exception: object) -> None:
        _C._set_grad_enabled(self.prev)

    def clone(self) -> set_grad_enabled:
        """The same setting again."""
        return type(self)(self.mode)

    def __repr__(self) -> str:
        return f"{_identity.prefix()}autograd.grad_mode.set_grad_enabled(mode={self.mode})"


class inference_mode(_Mode):
    """``no_grad`` for code whose results never meet autograd."""

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if isinstance(mode, bool):
            return made
        made.mode = True
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._before = (_C._set_grad_enabled(not self.mode), _C._set_inference(self.mode))

    def __exit__(self, *exception: object) -> None:
        grad, inference = self._before
        _C._set_grad_enabled(grad)
        _C._set_inference(inference)

    def clone(self) -> inference_mode:
        """The same setting again."""
        return type(self)(self.mode)


# --- defaults ---------------------------------------------------------------------------------------------------------


def set_default_dtype(d: Any) -> None:
    """What Python floats become: a floating-point dtype. TypeError for any other.

    >>> torch.set_default_dtype(torch.float64)
    >>> torch.tensor(1.5).dtype
    torch.float64
    """
    if isinstance(d, _C.dtype) and not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _C._set_default_dtype(d)


def set_default_tensor_type(t: Any) -> None:
    """The older ``set_default_dtype``: takes a tensor type, ``torch.DoubleTensor`` or its name."""
    from lumbre import _legacy

    kind = _legacy.tensor_type(t) if isinstance(t, str) else t
    if not isinstance(kind, _legacy.tensortype) or not kind.dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _C._set_default_dtype(kind.dtype)


def set_default_device(device: Any) -> None:
    """Where tensors are made: the CPU. Any other device is an error that says so."""
    if device is not None:
        _device.check(device)


def get_default_device() -> _device.device:
    """Where tensors are made: the CPU."""
    return _device.cpu


# --- determinism and precision ----------------------------------------------------------------------------------------

_settings: dict[str, Any] = {
    "deterministic": False,
    "warn_only": False,
    "precision": "highest",
    "warn_always": False,
    "interop": 1,
}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for the same numbers in every run. They are the same anyway, on any number of threads."""
    if not isinstance(mode, bool):
        raise TypeError(
            f"_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}"
        )
    _settings.update(deterministic=mode, warn_only=bool(warn_only) and mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What ``use_deterministic_algorithms`` was last told."""
    return _settings["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether that was asked for with ``warn_only=True``."""
    return _settings["warn_only"]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """The same request as a number or word: 0 "default", 1 "warn", 2 "error"."""
    words = {"default": 0, "warn": 1, "error": 2}
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in words:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got " + debug_mode
            )
        debug_mode = words[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2; see ``set_deterministic_debug_mode``."""
    if not _settings["deterministic"]:
        return 0
    return 1 if _settings["warn_only"] else 2


def set_float32_matmul_precision(precision: str) -> None:
    """ "highest", "high" or "medium". Products of float32 are always computed in float32 here; the word is kept."""
    if precision in ("highest", "high", "medium"):
        _settings["precision"] = precision
        return
    import warnings

    warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'; ignored", stacklevel=2)


def get_float32_matmul_precision() -> str:
    """The word that ``set_float32_matmul_precision`` was last given."""
    return _settings["precision"]


def set_warn_always(b: bool) -> None:
    """Whether warnings that are given once per process are given every time. The setting is kept."""
    if not isinstance(b, bool):
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _settings["warn_always"] = b


def is_warn_always_enabled() -> bool:
    """What ``set_warn_always`` was last told."""
    return _settings["warn_always"]


def set_num_interop_threads(n: int) -> None:
    """Threads between operations: there are none here, operations run one after another. The number is kept."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"set_num_interop_threads expects an int, but got {type(n).__name__}")
    if n <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _settings["interop"] = n


def get_num_interop_threads() -> int:
    """The number that ``set_num_interop_threads`` was given."""
    return _settings["interop"]


# --- questions --------------------------------------------------------------------------------------------------------


def is_tensor(obj: object, /) -> bool:
    """Whether it is a tensor."""
    return isinstance(obj, _C.Tensor)


def is_storage(obj: object, /) -> bool:
    """Whether it is a storage, typed or not."""
    if isinstance(obj, _C.UntypedStorage):
        return True
    from lumbre import storage

    return isinstance(obj, storage.TypedStorage)


def typename(obj: Any, /) -> str:
    """The name of its type: of a tensor, the older tensor type, as in ``torch.FloatTensor``."""
    if isinstance(obj, _C.Tensor):
        return obj.type()
    if type(obj).__name__ == "tensortype":
        return f"{_identity.prefix()}{obj.__name__}"
    module = getattr(obj, "__module__", "") or ""
    if hasattr(obj, "__qualname__"):
        name = obj.__qualname__
    elif hasattr(obj, "__name__"):
        name = obj.__name__
    else:
        module = type(obj).__module__ or ""
        name = type(obj).__qualname__
    return name if module in ("", "builtins") else f"{module}.{name}"
