"""Divergences of distributions of two families.

Where q gives no probability to values that p takes, the divergence is infinite.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import math

from lumbre import Tensor, erf, full_like, inf
from lumbre.distributions._kl_registry import infinite_where, register_kl
from lumbre.distributions.bernoulli import Bernoulli
from lumbre.distributions.beta import Beta
from lumbre.distributions.binomial import Binomial
from lumbre.distributions.continuous_bernoulli import ContinuousBernoulli
from lumbre.distributions.exponential import Exponential
from lumbre.distributions.gamma import Gamma
from lumbre.distributions.gumbel import Gumbel
from lumbre.distributions.laplace import Laplace
from lumbre.distributions.normal import Normal
from lumbre.distributions.pareto import Pareto
from lumbre.distributions.poisson import Poisson
from lumbre.distributions.uniform import Uniform
from lumbre.distributions.utils import euler_constant

_LOG_2_PI = math.log(2 * math.pi)


def _register_infinite(name: str, type_p: type, *types_q: type) -> None:
    """Divergences that are infinite everywhere, of the shape of p's parameter."""

    def infinite(p: Any, q: Any) -> Tensor:
        return full_like(getattr(p, name), inf)

    for type_q in types_q:
        register_kl(type_p, type_q)(infinite)


_register_infinite("concentration1", Beta, Pareto)
_register_infinite("probs", ContinuousBernoulli, Pareto)
_register_infinite("rate", Exponential, Beta, ContinuousBernoulli, Pareto, Uniform)
_register_infinite("concentration", Gamma, Beta, ContinuousBernoulli, Pareto, Uniform)
_register_infinite("loc", Gumbel, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_register_infinite("loc", Laplace, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_register_infinite("loc", Normal, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_register_infinite("scale", Pareto, Beta, ContinuousBernoulli, Uniform)
_register_infinite("rate", Poisson, Bernoulli, Binomial)


def _gamma_norm(q: Gamma) -> Tensor:
    """The logarithm of the gamma density's normalizing constant."""
    return q.concentration.lgamma() - q.concentration * q.rate.log()


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous(p: Beta, q: ContinuousBernoulli) -> Tensor:
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


@register_kl(Beta, Exponential)
def _beta_exponential(p: Beta, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Beta, q: Gamma) -> Tensor:
    log_mean = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    mean = q.rate * p.concentration1 / (p.concentration1 + p.concentration0)
    return -p.entropy() + _gamma_norm(q) - (q.concentration - 1) * log_mean + mean


@register_kl(Beta, Normal)
def _beta_normal(p: Beta, q: Normal) -> Tensor:
    mean, variance = p.mean, q.scale.pow(2)
    second = (mean * (1 - mean) / (p.concentration1 + p.concentration0 + 1) + mean.pow(2)) * 0.5
    distance = (second - q.loc * mean + q.loc.pow(2) * 0.5) / variance
    return -p.entropy() + 0.5 * (variance * 2 * math.pi).log() + distance


@register_kl(Beta, Uniform)
def _beta_uniform(p: Beta, q: Uniform) -> Tensor:
    result = -p.entropy() + (q.high - q.low).log()
    return infinite_where(result, (q.low > 0) | (q.high < 1))


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_exponential(p: ContinuousBernoulli, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Normal)
def _continuous_normal(p: ContinuousBernoulli, q: Normal) -> Tensor:
    norm = 0.5 * (_LOG_2_PI + (q.loc / q.scale).square()) + q.scale.log()
    distance = (p.variance + p.mean.square() - 2.0 * q.loc * p.mean) / (2.0 * q.scale.square())
    return -p.entropy() + norm + distance


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_uniform(p: ContinuousBernoulli, q: Uniform) -> Tensor:
    # PyTorch asks that q begin below 0 and end above 1: a uniform distribution on (0, 1) itself gives infinity.
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low >= 0) | (q.high <= 1), inf)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    ratio = q.rate / p.rate
    norm = q.concentration.lgamma() + q.concentration * euler_constant
    return -q.concentration * ratio.log() + ratio + norm - (1 + euler_constant)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Exponential, q: Gumbel) -> Tensor:
    product, ratio = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - ratio + ratio.exp() * product / (product + 1) + product.reciprocal()


@register_kl(Exponential, Normal)
def _exponential_normal(p: Exponential, q: Normal) -> Tensor:
    variance, squares = q.scale.pow(2), p.rate.pow(2)
    distance = (squares.reciprocal() - q.loc / p.rate + q.loc.pow(2) * 0.5) / variance
    return 0.5 * (squares * variance * 2 * math.pi).log() - 1 + distance


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Gamma, q: Gumbel) -> Tensor:
    a, product, ratio = p.concentration, p.rate * q.scale, q.loc / q.scale
    own = (a - 1) * a.digamma() - a.lgamma() - a
    tail = ratio.exp() * (1 + product.reciprocal()).pow(-a) - ratio
    return own + (product.log() + a / product) + tail


