"""Rprop: steps from the gradients' signs."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check_rate, number, scalar, zeros_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_rprop_update"]


class Rprop(PerParameter):
    """Steps of their own size for every element, grown while the gradient's sign stays (Riedmiller and Braun 1993).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Rprop([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    compiled_foreach = True

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(
            params,
            {
                "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
                "differentiable": differentiable, "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        from lumbre import full_like

        sizes = full_like(param, number(group["lr"]), requires_grad=False)
        state.update(step=scalar(0), prev=zeros_as(param), step_size=sizes)

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"] or group["capturable"]:
            return False
        params = group["params"]
        states = [*map(self.state.get, params)]
        return _update(
            params, [own["prev"] for own in states], [own["step_size"] for own in states],
            [own["step"] for own in states], *group["etas"], *group["step_sizes"], group["maximize"],
        )  # fmt: skip

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        from lumbre import where

        down, up = group["etas"]
        agreement = grad.mul(state["prev"]).sign()
        factor = where(agreement > 0, up, where(agreement < 0, down, 1.0).to(grad.dtype)).to(grad.dtype)
        state["step_size"].mul_(factor).clamp_(*group["step_sizes"])
        grad = grad.masked_fill(agreement < 0, 0)
        param.addcmul_(grad.sign(), state["step_size"], value=-1)
        state["prev"].copy_(grad)
