"""What a run does besides operators: the Python code that runs, and the functions of C that it calls."""

from __future__ import annotations

import math
import operator
from dis import opmap
from importlib import import_module
from types import CodeType, ModuleType

from lumbre import _C
from lumbre._compiling.state import is_own, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

Tensor = _C.Tensor

# Functions whose result depends on their arguments alone, and whose only effects are on them.
_BUILTINS = frozenset(
    ("abs", "all", "any", "ascii", "bin", "callable", "chr", "delattr", "dir", "divmod", "format", "getattr", "hasattr", "hex",
     "isinstance", "issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "repr", "round", "setattr",
     "sorted", "sum", "vars")
)  # fmt: skip
_ENGINE = frozenset(
    ("_autocast_dtype", "_autocast_enabled", "_backward", "_convert", "_has_override", "_is_recording", "_is_watched",
     "_overloaded_arguments", "_profiler_active", "_refuse_recording", "_run_backward", "_set_grad_enabled", "_set_inference", "can_cast",
     "get_default_dtype", "get_num_threads", "is_anomaly_enabled", "is_autocast_cache_enabled", "is_grad_enabled",
     "is_inference_mode_enabled", "promote_types", "result_type", "tensor")
)  # fmt: skip
# Those that read elements say so themselves.
_METHODS = frozenset(
    ("__array__", "__dlpack__", "data_ptr", "detach", "detach_", "dim", "element_size", "is_contiguous", "is_inference", "item",
     "ndimension", "numpy", "size", "storage_offset", "stride", "tolist")
)  # fmt: skip
_PURE_MODULES = frozenset((math.__name__, operator.__name__, "_operator", "itertools", "_abc", "_typing"))
_VALUES = (str, bytes, int, float, complex, bool, tuple, list, dict, set, frozenset, range, slice, type(None))
_OBJECT_METHODS = frozenset(
    ("__init__", "__setattr__", "__getattribute__", "__init_subclass__", "__format__", "__new__")
)

_MATCHES = {opmap["CHECK_EXC_MATCH"], opmap["CHECK_EG_MATCH"]}
_HANDLES, _WITH = opmap["PUSH_EXC_INFO"], opmap["WITH_EXCEPT_START"]


def why_unsafe(function: Any) -> str | None:
    """Why a call of a function of C cannot be left out when a run is repeated; None where it can."""
    owner, name = getattr(function, "__self__", None), function.__name__
    if owner is None or isinstance(owner, ModuleType):
        where = owner.__name__ if owner is not None else function.__module__
        if where == "builtins":
            safe = name in _BUILTINS
        elif owner is _C:
            safe = name in _ENGINE
        else:
            safe = where in _PURE_MODULES or (where == "_functools" and name == "reduce")
        return None if safe else f"it calls {name}()" if where == "builtins" else f"it calls {where}.{name}()"
    if isinstance(owner, Tensor):
        safe = name in _METHODS
    elif isinstance(owner, _C.ModuleBase):
        safe = name == "_all_parameters" or name in _OBJECT_METHODS
    elif isinstance(owner, _C.GradModeBase):
        safe = name in ("__enter__", "__exit__")
    elif isinstance(owner, type):
        safe = name in ("__new__", "fromkeys", "mro", "__subclasscheck__", "__instancecheck__") or owner in _VALUES
    else:
        safe = isinstance(owner, _VALUES) or name in _OBJECT_METHODS
    return None if safe else f"it calls {type(owner).__qualname__}.{name}()"


def why_unsafe_code(code: CodeType) -> str | None:
    """Why code of the program's cannot be left out; None where it can."""
    if is_own(code):
        return None
    if code.co_name in ("__exit__", "__aexit__"):
        return "it enters a block with an __exit__() of the program's"
    for part in nested(code):
        operations = part.co_code[::2]
        handles = sum(byte == _HANDLES for byte in operations) > sum(byte == _WITH for byte in operations)
        if handles or not _MATCHES.isdisjoint(operations):
            return f"{code.co_qualname}() handles exceptions"
    return None


class Watch:
    """A profile function: notes the code that runs, and the first call that cannot be left out."""

    def __init__(self, ignored: CodeType) -> None:
        self._ignored = ignored  # the code that starts and ends the watch
        self.codes: dict[CodeType, None] = {}
        self.reason: str | None = None
        self._safe: set[tuple[int, str]] = set()
        self._importing: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        # Hooks run again whenever the engine does: what they do is not left out.
        if not _C._is_recording() or frame.f_code is self._ignored:
            return
        # A module is loaded once; whether a name is there already is nothing that a program can see.
        if self._importing is not None:
            if event == "return" and frame is self._importing:
                self._importing = None
            return
        if event == "call" and (
            frame.f_code.co_filename.startswith("<frozen importlib") or frame.f_code is import_module.__code__
        ):
            self._importing = frame
            return
        if event == "call":
            if frame.f_code not in self.codes:
                self.codes[frame.f_code] = None
                self.reason = self.reason or why_unsafe_code(frame.f_code)
        elif event == "c_call" and self.reason is None:
            if argument is globals and is_own(frame.f_code):
                return  # the package loads a name of its own
            key = (id(type(argument.__self__)), argument.__name__)
            if isinstance(argument.__self__, ModuleType) or key not in self._safe:
                self.reason = why_unsafe(argument)
                self._safe.add(key)
