"""What distributions share: parameters of one shape, probabilities and logits, attributes computed once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from functools import cache

from lumbre import Tensor, broadcast_tensors, enable_grad, finfo, get_default_dtype, log1p, normal, ones, sigmoid, zeros
from lumbre import tensor as _tensor

euler_constant = 0.57721566490153286060

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip


# What a dtype can hold, looked up once.
limits = cache(finfo)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors of one shape from tensors and numbers; numbers take the dtype of the first tensor."""
    if not all(isinstance(value, (Tensor, int, float)) or hasattr(value, "__torch_function__") for value in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    first = next((value for value in values if isinstance(value, Tensor)), None)
    dtype = get_default_dtype() if first is None else first.dtype
    tensors = [v if isinstance(v, Tensor) else _tensor(v, dtype=dtype) for v in values]
    # What has the common shape stays itself: a parameter that is a leaf is one in the distribution too.
    wide = broadcast_tensors(*tensors)
    return tuple(own if own.shape == each.shape else each for own, each in zip(tensors, wide, strict=True))


def is_number(value: Any) -> bool:
    """Whether a parameter is a plain number, so that the batch has no dimensions."""
    return isinstance(value, (int, float))


def standard_normal(shape: Any, dtype: Any) -> Tensor:
    """Draws of the standard normal distribution."""
    return normal(zeros(shape, dtype=dtype), ones(shape, dtype=dtype))


def _standard_normal(shape: Any, dtype: Any, device: Any = None) -> Tensor:
    """``standard_normal`` by the name and arguments under which libraries take it from here."""
    return standard_normal(shape, dtype)


def sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last ``dim`` dimensions."""
    return value if dim == 0 else value.reshape((*value.shape[:-dim], -1)).sum(-1)


_sum_rightmost = sum_rightmost


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities from log-odds, or from logarithms of weights in the last dimension."""
    return sigmoid(logits) if is_binary else logits.softmax(-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept off 0 and 1 by the dtype's epsilon."""
    eps = limits(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of ``logits_to_probs``."""
    kept = clamp_probs(probs)
    return kept.log() - log1p(-kept) if is_binary else kept.log()


class lazy_property:
    """An attribute computed when first asked for, and kept."""

    def __init__(self, wrapped: Callable) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__
        self.name = wrapped.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.name, value)
        return value


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle (..., n, n) row by row as vectors."""
    from lumbre import arange

    size = mat.shape[-1]
    if diag < -size or diag >= size:
        raise ValueError(f"diag ({diag}) provided is outside [{-size}, {size - 1}].")
    rows = arange(size)
    return mat[..., rows < rows.view(-1, 1) + (diag + 1)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Lower triangles (..., n, n) from their elements row by row."""
    from lumbre import arange

    size = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(size) - size > limits(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {vec.shape[-1]} which cannot be expressed as the lower triangular part of a square D x D matrix."
        )
    n = round(size)
    rows = arange(n)
    result = vec.new_zeros((*vec.shape[:-1], n, n))
    result[..., rows < rows.view(-1, 1) + (diag + 1)] = vec
    return result
