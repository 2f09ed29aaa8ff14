"""What libraries take from ``torch._C`` beside what the engine has itself: it is the folder of that module's parts."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach() -> None:
    """Lets ``import torch._C._nn`` find its file here, and ``torch._C`` ask here for names that it lacks."""
    module: Any = _C
    module.__path__ = __path__
    module.__getattr__ = _find


def _find(name: str) -> Any:
    if name == "_TensorMeta":
        return type(_C.Tensor)
    if name in ("_functorch", "_nn"):
        from importlib import import_module

        return import_module(f"{_C.__name__}.{name}")
    if name in ("DispatchKey", "DispatchKeySet", "_ExcludeDispatchKeyGuard"):
        from lumbre._engine_parts import _dispatch_keys

        return getattr(_dispatch_keys, name)
    if name == "_get_privateuse1_backend_name":
        return _get_privateuse1_backend_name
    if name == "_is_torch_function_mode_enabled":
        return _is_torch_function_mode_enabled
    if name == "_are_functorch_transforms_active":
        return _are_functorch_transforms_active
    raise AttributeError(f"module '{_C.__name__}' has no attribute '{name}'")


def _get_privateuse1_backend_name() -> str:
    return "privateuseone"


def _are_functorch_transforms_active() -> bool:
    """False: transforms call functions with plain tensors."""
    return False


def _is_torch_function_mode_enabled() -> bool:
    """Whether a block of a ``TorchFunctionMode`` sees the calls."""
    return _C._len_torch_function_stack() > 0
