"""Stochastic gradient descent."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check, check_fused, check_rate, number, rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_update = _C._functions["_sgd_update"]


class SGD(PerParameter):
    """p -= lr * g; with momentum, g is a running sum of gradients (Sutskever et al. 2013 for Nesterov's form).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.SGD([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    added = (("nesterov", False), ("maximize", False), ("foreach", None), ("differentiable", False), ("fused", False))
    compiled_foreach = None  # type: ignore[assignment]  # PyTorch's step over lists falls back by itself here

    def __init__(
        self, params: Any, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float | Tensor = 0, nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check("momentum value", momentum, momentum >= 0.0)
        check("weight_decay value", weight_decay, number(weight_decay) >= 0.0)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
                "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
            },
        )  # fmt: skip
        check_fused(fused, foreach, differentiable)

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call into the engine."""
        if group["differentiable"]:
            return False
        params = group["params"]
        momentum = group["momentum"]
        buffers = [own["momentum_buffer"] for own in map(self.state.get, params)] if momentum else []
        return _update(
            params, buffers, group["lr"], momentum, group["dampening"], group["weight_decay"], group["nesterov"],
            group["maximize"],
        )  # fmt: skip

    def lacks_state(self, param: Tensor, group: dict[str, Any]) -> bool:
        """The first momentum is the gradient itself, so ``update`` makes it."""
        return False

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter, of operators."""
        lr, momentum = rate(group), group["momentum"]
        if momentum:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        if isinstance(lr, Tensor):
            param.addcmul_(grad, lr, value=-1)
        else:
            param.add_(grad, alpha=-lr)
