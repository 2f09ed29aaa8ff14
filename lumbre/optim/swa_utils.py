"""Averages of weights."""

from __future__ import annotations

import math
from copy import deepcopy

from lumbre import _C
from lumbre.nn import Module
from lumbre.optim.lr_scheduler import LRScheduler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """An exponential average: ``fn(average, current, count)``."""
    _check_decay(decay)

    def update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return decay * average + (1 - decay) * current

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """An exponential average of lists, in place."""
    _check_decay(decay)

    def update(averages: list[Tensor], currents: list[Tensor], count: Any) -> None:
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(average * decay + current * (1 - decay))

    return update


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_swa_avg_fn() -> Callable:
    """An equal average: ``fn(average, current, count)`` (Izmailov et al. 2018)."""

    def update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average + (current - average) / (count + 1)

    return update


def get_swa_multi_avg_fn() -> Callable:
    """An equal average of lists, in place."""

    def update(averages: list[Tensor], currents: list[Tensor], count: Any) -> None:
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, float(1 / (count + 1)))
            else:
                average.add_((current - average) / (count + 1))

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those it was updated with.

    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> average.update_parameters(model); int(average.n_averaged)
    1
    """

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable | None = None, multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", _C.tensor(0, dtype=_C.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _averaged(self, module: Module) -> list[Tensor]:
        return [*module.parameters(), *(module.buffers() if self.use_buffers else ())]

    def update_parameters(self, model: Module) -> None:
        """Takes a model's present parameters into the average."""
        before = _C._set_grad_enabled(False)
        try:
            own, theirs = self._averaged(self.module), self._averaged(model)
            if self.n_averaged == 0:
                for average, current in zip(own, theirs, strict=True):
                    average.copy_(current.detach())
            elif self.multi_avg_fn is not None or self.avg_fn is None:
                function = self.multi_avg_fn or get_swa_multi_avg_fn()
                function([one.detach() for one in own], [one.detach() for one in theirs], self.n_averaged)
            else:
                for average, current in zip(own, theirs, strict=True):
                    average.copy_(self.avg_fn(average.detach(), current.detach(), self.n_averaged))
            if not self.use_buffers:
                for mine, given in zip(self.module.buffers(), model.buffers(), strict=True):
                    mine.copy_(given.detach())
            self.n_averaged += 1
        finally:
            _C._set_grad_enabled(before)


def update_bn(loader: Any, model: Module, device: Any = None) -> None:
    """Computes the running statistics of batch normalisations anew, over the batches of a loader."""
    momenta = {}
    for module in model.modules():
        if hasattr(module, "running_mean") and hasattr(module, "reset_running_stats") and hasattr(module, "momentum"):
            if type(module).__name__.startswith("Instance"):
                continue
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    training = model.training
    model.train()
    for module in momenta:
        module.momentum = None
    before = _C._set_grad_enabled(False)
    try:
        for batch in loader:
            if isinstance(batch, (list, tuple)):
                batch = batch[0]
            model(batch if device is None else batch.to(device))
    finally:
        _C._set_grad_enabled(before)
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """Anneals the rates to swa_lr in anneal_epochs and keeps them there."""

    def __init__(
        self, optimizer: Any, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1
    ) -> None:
        count = len(optimizer.param_groups)
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * count
        if len(rates) != count:
            raise ValueError(
                "swa_lr must have the same length as optimizer.param_groups: swa_lr has "
                f"{len(rates)}, optimizer.param_groups has {count}"
            )
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _weight(self, part: float) -> float:
        return part if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * part)) / 2

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = self._step_count - 1
        epochs = self.anneal_epochs
        if epochs == 0:
            step = max(1, step)
        before = self._weight(max(0, min(1, (step - 1) / max(1, epochs))))
        now = self._weight(max(0, min(1, step / max(1, epochs))))
        values = []
        for group in self.optimizer.param_groups:
            swa = group["swa_lr"]
            start = swa if before == 1 else (group["lr"] - before * swa) / (1 - before)
            values.append(swa * now + start * (1 - now))
        return values
