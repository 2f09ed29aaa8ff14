"""Draws of gamma and Dirichlet distributions, with gradients by implicit differentiation of their distributions.

Where P(x; a) is the distribution function, a draw held at its quantile moves by dx/da = -(dP/da) / (dP/dx).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Tensor, _standard_gamma, digamma, finfo, float64, log, where
from lumbre.autograd import Function


def gamma_slope(shape: Tensor, draw: Tensor) -> Tensor:
    """d draw / d shape of gamma draws of scale 1, by the series of the incomplete gamma function in float64."""
    a, x = shape.to(float64), draw.to(float64)
    psi = digamma(a + 1)
    term = 1 / a
    total = term * (log(x) - psi)
    n = 0
    while n < 1_000_000:
        n += 1
        term = term * x / (a + n)
        psi = psi + 1 / (a + n)
        step = term * (log(x) - psi)
        total = total + step
        if n > 8 and not bool(((step.abs() > 1e-17 * total.abs()) | (x > a + n)).any()):
            break
    return (-x * total).to(draw.dtype)


class StandardGamma(Function):
    """Draws of scale 1 whose shapes are given."""

    @staticmethod
    def forward(ctx: Any, shape: Tensor) -> Tensor:
        draw = _standard_gamma(shape)
        ctx.save_for_backward(shape, draw)
        return draw

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        shape, draw = ctx.saved_tensors
        return gradient * gamma_slope(shape, draw)


def beta_slope(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """d x / d a of draws x of Beta(a, b), by the series of the incomplete beta function on the nearer side."""
    x, a, b = x.to(float64), a.to(float64), b.to(float64)
    left = x <= a / (a + b)
    ratio = where(left, x, 1 - x)
    below = where(left, a, b)
    psi_sum, psi_own = digamma(a + b), digamma(where(left, a + 1, a))
    term = where(left, -(1 - x) * x / a, x * (1 - x) / b)
    total = term * (log(x) + psi_sum - psi_own)
    n = 0
    while n < 1_000_000:
        term = term * ratio * (a + b + n) / (below + 1 + n)
        psi_sum = psi_sum + 1 / (a + b + n)
        psi_own = where(left, psi_own + 1 / (a + n + 1), psi_own)
        n += 1
        step = term * (log(x) + psi_sum - psi_own)
        total = total + step
        if n > 8 and not bool((step.abs() > 1e-16 * total.abs()).any()):
            break
    return total


class SampleDirichlet(Function):
    """Draws whose concentrations (..., k) are given."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        draws = _standard_gamma(concentration.to(float64))
        result = (draws / draws.sum(-1, True)).to(concentration.dtype)
        result = result.clamp(min=finfo(result.dtype).tiny)
        ctx.save_for_backward(concentration, result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        concentration, draw = ctx.saved_tensors
        rest = concentration.sum(-1, True) - concentration
        slope = (beta_slope(draw, concentration, rest) / (1 - draw.to(float64))).to(draw.dtype)
        return slope * (gradient - (draw * gradient).sum(-1, True))
