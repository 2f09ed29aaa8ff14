"""``torch.batch_norm`` and its like: the normalisations of ``torch`` itself, with their own order of arguments."""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import operator
from lumbre.nn import functional_normalization as _parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor


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
    return _parts._batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


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
    return _parts._instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


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
    return _parts.layer_norm(input, normalized_shape, weight, bias, eps)


@operator("native_layer_norm(input, normalized_shape, weight, bias, eps)", method=False)
def native_layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``torch.nn.functional.layer_norm``, the mean and the reciprocal of the deviation.

    >>> torch.native_layer_norm(torch.tensor([[1., 3.]]), (2,), None, None, 0.0)[1:]
    (tensor([[2.]]), tensor([[1.]]))
    """
    shape = _parts._check_normalized(
        input, normalized_shape, {"weight": weight, "bias": bias}, "native_layer_norm", ", "
    )
    values = _parts._computed(input, "LayerNormKernelImpl", (weight, bias))
    values, mean, variance = _parts._standardised(values, tuple(range(-len(shape), 0)), eps)
    result = _parts._scaled(values, weight, bias, None).to(input.dtype)
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
    return _parts._group_norm(input, num_groups, weight, bias, eps)
