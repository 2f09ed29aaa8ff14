"""``torch.nn.utils``: gradients clipped, parameters as one vector, and more."""

from __future__ import annotations

from lumbre import _identity
from lumbre.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from lumbre.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm",
    "parameters_to_vector", "vector_to_parameters",
]  # fmt: skip
_LAZY = {
    "weight_norm": "weight_norm", "remove_weight_norm": "weight_norm", "spectral_norm": "spectral_norm",
    "remove_spectral_norm": "spectral_norm", "skip_init": "init",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if not name.startswith("__"):
        from importlib import import_module

        full = f"{__name__}.{_LAZY.get(name, name)}"
        try:
            module = import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
        else:
            if name not in _LAZY:
                return module
            # A function hides the file of its name, as in PyTorch.
            globals()[name] = getattr(module, name)
            return globals()[name]
    raise AttributeError(f"module '{_identity.prefix()}nn.utils' has no attribute '{name}'")
