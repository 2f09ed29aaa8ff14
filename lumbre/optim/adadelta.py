"""Adadelta: steps from the ratio of two running means of squares."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_rate, number, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_adadelta_update"]


class Adadelta(PerParameter):
    """Steps scaled by the ratio of running root mean squares of steps and gradients (Zeiler 2012).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Adadelta([p], lr=0.5).step(); p.data
    tensor([0.9984])
    """

    compiled = False

    def __init__(
        self, params: Any, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("rho value", rho, 0.0 <= rho <= 1.0)
        check("epsilon value", eps, eps >= 0.0)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
            },
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        state.update(step=scalar(0), square_avg=zeros_as(param), acc_delta=zeros_as(param))

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        return _update(
            params, [own["square_avg"] for own in states], [own["acc_delta"] for own in states],
            [own["step"] for own in states], group["lr"], group["rho"], group["eps"], group["weight_decay"], group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        rho, eps = group["rho"], group["eps"]
        square, steps = state["square_avg"], state["acc_delta"]
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = steps.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(grad)
        steps.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-number(group["lr"]))
