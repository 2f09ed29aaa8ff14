"""``torch.nn.utils``: gradients clipped, parameters as one vector, and more."""

from __future__ import annotations

from lumbre import _identity, _listed
from lumbre.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from lumbre.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from lumbre.nn.utils.init import skip_init
from lumbre.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from lumbre.nn.utils.weight_norm import remove_weight_norm, weight_norm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm",
    "parameters_to_vector", "remove_spectral_norm", "remove_weight_norm", "skip_init", "spectral_norm",
    "vector_to_parameters", "weight_norm",
]  # fmt: skip
_LAZY = {
    "convert_conv2d_weight_memory_format": "memory_format",
    "convert_conv3d_weight_memory_format": "memory_format",
    "fuse_conv_bn_eval": "fusion",
    "fuse_conv_bn_weights": "fusion",
    "fuse_linear_bn_eval": "fusion",
    "fuse_linear_bn_weights": "fusion",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(__getattr__(_LAZY[name]), name)
    if (module := _listed.submodule(__name__, name)) is not None:
        return module
    raise AttributeError(f"module '{_identity.prefix()}nn.utils' has no attribute '{name}'")
