"""Normalisations of ``torch`` itself, with their own order of arguments, and of neighbouring channels.

The others (``nn.functional.batch_norm`` and its kin) are the engine's.
"""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_pad = _C._functions["nn.functional.pad"]
_batch_norm = _C._functions["nn.functional.batch_norm"]
_instance_norm = _C._functions["nn.functional.instance_norm"]
_layer_norm = _C._functions["nn.functional.layer_norm"]
_group_norm = _C._functions["nn.functional.group_norm"]


@operator(
    "batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled)", method=False
)
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """``torch.nn.functional.batch_norm`` with the arguments in another order and fewer checks.

    >>> torch.batch_norm(torch.zeros(2, 1), None, None, None, None, True, 0.1, 1e-5, False).shape
    torch.Size([2, 1])
    """
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@operator(
    "instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled)",
    method=False,
)
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """``torch.nn.functional.instance_norm`` with the arguments in another order and fewer checks.

    >>> torch.instance_norm(torch.zeros(1, 1, 2), None, None, None, None, True, 0.1, 1e-5, False).shape
    torch.Size([1, 1, 2])
    """
    return _instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


@operator("layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True)", method=False)
def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """``torch.nn.functional.layer_norm``.

    >>> torch.layer_norm(torch.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return _layer_norm(input, normalized_shape, weight, bias, eps)


@operator("native_layer_norm(input, normalized_shape, weight, bias, eps)", method=False)
def native_layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``torch.nn.functional.layer_norm``, the mean and the reciprocal of the deviation.

    >>> torch.native_layer_norm(torch.tensor([[1., 3.]]), (2,), None, None, 0.0)[1:]
    (tensor([[2.]]), tensor([[1.]]))
    """
    result = _layer_norm(input, normalized_shape, weight, bias, eps)
    dims = tuple(range(-len(normalized_shape), 0))
    values = (input.float() if input.dtype.itemsize == 2 else input).detach()
    variance, mean = values.var(dims, correction=0, keepdim=True), values.mean(dims, keepdim=True)
    given = weight if weight is not None else bias
    kept = input.dtype if given is None else given.dtype
    return result, mean.to(kept), (variance + eps).rsqrt().to(kept)


@operator("group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True)", method=False)
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """``torch.nn.functional.group_norm`` with fewer checks.

    >>> torch.group_norm(torch.tensor([[1., 3.]]), 1)
    tensor([[-1.0000,  1.0000]])
    """
    return _group_norm(input, num_groups, weight, bias, eps)


@operator("nn.functional.local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)", method=False)
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divides each element of (N, C, ...) by ``(k + alpha * mean of squares) ** beta`` over ``size`` channels.

    ValueError for fewer than three dimensions.

    >>> torch.nn.functional.local_response_norm(torch.ones(1, 1, 1), 1, alpha=1., beta=1.)
    tensor([[[0.5000]]])
    """
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    channels = input.size(1)
    floating = input.dtype.is_floating_point
    squares = _pad(input * input, (0, 0) * (input.dim() - 2) + (size // 2, (size - 1) // 2))
    total = squares.narrow(1, 0, channels)
    for offset in range(1, size):
        total = total + squares.narrow(1, offset, channels)
    # Whole numbers are averaged as whole numbers.
    average = total / size if floating else total // size
    return input / (average * alpha + k) ** beta
