"""L-BFGS: a quasi-Newton method that keeps a short history."""

from __future__ import annotations

from lumbre import _C
from lumbre.optim.optimizer import Optimizer, check_rate, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor


def _cubic(x1: float, f1: Any, g1: Any, x2: float, f2: Any, g2: Any, bounds: Any = None) -> Any:
    """The minimum of the cubic through two values and slopes, kept in bounds (Nocedal and Wright, 3.59)."""
    low, high = bounds if bounds is not None else (x1, x2) if x1 <= x2 else (x2, x1)
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if square < 0:
        return (low + high) / 2.0
    d2 = square.sqrt() if isinstance(square, Tensor) else square**0.5
    if x1 <= x2:
        place = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        place = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(place, low), high)


class _Search:
    """A line search for the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6)."""

    def __init__(
        self, value: Callable, t: float, direction: Tensor, f: Any, g: Tensor, slope: Any, tolerance: float
    ) -> None:
        self.value = value
        self.t = t
        self.direction = direction
        self.f = f
        self.g = g
        self.slope = slope
        self.tolerance = tolerance
        self.c1, self.c2, self.most = 1e-4, 0.9, 25

    def run(self) -> tuple[Any, Tensor, float, int]:
        size = self.direction.abs().max()
        start = self.g.clone(memory_format=_C.contiguous_format)
        t = self.t
        f_new, g_new = self.value(t, self.direction)
        evaluations = 1
        slope_new = g_new.dot(self.direction)
        before = (0.0, self.f, start, self.slope)
        bracket: list[Any] | None = None
        found = None
        step = 0
        while step < self.most:
            if f_new > (self.f + self.c1 * t * self.slope) or (step > 1 and f_new >= before[1]):
                bracket = [before, (t, f_new, g_new.clone(memory_format=_C.contiguous_format), slope_new)]
                break
            if abs(slope_new) <= -self.c2 * self.slope:
                found = (t, f_new, g_new)
                break
            if slope_new >= 0:
                bracket = [before, (t, f_new, g_new.clone(memory_format=_C.contiguous_format), slope_new)]
                break
            low, high = t + 0.01 * (t - before[0]), t * 10
            last = t
            t = _cubic(before[0], before[1], before[3], t, f_new, slope_new, (low, high))
            before = (last, f_new, g_new.clone(memory_format=_C.contiguous_format), slope_new)
            f_new, g_new = self.value(t, self.direction)
            evaluations += 1
            slope_new = g_new.dot(self.direction)
            step += 1
        if found is not None:
            return found[1], found[2], found[0], evaluations
        if bracket is None:
            bracket = [(0.0, self.f, start, self.slope), (t, f_new, g_new, slope_new)]
        return self._zoom(bracket, step, size, evaluations)

    def _zoom(self, bracket: list[Any], step: int, size: Any, evaluations: int) -> tuple[Any, Tensor, float, int]:
        stuck = False
        low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        while step < self.most:
            (ta, fa, _, sa), (tb, fb, _, sb) = bracket
            if abs(tb - ta) * size < self.tolerance:
                break
            t = _cubic(ta, fa, sa, tb, fb, sb)
            # A step too near the ends of the bracket is moved inside.
            margin = 0.1 * (max(ta, tb) - min(ta, tb))
            if min(max(ta, tb) - t, t - min(ta, tb)) < margin:
                if stuck or t >= max(ta, tb) or t <= min(ta, tb):
                    t = max(ta, tb) - margin if abs(t - max(ta, tb)) < abs(t - min(ta, tb)) else min(ta, tb) + margin
                    stuck = False
                else:
                    stuck = True
            else:
                stuck = False
            f_new, g_new = self.value(t, self.direction)
            evaluations += 1
            slope_new = g_new.dot(self.direction)
            step += 1
            new = (t, f_new, g_new.clone(memory_format=_C.contiguous_format), slope_new)
            if f_new > (self.f + self.c1 * t * self.slope) or f_new >= bracket[low][1]:
                bracket[high] = new
                low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
            else:
                if abs(slope_new) <= -self.c2 * self.slope:
                    bracket[low] = new
                    break
                if slope_new * (bracket[high][0] - bracket[low][0]) >= 0:
                    bracket[high] = bracket[low]
                bracket[low] = new
        t, f, g, _ = bracket[low]
        return f, g, t, evaluations


