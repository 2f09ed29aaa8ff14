"""``torch.utils._python_dispatch``: operators are not dispatched to Python below ``__torch_function__``."""

from __future__ import annotations

from lumbre import _absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHY = "Lumbre has no dispatch below __torch_function__; torch.overrides.TorchFunctionMode sees every call"
TorchDispatchMode = _absent.refused_class("utils._python_dispatch.TorchDispatchMode", _WHY)
__all__ = ["TorchDispatchMode", "is_traceable_wrapper_subclass"]


def is_traceable_wrapper_subclass(t: Any) -> bool:
    """Whether a tensor says how it is taken apart, by ``__tensor_flatten__`` and ``__tensor_unflatten__``."""
    from lumbre._C import Tensor

    is_subclass = isinstance(t, Tensor) and type(t) is not Tensor
    return is_subclass and hasattr(t, "__tensor_flatten__") and hasattr(t, "__tensor_unflatten__")


def _get_current_dispatch_mode() -> None:
    """None: there are no such modes."""
