"""``torch._C._functorch``: what libraries ask of tensors inside of transforms, where they are plain tensors."""

from __future__ import annotations

from lumbre import _absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from lumbre import Tensor

_WHY = "vmap calls the function once per member, with plain tensors"
_add_batch_dim, _remove_batch_dim, _vmap_decrement_nesting, _vmap_increment_nesting = (
    _absent.refused_function(f"_C._functorch.{name}", _WHY)
    for name in ("_add_batch_dim", "_remove_batch_dim", "_vmap_decrement_nesting", "_vmap_increment_nesting")
)
__all__: list[str] = []


def is_batchedtensor(tensor: Tensor) -> bool:
    """False: no tensor is a batch that a function does not see."""
    return False


is_functorch_wrapped_tensor = is_gradtrackingtensor = is_legacy_batchedtensor = is_batchedtensor


def maybe_current_level() -> None:
    """None: no transform is a level."""


def maybe_get_level(tensor: Tensor) -> int:
    """-1: the tensor belongs to no level."""
    return -1


maybe_get_bdim = maybe_get_level


def get_unwrapped(tensor: Tensor) -> NoReturn:
    """RuntimeError: there is nothing around the tensor."""
    raise RuntimeError("No wrappers present!")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
