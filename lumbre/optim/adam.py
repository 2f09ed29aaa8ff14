"""Adam and AdamW."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import Optimizer, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_update = _C._functions["_adam_update"]
_set_grad_enabled = _C._set_grad_enabled


class Adam(Optimizer):
    """Steps scaled by running means of gradients and of their squares (Kingma and Ba 2014).

    ``amsgrad`` keeps the largest mean of squares (Reddi et al. 2018); ``decoupled_weight_decay`` shrinks the parameters
    themselves (Loshchilov and Hutter 2017).

    >>> p = torch.nn.Parameter(torch.tensor([1.]))
    >>> p.grad = torch.tensor([1.])
    >>> torch.optim.Adam([p], lr=0.5).step(); p.data
    tensor([0.5000])
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        if not number(lr) >= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i in (0, 1):
            if not 0.0 <= number(betas[i]) < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if fused and (differentiable or foreach):
            raise RuntimeError(
                "`fused` does not support `differentiable`" if differentiable else "`fused` and `foreach` cannot be `True` together."
            )
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
                "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in (
                ("amsgrad", False), ("maximize", False), ("foreach", None), ("capturable", False), ("differentiable", False),
                ("decoupled_weight_decay", False), ("fused", None),
            ):  # fmt: skip
                group.setdefault(name, value)
            for param in group["params"]:
                own = self.state.get(param, {})
                if own and not isinstance(own["step"], _C.Tensor):
                    own["step"] = _C.tensor(float(own["step"]), dtype=_C.float32)

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
        amsgrad = group["amsgrad"]
        states = self.state
        params: list[Any] = []
        grads: list[Any] = []
        means: list[Any] = []
        squares: list[Any] = []
        largest: list[Any] = []
        steps: list[Any] = []
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = states[param]
            if not state:
                self._start(param, state, amsgrad)
            params.append(param)
            grads.append(grad)
            means.append(state["exp_avg"])
            squares.append(state["exp_avg_sq"])
            steps.append(state["step"])
            if amsgrad:
                largest.append(state["max_exp_avg_sq"])
        if params:
            beta1, beta2 = group["betas"]
            _update(
                params, grads, means, squares, largest, steps, number(group["lr"]), number(beta1), number(beta2),
                group["eps"], group["weight_decay"], group["maximize"], group["decoupled_weight_decay"],
            )  # fmt: skip

    def _start(self, param: Any, state: dict[str, Any], amsgrad: bool) -> None:
        from lumbre import zeros_like

        state["step"] = _C.tensor(0.0, dtype=_C.float32)
        state["exp_avg"] = zeros_like(param, memory_format=_C.preserve_format)
        state["exp_avg_sq"] = zeros_like(param, memory_format=_C.preserve_format)
        if amsgrad:
            state["max_exp_avg_sq"] = zeros_like(param, memory_format=_C.preserve_format)


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves (Loshchilov and Hutter 2017)."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
