"""RAdam: Adam with a rectified variance."""

from __future__ import annotations

import math

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_betas, check_rate, rate, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_radam_update"]


class RAdam(PerParameter):
    """Adam whose variance is rectified while there are few steps (Liu et al. 2019).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.RAdam([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps, eps >= 0.0)
        check_betas(betas)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
                "differentiable": differentiable,
            },
        )  # fmt: skip

    added = (*PerParameter.added, ("decoupled_weight_decay", False))

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        state.update(step=scalar(0), exp_avg=zeros_as(param), exp_avg_sq=zeros_as(param))

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        beta1, beta2 = group["betas"]
        return _update(
            params, [own["exp_avg"] for own in states], [own["exp_avg_sq"] for own in states],
            [own["step"] for own in states], group["lr"], beta1, beta2, group["eps"], group["weight_decay"],
            group["decoupled_weight_decay"], group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        lr, (beta1, beta2), step = rate(group), group["betas"], state["step"].item()
        if group["decoupled_weight_decay"] and group["weight_decay"]:
            param.mul_(1 - lr * group["weight_decay"])
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        correction = 1 - beta2**step
        corrected = mean / (1 - beta1**step)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * (beta2**step) / correction
        if length > 5.0:
            rectified = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            adaptive = math.sqrt(correction) / square.clone().sqrt().add_(group["eps"])
            param.add_(corrected * lr * adaptive * rectified, alpha=-1.0)
        else:
            param.add_(corrected * lr, alpha=-1.0)
