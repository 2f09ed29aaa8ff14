"""Draws of gamma and Dirichlet distributions, with gradients by implicit differentiation of their distributions.

Where F(x; a) is the distribution function, a draw held at its quantile moves by dx/da = -(dF/da) / (dF/dx), and dF/da is
the integral of the density times its score, from the draw to the nearer end. In u = log x (gamma) and u = log x / (1 - x)
(beta) the density falls from the draw to that end at least exponentially, and the double exponential rule of Takahasi
and Mori, stretched to where it has fallen by e, takes the integral to seven digits or more for any parameters.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

import math

from lumbre import Tensor, _standard_gamma, cat, digamma, finfo, float64, nn, no_grad, tensor, where
from lumbre.autograd import Function

_BLOCK = 4096


def _rule(points: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights on (0, inf) for functions that fall exponentially."""
    gap = (high - low) / (points - 1)
    steps = [low + i * gap for i in range(points)]
    nodes = [math.exp(step - math.exp(-step)) for step in steps]
    weights = [(1 + math.exp(-step)) * node * gap for step, node in zip(steps, nodes, strict=True)]
    return tensor(nodes, dtype=float64), tensor(weights, dtype=float64)


def _integral(side: Tensor, scale: Tensor, fall: Callable, slope: Callable, score: Callable, precise: bool) -> Tensor:
    """The integral of exp(-fall(v)) * score(v) over v from 0 to infinity, or to minus infinity where side is -1.

    ``scale`` is a first guess of the distance at which ``fall`` is 1; as ``fall`` is convex, Newton's steps get there.
    """
    for _ in range(6):
        scale = scale + (1 - fall(side * scale)) / (side * slope(side * scale))
    nodes, weights = _rule(64, -3.6, 4.0) if precise else _rule(48, -3.4, 4.0)
    reach = side * scale
    v = reach * nodes
    return reach.squeeze(-1) * (((-fall(v)).exp() * score(v)) @ weights)


def _in_blocks(slopes: Callable, values: list[Tensor]) -> Tensor:
    """``slopes`` of flat float64 tensors, a block at a time, in the first one's shape and dtype."""
    first = values[0]
    precise = first.dtype is float64
    with no_grad():
        parts = zip(*[value.to(float64).reshape(-1).split(_BLOCK) for value in values], strict=True)
        results = [slopes(precise, *[part.unsqueeze(-1) for part in each]) for each in parts]
    return cat(results).reshape(first.shape).to(first.dtype) if results else first.new_zeros(first.shape)


def _gamma_block(precise: bool, x: Tensor, a: Tensor) -> Tensor:
    x = x.clamp(min=1e-300)
    log_x, center = x.log(), digamma(a)

    def fall(v: Tensor) -> Tensor:
        return x * v.expm1() - a * v

    def slope(v: Tensor) -> Tensor:
        return x * v.exp() - a

    def score(v: Tensor) -> Tensor:
        return log_x - center + v

    gap = (a - x).abs()
    guess = 2 / (gap + (gap * gap + 2 * x).sqrt())
    side = where(x <= a, -1.0, 1.0).to(float64)
    return x.squeeze(-1) * _integral(side, guess, fall, slope, score, precise)


def gamma_slope(shape: Tensor, draw: Tensor) -> Tensor:
    """d draw / d shape of gamma draws of scale 1."""
    return _in_blocks(_gamma_block, [draw, shape])


def _beta_block(precise: bool, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    logsigmoid = nn.functional.logsigmoid
    # Draws that were rounded to 0 or 1 take the limits.
    x, rest = x.clamp(min=1e-300), (1 - x).clamp(min=1e-30)
    log_x, log_rest, center = x.log(), rest.log(), digamma(a) - digamma(a + b)
    u = log_x - log_rest

    def fall(v: Tensor) -> Tensor:
        return a * (log_x - logsigmoid(u + v)) + b * (log_rest - logsigmoid(-u - v))

    def slope(v: Tensor) -> Tensor:
        return (a + b) * (u + v).sigmoid() - a

    def score(v: Tensor) -> Tensor:
        return logsigmoid(u + v) - center

    gap = (a - (a + b) * x).abs()
    guess = 2 / (gap + (gap * gap + 2 * (a + b) * x * rest).sqrt())
    side = where(x * (a + b) <= a, -1.0, 1.0).to(float64)
    return x.squeeze(-1) * _integral(side, guess, fall, slope, score, precise)


def beta_slope(draw: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(d x / d a) / (1 - x) of draws x of Beta(a, b)."""
    return _in_blocks(_beta_block, [draw, a, b])


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
        return beta_slope(draw, concentration, rest) * (gradient - (draw * gradient).sum(-1, True))
