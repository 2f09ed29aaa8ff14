"""``torch.autograd``: gradients of anything that was computed from tensors that require them.

>>> x = torch.tensor(3., requires_grad=True)
>>> torch.autograd.grad(x * x, x)
(tensor(6.),)
"""

from __future__ import annotations

from lumbre import _C, _identity, _listed
from lumbre._controls import enable_grad, inference_mode, no_grad, set_grad_enabled
from lumbre.autograd._engine import backward, grad
from lumbre.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from lumbre.autograd.function import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Variable = _C.Tensor

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "grad_mode", "gradcheck",
    "gradgradcheck", "inference_mode", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

_LAZY = {"gradcheck": "gradcheck", "gradgradcheck": "gradcheck"}


def __getattr__(name: str) -> Any:
    if (module := _listed.submodule(__name__, _LAZY.get(name, name))) is not None:
        if name not in _LAZY:
            return module
        # The import has put the file under the name of its function.
        for function in _LAZY:
            globals()[function] = getattr(module, function)
        return globals()[name]
    raise AttributeError(f"module '{_identity.prefix()}autograd' has no attribute '{name}'")
