"""Stochastic gradient descent."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import Optimizer, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_update = _C._functions["_sgd_update"]
_set_grad_enabled = _C._set_grad_enabled


class SGD(Optimizer):
    """p -= lr * g; with momentum, g is a running sum of gradients (Sutskever et al. 2013 for Nesterov's form).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.SGD([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        if number(lr) < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if number(weight_decay) < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        if fused and (differentiable or foreach):
            raise RuntimeError(
                "`fused` does not support `differentiable`" if differentiable else "`fused` and `foreach` cannot be `True` together."
            )
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
                "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
            },
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in (
                ("nesterov", False), ("maximize", False), ("foreach", None), ("differentiable", False), ("fused", False),
            ):  # fmt: skip
                group.setdefault(name, value)

    def step(self, closure: Callable | None = None) -> Any:
        """One step from the gradients that are there; gives the closure's loss."""
        loss = None if closure is None else self._closure_loss(closure)
        before = _set_grad_enabled(False)
        try:
            for group in self.param_groups:
                self._step_group(group)
        finally:
            _set_grad_enabled(before)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        params, grads = [], []
        for param in group["params"]:
            grad = param.grad
            if grad is not None:
                params.append(param)
                grads.append(grad)
        momentum = group["momentum"]
        settings = (
            number(group["lr"]), momentum, group["dampening"], number(group["weight_decay"]), group["nesterov"],
            group["maximize"],
        )  # fmt: skip
        if not momentum:
            if params:
                _update(params, grads, [], False, *settings)
            return
        for first in (False, True):
            chosen = [i for i, p in enumerate(params) if (self.state[p].get("momentum_buffer") is None) is first]
            if first:
                for i in chosen:
                    self.state[params[i]]["momentum_buffer"] = grads[i].detach().clone()
            if chosen:
                buffers = [self.state[params[i]]["momentum_buffer"] for i in chosen]
                _update([params[i] for i in chosen], [grads[i] for i in chosen], buffers, first, *settings)
