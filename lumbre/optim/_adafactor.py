"""Adafactor: second moments of matrices from their rows and columns."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import PerParameter, check_rate, number, scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor


class Adafactor(PerParameter):
    """Adam without momentum, its squares kept as one row and one column per matrix (Shazeer and Stern 2018).

    >>> p = torch.nn.Parameter(torch.ones(2))
    >>> p.grad = torch.ones(2)
    >>> torch.optim.Adafactor([p], lr=0.5).step(); p.data
    tensor([0.5000, 0.5000])
    """

    decays_gradient = False
    added = (("foreach", None), ("maximize", False))

    def __init__(
        self, params: Any, lr: float = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(
            params,
            {
                "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay, "foreach": foreach,
                "maximize": maximize,
            },
        )  # fmt: skip

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar(0)
        if param.dim() > 1:
            rows, columns = list(param.shape), list(param.shape)
            rows[-1] = columns[-2] = 1
            state["row_var"] = param.new_zeros(rows)
            state["col_var"] = param.new_zeros(columns)
        else:
            from lumbre import zeros_like

            state["variance"] = zeros_like(param, memory_format=_C.preserve_format)

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        from lumbre import finfo

        lr, step = number(group["lr"]), state["step"].item()
        tiny = group["eps"][0] if group["eps"][0] is not None else finfo(param.dtype).eps
        weight = step ** group["beta2_decay"]
        alpha = max(group["eps"][1], param.norm(2).item() / (param.numel() ** 0.5)) * min(lr, 1 / (step**0.5))
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])
        if grad.dim() > 1:
            row, column = state["row_var"], state["col_var"]
            row.lerp_(grad.norm(dim=-1, keepdim=True).square_().div_(grad.size(-1)), weight)
            column.lerp_(grad.norm(dim=-2, keepdim=True).square_().div_(grad.size(-2)), weight)
            estimate = (row @ column).div_(row.mean(dim=-2, keepdim=True).clamp_(min=tiny))
        else:
            state["variance"].lerp_(grad * grad, weight)
            estimate = state["variance"].clone()
        update = estimate.clamp_(min=tiny * tiny).rsqrt_().mul_(grad)
        divisor = max(1.0, update.norm(2).item() / ((update.numel() ** 0.5) * group["d"]))
        param.add_(update, alpha=-alpha / divisor)
