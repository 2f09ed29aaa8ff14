"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_betas, check_rate, number, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_nadam_update"]


class NAdam(PerParameter):
    """Adam with Nesterov's momentum (Dozat 2016).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.NAdam([p], lr=0.5).step(); p.data
    tensor([0.4718])
    """

    captured = "params, mu_products and state_steps"
    captured_foreach = "params, mu_products, and state_steps"

    def __init__(
        self, params: Any, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps, eps >= 0.0)
        check_betas(betas)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        check("momentum_decay value", momentum_decay, momentum_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
                "capturable": capturable, "differentiable": differentiable,
            },
        )  # fmt: skip

    added = (*PerParameter.added, ("decoupled_weight_decay", False))

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        state.update(
            step=scalar(0),
            mu_product=_C.tensor(1.0, dtype=_C.float32),
            exp_avg=zeros_as(param),
            exp_avg_sq=zeros_as(param),
        )

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        beta1, beta2 = group["betas"]
        return _update(
            params, [own["exp_avg"] for own in states], [own["exp_avg_sq"] for own in states],
            [own["mu_product"] for own in states], [own["step"] for own in states], group["lr"], beta1, beta2,
            group["eps"], group["weight_decay"], group["momentum_decay"], group["decoupled_weight_decay"], group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        lr, (beta1, beta2), decay = number(group["lr"]), group["betas"], group["momentum_decay"]
        step = state["step"].item()
        if group["decoupled_weight_decay"] and group["weight_decay"]:
            param.mul_(1 - lr * group["weight_decay"])
        now = beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))
        later = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * decay))
        state["mu_product"] *= now
        product = state["mu_product"].item()
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        divisor = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        param.addcdiv_(grad, divisor, value=-lr * (1.0 - now) / (1.0 - product))
        param.addcdiv_(mean, divisor, value=-lr * later / (1.0 - product * later))
