"""Draws of gamma and Dirichlet distributions, with gradients by implicit differentiation of their distributions.

Where F(x; a) is the distribution function, a draw held at its quantile moves by dx/da = -(dF/da) / (dF/dx), and dF/da is
the integral of the density times its score, from the draw to the nearer end of the support. In a variable in which the
density's tail at that end is exponential, the double exponential rule of Takahasi and Mori, stretched to where the density
has fallen by e, takes the integral to seven digits or more for any parameters.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

import math
from functools import cache

from lumbre import Tensor, _standard_gamma, digamma, float64, no_grad, tensor
from lumbre.autograd import Function
from lumbre.autograd.function import once_differentiable
from lumbre.distributions.utils import limits

# Draws taken together, so that a block's values at the nodes stay in the cache.
_BLOCK = 4096


@cache
def _rule() -> tuple[Tensor, Tensor]:
    """Nodes and weights on (0, inf) for functions that fall exponentially."""
    points, low, high = 40, -3.2, 4.0
    gap = (high - low) / (points - 1)
    steps = [low + i * gap for i in range(points)]
    nodes = [math.exp(step - math.exp(-step)) for step in steps]
    weights = [(1 + math.exp(-step)) * node * gap for step, node in zip(steps, nodes, strict=True)]
    return tensor(nodes, dtype=float64), tensor(weights, dtype=float64)


def _reach(first: Tensor, second: Tensor, fall: Callable, slope: Callable) -> Tensor:
    """Where a convex function from 0 gets to 1, by its first two derivatives at 0 and Newton's steps from there."""
    r = 2 / (first + (first * first + 2 * second).sqrt())
    for _ in range(6):
        r = r + (1 - fall(r)) / slope(r)
    return r


def _integral(reach: Tensor, fall: Callable, score: Callable) -> Tensor:
    """The integral of exp(-fall(r)) * score(r) over r > 0."""
    nodes, weights = _rule()
    r = reach * nodes
    return reach.squeeze(-1) * (((-fall(r)).exp() * score(r)) @ weights)


def _gamma_below(x: Tensor, a: Tensor) -> Tensor:
    """Draws below the mean, in r = log(x / t)."""
    top = x.log() - digamma(a)

    def fall(r: Tensor) -> Tensor:
        return a * r + x * (-r).expm1()

    reach = _reach(a - x, x, fall, lambda r: a - x * (-r).exp())
    return -x.squeeze(-1) * _integral(reach, fall, lambda r: top - r)


def _gamma_above(x: Tensor, a: Tensor) -> Tensor:
    """Draws above the mean, in r = t - x."""
    power, rising = a - 1, (a - 1).clamp(min=0)
    top = x.log() - digamma(a)
    reach = _reach(
        1 - rising / x, rising / (x * x), lambda r: r - rising * (r / x).log1p(), lambda r: 1 - rising / (x + r)
    )
    return _integral(reach, lambda r: r - power * (r / x).log1p(), lambda r: top + (r / x).log1p())


def _beta_tail(x: Tensor, rest: Tensor, a: Tensor, b: Tensor, score: Callable) -> Tensor:
    """The integral for draws x of Beta(a, b) below the mean, rest = 1 - x, in r = log(x / t)."""
    power, rising, odds = b - 1, (b - 1).clamp(min=0), x / rest

    def growth(r: Tensor) -> Tensor:
        return (-odds * (-r).expm1()).log1p()

    def slope(r: Tensor) -> Tensor:
        return a - rising * x * (-r).exp() / (rest - x * (-r).expm1())

    reach = _reach(a - rising * odds, rising * odds / rest, lambda r: a * r - rising * growth(r), slope)
    return _integral(reach, lambda r: a * r - power * growth(r), score)


def _beta_below(x: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> Tensor:
    top = x.log() - digamma(a) + digamma(a + b)
    return -(x / rest).squeeze(-1) * _beta_tail(x, rest, a, b, lambda r: top - r)


def _beta_above(x: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> Tensor:
    center = digamma(a + b) - digamma(a)
    return _beta_tail(rest, x, b, a, lambda r: (-rest * (-r).exp()).log1p() + center)


def _by_side(below: Callable, above: Callable, is_below: Tensor, values: list[Tensor]) -> Tensor:
    """``below`` where ``is_below`` and ``above`` elsewhere, a block of draws at a time."""
    result = values[0].new_empty(is_below.shape)
    for slopes, chosen in ((below, is_below), (above, ~is_below)):
        for places in chosen.nonzero().squeeze(-1).split(_BLOCK):
            if places.numel():
                result[places] = slopes(*[value[places].unsqueeze(-1) for value in values])
    return result


@no_grad()
def gamma_slope(shape: Tensor, draw: Tensor) -> Tensor:
    """d draw / d shape of gamma draws of scale 1."""
    x, a = (each.to(float64).reshape(-1) for each in (draw, shape))
    x = x.clamp(min=1e-300)
    return _by_side(_gamma_below, _gamma_above, x <= a, [x, a]).reshape(draw.shape).to(draw.dtype)


@no_grad()
def beta_slope(draw: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(d x / d a) / (1 - x) of draws x of Beta(a, b); those that were rounded to 0 or 1 take the limits."""
    x, first, second = (each.to(float64).reshape(-1) for each in (draw, a, b))
    x, rest = x.clamp(min=1e-300), (1 - x).clamp(min=1e-30)
    is_below = x * (first + second) <= first
    return _by_side(_beta_below, _beta_above, is_below, [x, rest, first, second]).reshape(draw.shape).to(draw.dtype)


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
        return gradient * _GammaSlope.apply(shape, draw)


class _GammaSlope(Function):
    """``gamma_slope``, whose own derivative is asked for where gradients of gradients are."""

    @staticmethod
    def forward(ctx: Any, shape: Tensor, draw: Tensor) -> Tensor:
        return gamma_slope(shape, draw)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise NotImplementedError("the derivative for '_standard_gamma_grad' is not implemented.")


class _Dirichlet(Function):
    """Draws whose concentrations (..., k) are given."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        draws = _standard_gamma(concentration.to(float64))
        result = (draws / draws.sum(-1, True)).to(concentration.dtype)
        result = result.clamp(min=limits(result.dtype).tiny)
        ctx.save_for_backward(concentration, result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        concentration, draw = ctx.saved_tensors
        rest = concentration.sum(-1, True) - concentration
        return beta_slope(draw, concentration, rest) * (gradient - (draw * gradient).sum(-1, True))
