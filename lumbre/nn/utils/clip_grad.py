"""Gradients kept small."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

Tensor = _C.Tensor


def _gradients(parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as if they were one vector: a 0-d tensor.

    >>> torch.nn.utils.get_total_norm([torch.tensor([3.]), torch.tensor([4.])])
    tensor(5.)
    """
    from lumbre import linalg, stack, tensor

    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    before = _C._set_grad_enabled(False)
    try:
        if not tensors:
            return tensor(0.0)
        total = linalg.vector_norm(stack([linalg.vector_norm(one, norm_type) for one in tensors]), norm_type)
    finally:
        _C._set_grad_enabled(before)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. To "
            "disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scales gradients by max_norm / total_norm where that is below 1."""
    max_norm = float(max_norm)
    before = _C._set_grad_enabled(False)
    try:
        factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for gradient in _gradients(parameters):
            gradient.mul_(factor)
    finally:
        _C._set_grad_enabled(before)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients of parameters, in place, so that their norm together is at most max_norm; gives the norm.

    >>> p = torch.zeros(1, requires_grad=True); p.grad = torch.tensor([10.])
    >>> torch.nn.utils.clip_grad_norm_([p], 1.0)
    tensor(10.)
    """
    if not isinstance(parameters, Tensor):
        is_generator = hasattr(parameters, "__next__")
        parameters = list(parameters)
        if is_generator and not parameters:
            from warnings import warn

            warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """The older name of clip_grad_norm_."""
    from warnings import warn

    warn(
        "torch.nn.utils.clip_grad_norm is now deprecated in favor of torch.nn.utils.clip_grad_norm_.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Moves every element of the gradients, in place, into [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    before = _C._set_grad_enabled(False)
    try:
        for gradient in _gradients(parameters):
            gradient.clamp_(min=-clip_value, max=clip_value)
    finally:
        _C._set_grad_enabled(before)
