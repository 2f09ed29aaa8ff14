"""``torch._check`` and its family, and the numbers of ``torch.sym_*``: what libraries say to PyTorch's tracer.

Nothing is traced here: a condition is a bool that is looked at, a size is an int.
"""

from __future__ import annotations

import builtins
import math

from lumbre import _C, _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
_WHY = "sizes are plain numbers, as nothing is traced"
_NO_SCRIPT = "Lumbre has no TorchScript: programs run as Python"
_NO_DEVICE = "Lumbre computes on the CPU alone"
_CLASSES = {
    **dict.fromkeys(("SymBool", "SymFloat", "SymInt"), _WHY),
    **dict.fromkeys(
        ("DeviceObjType", "FloatType", "IntType", "ListType", "ScriptFunction", "ScriptModule", "TensorType"),
        _NO_SCRIPT,
    ),
    **dict.fromkeys(("Event", "Stream"), _NO_DEVICE),
    "PyTorchFileReader": "torch.load reads files whole",
}
__all__: list[str] = []


class OutOfMemoryError(RuntimeError):
    """A device has no memory left; raised by none."""


class AcceleratorError(RuntimeError):
    """A device failed; raised by none."""


def _check_with(error_type: type[Exception], cond: Any, message: Callable[[], str] | None) -> None:
    """Raises the error unless the condition holds; the message is made when it is needed."""
    if not isinstance(cond, builtins.bool):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if cond:
        return
    if message is None:
        text = (
            "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an "
            "enhancement request to PyTorch.)"
        )
    elif callable(message):
        text = str(message())
    else:
        raise TypeError("message must be a callable")
    raise error_type(text)


def _check(cond: Any, message: Any = None) -> None:
    """RuntimeError unless the condition holds."""
    _check_with(RuntimeError, cond, message)


def _check_index(cond: Any, message: Any = None) -> None:
    """IndexError unless the condition holds."""
    _check_with(IndexError, cond, message)


def _check_value(cond: Any, message: Any = None) -> None:
    """ValueError unless the condition holds."""
    _check_with(ValueError, cond, message)


def _check_type(cond: Any, message: Any = None) -> None:
    """TypeError unless the condition holds."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: Any, message: Any = None) -> None:
    """NotImplementedError unless the condition holds."""
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i: Any, message: Any = None, *, max: Any = None) -> None:
    """RuntimeError unless a number can be a size."""
    _check(i >= 0, message)
    if max is not None:
        _check(i <= max, message)


def _check_tensor_all_with(error_type: type[Exception], cond: Any, message: Any = None) -> None:
    """The error unless every element of a bool tensor is True."""
    if not isinstance(cond, Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.dtype is not _C.bool:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, builtins.bool(cond.all().item()), message)


def _check_tensor_all(cond: Any, message: Any = None) -> None:
    """RuntimeError unless every element of a bool tensor is True."""
    _check_tensor_all_with(RuntimeError, cond, message)


def _assert(condition: Any, message: str) -> None:
    """``assert condition, message``."""
    assert condition, message


def _assert_async(input: Tensor, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """RuntimeError where the only element is zero."""
    if not input:
        raise RuntimeError(assert_msg)


def _shape_as_tensor(input: Tensor) -> Tensor:
    """The sizes, as a tensor."""
    return _C.tensor(list(input.shape), dtype=_C.int64)


def sym_int(a: Any) -> int:
    """A number, rounded towards zero."""
    return math.trunc(a)


def sym_float(a: Any) -> float:
    """A number as a float."""
    return builtins.float(a)


def sym_max(a: Any, b: Any) -> Any:
    """The larger of two numbers: a float where one of them is."""
    found = max(a, b)
    return builtins.float(found) if isinstance(a, builtins.float) or isinstance(b, builtins.float) else found


def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers: a float where one of them is."""
    found = min(a, b)
    return builtins.float(found) if isinstance(a, builtins.float) or isinstance(b, builtins.float) else found


def sym_not(a: Any) -> bool:
    """Not."""
    return not a


def sym_sqrt(a: Any) -> float:
    """The square root of a number."""
    return math.sqrt(a)


def sym_sum(args: Any) -> Any:
    """The sum of numbers."""
    return sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """``t`` where ``b`` is true, else ``f``."""
    return t if b else f


def get_device_module(device: Any = None) -> Any:
    """The module of a device's kind: ``torch.cpu``."""
    from importlib import import_module

    from lumbre import device as kind

    name = "cpu" if device is None else kind(device).type
    return import_module(f"{__package__}.{name}")


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        made = globals()[name] = _absent.refused_class(name, _CLASSES[name])
        return made
    if name == "Future":
        from lumbre.futures import Future

        return Future
    raise AttributeError(f"module '{_identity.prefix()}_checks' has no attribute '{name}'")
