"""A warning where gradients are never zeroed between steps, so that each adds to those before it."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

Tensor = _C.Tensor


class StaleGradients:
    """Looks at one small parameter during the first three steps. That its gradient is the sum of the one before and of
    what arrived since is checked, not guessed: then nobody zeroed it, in whatever way.
    """

    __slots__ = ("arrived", "gradient", "handle", "param", "value", "version")
    gradient: Any
    version: int

    def __init__(self) -> None:
        self.param: Tensor | None = None
        self.value: Tensor | None = None
        self.arrived: list[Tensor] = []
        self.handle: Any = None

    def before_step(self, optimizer: Any) -> bool:
        """Whether there is reason to look on."""
        if self.param is None:
            return self._choose(optimizer)
        unchanged = self.param.grad is not self.gradient or self.gradient._version == self.version
        if self.value is None:
            return not unchanged
        self.handle.remove()
        if not unchanged and self.arrived and self._is_sum():
            _warn()
        return False

    def after_step(self) -> None:
        """Remembers what the next step is compared with."""
        assert self.param is not None
        first = self.version < 0
        self.version = self.gradient._version
        if not first:
            self.value = self.gradient.detach().clone()
            self.handle = self.param.register_hook(self._arrive)

    def _choose(self, optimizer: Any) -> bool:
        learned = [
            param
            for group in optimizer.param_groups
            for param in group["params"]
            if type(param.grad) is Tensor and param.requires_grad and param.is_leaf and not param.grad.is_inference()
        ]
        if not learned:
            return False
        self.param = min(learned, key=lambda param: param.numel())
        self.gradient, self.version = self.param.grad, -1
        return True

    def _arrive(self, gradient: Tensor) -> None:
        self.arrived.append(gradient.detach().clone())

    def _is_sum(self) -> bool:
        assert self.value is not None
        total = self.value
        for gradient in self.arrived:
            total = total + gradient
        now = self.gradient.detach()
        return bool(self.value.any()) and now.equal(total) and not now.equal(self.arrived[-1])


def _warn() -> None:
    import warnings

    warnings.warn(
        "The gradients were not zeroed between three steps of the optimizer: each backward() adds to the gradients of those "
        "before it. Call optimizer.zero_grad() before backward().",
        UserWarning,
        stacklevel=4,
    )
