"""LRScheduler, the base of schedules of learning rates."""

from __future__ import annotations

from warnings import warn

from lumbre import _C
from lumbre.optim.optimizer import Optimizer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Tensor = _C.Tensor
_DOCS = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed form "
    "is used instead of the new chainable form, where available. Please open an issue if you are unable to replicate "
    "your use case: https://github.com/pytorch/pytorch/issues/new/choose."
)


def check_optimizer(optimizer: Any) -> Optimizer:
    """TypeError for what is no Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each parameter group, from a list of them or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {count}."
        )
    return list(value)


def own_copy(value: Any) -> Any:
    """Settings may be tensors, which others write to."""
    return value.clone() if isinstance(value, Tensor) else value


def current(optimizer: Optimizer, name: str = "lr") -> list[Any]:
    """A copy of one setting of every group."""
    return [own_copy(group[name]) for group in optimizer.param_groups]


def assign(group: dict[str, Any], name: str, value: Any) -> None:
    """Sets a group's setting; one that is a tensor keeps its identity."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[name] = value


def warn_of_epoch() -> None:
    """``step(epoch)`` is deprecated."""
    warn(_EPOCH, UserWarning, stacklevel=3)


class LRScheduler:
    """The base of schedules: ``get_lr`` gives the rates of the groups for ``last_epoch``; ``step`` moves on by one epoch.

    Raises TypeError for what is no optimizer, KeyError when it resumes (last_epoch >= 0) without groups' "initial_lr".
    """

    _get_lr_called_within_step = False
    _is_initial = False
    # Kept out of state_dict().
    _unsaved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", own_copy(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0."
                    "\nThis typically happens when:\n1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = current(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if not optimizer.__dict__.get("_scheduled"):
            # From here on a step of the optimizer is expected before one of the schedule.
            optimizer._scheduled = True  # type: ignore[attr-defined]
            optimizer._opt_called = False
            optimizer._step_when_scheduled = optimizer.__dict__.get("step")  # type: ignore[attr-defined]
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name not in self._unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what state_dict() gave."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The rates of the groups that the last step set."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch``. To be written in a subclass."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Moves on by one epoch, after the optimizer's step."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warn_of_epoch()
        self._update_lr(epoch)

    def _check_order(self) -> None:
        optimizer = self.optimizer.__dict__
        if optimizer.get("step") is not optimizer.get("_step_when_scheduled"):
            warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make "
                f"sure to call `optimizer.step()` before `lr_scheduler.step()`. See more details at {_DOCS}",
                UserWarning,
                stacklevel=3,
            )
        elif not optimizer.get("_opt_called"):
            warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call "
                "them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result "
                f"in PyTorch skipping the first value of the learning rate schedule. See more details at {_DOCS}",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
                rates = closed_form()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            assign(group, "lr", rate)
        self._last_lr = current(self.optimizer)

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )


class Scaled(LRScheduler):
    """A schedule that multiplies the rate of the epoch before: ``_ratio`` gives the factor, or None for no change.

    ``_share`` gives the rate as a share of the first one, which serves jumps to an epoch.
    """

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch`` from those of the epoch before."""
        self._warn_outside_step()
        rates = current(self.optimizer)
        ratio = self._ratio()
        return rates if ratio is None else [rate * ratio for rate in rates]

    def _ratio(self) -> float | None:
        raise NotImplementedError

    def _share(self) -> float:
        raise NotImplementedError

    def _get_closed_form_lr(self) -> list[Any]:
        share = self._share()
        return [base * share for base in self.base_lrs]


def saved_callables(functions: Sequence[Callable | None]) -> list[dict[str, Any] | None]:
    """The attributes of callable objects; plain functions are not saved."""
    from types import FunctionType

    return [None if fn is None or isinstance(fn, FunctionType) else fn.__dict__.copy() for fn in functions]
