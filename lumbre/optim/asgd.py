"""ASGD: gradient descent with an average of the parameters."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_rate, number, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_asgd_update"]


class ASGD(PerParameter):
    """Gradient descent with an average of the parameters (Polyak and Juditsky 1992).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.ASGD([p], lr=0.5).step(); p.data
    tensor([0.4999])
    """

    captured = captured_foreach = "params, mus, etas, and state_steps"

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
                "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        state.update(
            step=scalar(0), eta=_C.tensor(number(group["lr"]), dtype=_C.float32), mu=_C.tensor(1.0, dtype=_C.float32),
            ax=zeros_as(param),
        )  # fmt: skip

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        return _update(
            params, [own["ax"] for own in states], [own["eta"] for own in states], [own["mu"] for own in states],
            [own["step"] for own in states], group["lr"], group["lambd"], group["alpha"], group["t0"], group["weight_decay"],
            group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        lr, lambd, step = number(group["lr"]), group["lambd"], state["step"].item()
        eta, mu, average = state["eta"].item(), state["mu"].item(), state["ax"]
        param.mul_(1 - lambd * eta)
        param.add_(grad, alpha=-eta)
        if mu != 1:
            average.add_(param.sub(average).mul_(mu))
        else:
            average.copy_(param)
        state["eta"].fill_(lr / ((1 + lambd * lr * step) ** group["alpha"]))
        state["mu"].fill_(1 / max(1, step - group["t0"]))