class LBFGS(Optimizer):
    """Quasi-Newton steps from the last gradients (Liu and Nocedal 1989); ``step`` needs a closure.

    One group of parameters; ``line_search_fn`` is None or "strong_wolfe".

    >>> p = torch.nn.Parameter(torch.tensor([3.]))
    >>> optimizer = torch.optim.LBFGS([p])
    >>> def closure():
    ...     optimizer.zero_grad(); loss = (p * p).sum(); loss.backward(); return loss
    >>> optimizer.step(closure)
    tensor(9., grad_fn=<SumBackward0>)
    """

    def __init__(
        self, params: Any, lr: float = 1, max_iter: int = 20, max_eval: int | None = None, tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9, history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(
            params,
            {
                "lr": lr, "max_iter": max_iter, "max_eval": max_eval, "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change, "history_size": history_size, "line_search_fn": line_search_fn,
            },
        )  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        from lumbre import cat

        return cat([p.new_zeros(p.numel()) if p.grad is None else p.grad.view(-1) for p in self._params], 0)

    def _move(self, t: float, direction: Tensor) -> None:
        at = 0
        for p in self._params:
            p.add_(direction[at : at + p.numel()].view_as(p), alpha=number(t))
            at += p.numel()

    def _value_at(self, closure: Callable, start: list[Tensor], t: float, direction: Tensor) -> tuple[float, Tensor]:
        self._move(t, direction)
        loss = float(closure())
        gradient = self._gradient()
        for p, old in zip(self._params, start, strict=True):
            p.copy_(old)
        return loss, gradient

    def step(self, closure: Callable) -> Any:  # type: ignore[override]
        """Up to max_iter iterations; gives the loss before them."""
        before = _C._set_grad_enabled(False)
        try:
            return self._iterate(closure)
        finally:
            _C._set_grad_enabled(before)

    def _iterate(self, closure: Callable) -> Any:
        def evaluate() -> Any:
            was = _C._set_grad_enabled(True)
            try:
                return closure()
            finally:
                _C._set_grad_enabled(was)

        group = self.param_groups[0]
        lr = number(group["lr"])
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = evaluate()
        loss = float(first)
        evaluations = 1
        state["func_evals"] += 1
        gradient = self._gradient()
        if gradient.abs().max() <= group["tolerance_grad"]:
            return first
        direction, t = state.get("d"), state.get("t")
        steps, changes, ro = state.get("old_stps"), state.get("old_dirs"), state.get("ro")
        scale, previous, previous_loss = state.get("H_diag"), state.get("prev_flat_grad"), state.get("prev_loss")
        iteration = 0
        while iteration < group["max_iter"]:
            iteration += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction, steps, changes, ro, scale = gradient.neg(), [], [], [], 1
            else:
                change, moved = gradient.sub(previous), direction.mul(t)
                curvature = change.dot(moved)
                if curvature > 1e-10:
                    if len(changes) == group["history_size"]:
                        changes.pop(0), steps.pop(0), ro.pop(0)
                    changes.append(change)
                    steps.append(moved)
                    ro.append(1.0 / curvature)
                    scale = curvature / change.dot(change)
                direction = self._direction(gradient, changes, steps, ro, scale)
            previous = gradient.clone(memory_format=_C.contiguous_format)
            previous_loss = loss
            t = min(1.0, 1.0 / gradient.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = gradient.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            count = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [p.clone(memory_format=_C.contiguous_format) for p in self._params]
                search = _Search(
                    lambda x, d, start=start: self._value_at(evaluate, start, x, d), t, direction, loss, gradient, slope,
                    group["tolerance_change"],
                )  # fmt: skip
                loss, gradient, t, count = search.run()
                self._move(t, direction)
                small = gradient.abs().max() <= group["tolerance_grad"]
            else:
                self._move(t, direction)
                small = False
                if iteration != group["max_iter"]:
                    loss = float(evaluate())
                    gradient = self._gradient()
                    small = gradient.abs().max() <= group["tolerance_grad"]
                    count = 1
            evaluations += count
            state["func_evals"] += count
            if iteration == group["max_iter"] or evaluations >= group["max_eval"] or small:
                break
            if direction.mul(t).abs().max() <= group["tolerance_change"]:
                break
            if abs(loss - previous_loss) < group["tolerance_change"]:
                break
        if changes:
            state["al"] = [None] * group["history_size"]
        state.update(
            d=direction, t=t, old_dirs=changes, old_stps=steps, ro=ro, H_diag=scale, prev_flat_grad=previous,
            prev_loss=previous_loss,
        )  # fmt: skip
        return first

    @staticmethod
    def _direction(gradient: Tensor, changes: list, steps: list, ro: list, scale: Any) -> Tensor:
        """The two loops of L-BFGS: the inverse Hessian's estimate times the gradient, negated."""
        q = gradient.neg()
        weights: list[Any] = [None] * len(changes)
        for i in range(len(changes) - 1, -1, -1):
            weights[i] = steps[i].dot(q) * ro[i]
            q.add_(changes[i], alpha=-weights[i].item())
        r = q.mul(scale)
        for i in range(len(changes)):
            back = changes[i].dot(r) * ro[i]
            r.add_(steps[i], alpha=(weights[i] - back).item())
        return r