@register_kl(Gamma, Normal)
def _gamma_normal(p: Gamma, q: Normal) -> Tensor:
    a, variance, squares = p.concentration, q.scale.pow(2), p.rate.pow(2)
    norm = 0.5 * (squares * variance * 2 * math.pi).log() - a - a.lgamma()
    distance = 0.5 * (a.pow(2) + a) / squares - q.loc * a / p.rate + 0.5 * q.loc.pow(2)
    return norm + (a - 1) * a.digamma() + distance / variance


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Gumbel, q: Normal) -> Tensor:
    ratio = p.scale / q.scale
    spread = (math.pi * ratio * 0.5).pow(2) / 3
    distance = ((p.loc + p.scale * euler_constant - q.loc) / q.scale).pow(2) * 0.5
    return -(ratio / math.sqrt(2 * math.pi)).log() + spread + distance - (euler_constant + 1)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Laplace, q: Normal) -> Tensor:
    variance = q.scale.pow(2)
    ratio = p.scale.pow(2) / variance
    distance = (0.5 * p.loc.pow(2) - p.loc * q.loc + 0.5 * q.loc.pow(2)) / variance
    return -0.5 * (2 * ratio / math.pi).log() + ratio + distance - 1


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    own, ratio, theirs = p.loc / q.scale, (p.scale / q.scale).pow(2), q.loc / q.scale
    tail = (-own + 0.5 * ratio + theirs).exp()
    return -(ratio.log() * 0.5) + (own - theirs) + tail - 0.5 * (1 + _LOG_2_PI)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    away = p.loc - q.loc
    standard = away / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * (-0.5 * standard.pow(2)).exp()
    far = away * erf(math.sqrt(0.5) * standard)
    return -(p.scale / q.scale).log() + (near + far) / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    product = p.scale * q.rate
    mean = p.alpha * product / (p.alpha - 1)
    result = (p.alpha / product).log() - p.alpha.reciprocal() + mean - 1
    return infinite_where(result, p.alpha <= 1)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Pareto, q: Gamma) -> Tensor:
    log_mean = p.scale.log() + p.alpha.reciprocal()
    mean = q.rate * p.alpha * p.scale / (p.alpha - 1)
    result = (p.alpha.log() - log_mean) + _gamma_norm(q) + (1 - q.concentration) * log_mean + mean - 1
    return infinite_where(result, p.alpha <= 1)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Pareto, q: Normal) -> Tensor:
    norm = math.sqrt(2 * math.pi) * q.scale * p.alpha / p.scale
    part = p.scale / (p.alpha - 1)
    spread = p.alpha * part.pow(2) / (p.alpha - 2)
    distance = (spread + (p.alpha * part - q.loc).pow(2)) / (2 * q.scale.pow(2))
    result = norm.log() - p.alpha.reciprocal() + distance - 1
    return infinite_where(result, p.alpha <= 2)


def _log_moments(p: Uniform) -> tuple[Tensor, Tensor, Tensor]:
    """The width of a uniform distribution, and the means of log x and of -log(1 - x)."""
    width = p.high - p.low
    low, high = 1 - p.low, 1 - p.high
    below = (p.high.xlogy(p.high) - p.low.xlogy(p.low) - width) / width
    above = (high.xlogy(high) - low.xlogy(low) + width) / width
    return width, below, above


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Tensor:
    width, below, above = _log_moments(p)
    a, b = q.concentration1, q.concentration0
    norm = a.lgamma() + b.lgamma() - (a + b).lgamma()
    result = (b - 1) * above + norm - width.log() - (a - 1) * below
    return infinite_where(result, (p.high > 1) | (p.low < 0))


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous(p: Uniform, q: ContinuousBernoulli) -> Tensor:
    # As in PyTorch, a uniform distribution that reaches 0 or 1 gives infinity.
    result = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()
    return result.masked_fill((p.high >= 1) | (p.low <= 0), inf)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    result = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return infinite_where(result, p.low < 0)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Uniform, q: Gamma) -> Tensor:
    width, below, _ = _log_moments(p)
    mean = q.rate * (p.high + p.low) / 2
    result = -width.log() + _gamma_norm(q) + (1 - q.concentration) * below + mean
    return infinite_where(result, p.low < 0)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Uniform, q: Gumbel) -> Tensor:
    ratio = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return ratio.log() + 0.5 * (high + low) - ratio * ((-high).exp() - (-low).exp())


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    distance = width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return (math.sqrt(math.pi * 2) * q.scale / width).log() + 0.5 * distance / q.scale.pow(2)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    width, below, _ = _log_moments(p)
    tail = (q.alpha * q.scale.pow(q.alpha) * width).log()
    result = below * (q.alpha + 1) - tail
    return infinite_where(result, p.low < q.scale)
