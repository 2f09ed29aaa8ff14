"""Adagrad: steps over the root of the sum of squares."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_fused, check_rate, number, scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_adagrad_update"]


class Adagrad(PerParameter):
    """Steps over the root of the sum of all squared gradients (Duchi et al. 2011).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Adagrad([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("lr_decay value", lr_decay, lr_decay >= 0.0)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        check("initial_accumulator_value value", initial_accumulator_value, initial_accumulator_value >= 0.0)
        check("epsilon value", eps, eps >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
                "differentiable": differentiable, "fused": fused,
            },
        )  # fmt: skip
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            for param in group["params"]:
                self.start(param, self.state[param], group)

    added = (("foreach", None), ("maximize", False), ("differentiable", False), ("fused", None))

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        from lumbre import full_like

        value = group["initial_accumulator_value"]
        state.update(step=scalar(0), sum=full_like(param, value, memory_format=_C.preserve_format, requires_grad=False))

    def share_memory(self) -> None:
        """Moves the sums to memory that other processes see."""
        for state in self.state.values():
            state["sum"].share_memory_()

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        return _update(
            params, [own["sum"] for own in states], [own["step"] for own in states], group["lr"], group["lr_decay"],
            group["eps"], group["weight_decay"], group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        rate = number(group["lr"]) / (1 + (state["step"].item() - 1) * group["lr_decay"])
        state["sum"].addcmul_(grad, grad, value=1)
        param.addcdiv_(grad, state["sum"].sqrt().add_(group["eps"]), value=-rate)
