"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_betas, check_rate, number, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_adamax_update"]


class Adamax(PerParameter):
    """Adam with the largest gradient in the place of the mean square (Kingma and Ba 2014).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Adamax([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    def __init__(
        self, params: Any, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps, eps >= 0.0)
        check_betas(betas)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
                "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        state.update(step=scalar(0), exp_avg=zeros_as(param), exp_inf=zeros_as(param))

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        beta1, beta2 = group["betas"]
        return _update(
            params, [own["exp_avg"] for own in states], [own["exp_inf"] for own in states],
            [own["step"] for own in states], group["lr"], beta1, beta2, group["eps"], group["weight_decay"],
            group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        beta1, beta2 = group["betas"]
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean.lerp_(grad, 1 - beta1)
        largest.copy_(largest.mul_(beta2).maximum(grad.abs().add_(group["eps"])))
        rate = number(group["lr"]) / (1 - beta1 ** state["step"].item())
        param.addcdiv_(mean, largest, value=-rate)
