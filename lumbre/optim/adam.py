"""Adam and AdamW."""

from __future__ import annotations

import math

from lumbre import _C
from lumbre.optim.optimizer import (
    PerParameter,
    check,
    check_betas,
    check_fused,
    check_rate,
    number,
    rate,
    scalar,
    zeros_as,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_adam_update"]


def _check_tensors(lr: Any, betas: Any, by_lists: bool) -> None:
    """ValueError for settings that are tensors where PyTorch takes none."""
    if isinstance(lr, Tensor) and by_lists:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    kinds = [isinstance(beta, Tensor) for beta in betas[:2]]
    if kinds[0] is not kinds[1]:
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas[:2]):
        if isinstance(beta, Tensor):
            if by_lists:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")


class Adam(PerParameter):
    """Steps scaled by running means of gradients and of their squares (Kingma and Ba 2014).

    ``amsgrad`` keeps the largest mean of squares (Reddi et al. 2018); ``decoupled_weight_decay`` shrinks the parameters
    themselves (Loshchilov and Hutter 2017).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Adam([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    added = (*PerParameter.added, ("amsgrad", False), ("decoupled_weight_decay", False), ("fused", None))

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        _check_tensors(lr, betas, bool(foreach) and not capturable)
        check_rate(lr)
        check("epsilon value", eps, eps >= 0.0)
        check_betas(betas)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
                "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip
        check_fused(fused, foreach, differentiable)

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        amsgrad = group["amsgrad"]
        beta1, beta2 = group["betas"]
        return _update(
            params, [own["exp_avg"] for own in states], [own["exp_avg_sq"] for own in states],
            [own["max_exp_avg_sq"] for own in states] if amsgrad else [], [own["step"] for own in states], group["lr"],
            beta1, beta2, group["eps"], group["weight_decay"], amsgrad, group["maximize"], group["decoupled_weight_decay"],
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """No steps, no means."""
        state.update(step=scalar(0), exp_avg=zeros_as(param), exp_avg_sq=zeros_as(param))
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_as(param)

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        lr, step, eps = rate(group), state["step"].item(), group["eps"]
        beta1, beta2 = (number(beta) for beta in group["betas"])
        if group["decoupled_weight_decay"]:
            param.mul_(1 - lr * group["weight_decay"])
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            largest.copy_(largest.clone().maximum(square))
            square = largest
        size = lr / (1 - beta1**step)
        root = math.sqrt(1 - beta2**step)
        if isinstance(size, Tensor):
            param.addcdiv_(mean.clone(), (square.clone().sqrt() / (-size * root)).add_(eps / -size))
        elif group["differentiable"]:
            param.addcdiv_(mean.clone(), (square.clone().sqrt() / root).add_(eps), value=-size)
        else:
            param.addcdiv_(mean, (square.sqrt() / root).add_(eps), value=-size)
