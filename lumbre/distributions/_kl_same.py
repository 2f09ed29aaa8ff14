"""Divergences of two distributions of one family."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Tensor, autograd, broadcast_shapes, diag_embed, inf, linalg, nn
from lumbre.distributions._kl_registry import infinite_where, kl_divergence, register_kl
from lumbre.distributions.bernoulli import Bernoulli
from lumbre.distributions.beta import Beta
from lumbre.distributions.binomial import Binomial
from lumbre.distributions.categorical import Categorical
from lumbre.distributions.cauchy import Cauchy
from lumbre.distributions.continuous_bernoulli import ContinuousBernoulli
from lumbre.distributions.dirichlet import Dirichlet
from lumbre.distributions.exp_family import ExponentialFamily
from lumbre.distributions.exponential import Exponential
from lumbre.distributions.gamma import Gamma
from lumbre.distributions.geometric import Geometric
from lumbre.distributions.gumbel import Gumbel
from lumbre.distributions.half_normal import HalfNormal
from lumbre.distributions.independent import Independent
from lumbre.distributions.laplace import Laplace
from lumbre.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from lumbre.distributions.multivariate_normal import MultivariateNormal, mahalanobis
from lumbre.distributions.normal import Normal
from lumbre.distributions.one_hot_categorical import OneHotCategorical
from lumbre.distributions.pareto import Pareto
from lumbre.distributions.poisson import Poisson
from lumbre.distributions.transformed_distribution import TransformedDistribution
from lumbre.distributions.uniform import Uniform
from lumbre.distributions.utils import euler_constant, sum_rightmost


@register_kl(Normal, Normal)
def _normal_normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    softplus = nn.functional.softplus
    ones = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    ones[q.probs == 0] = inf
    ones[p.probs == 0] = 0
    zeros = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zeros[q.probs == 1] = inf
    zeros[p.probs == 1] = 0
    return ones + zeros


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms[(q.probs == 0).expand_as(terms)] = inf
    terms[(p.probs == 0).expand_as(terms)] = 0
    return terms.sum(-1)


@register_kl(Beta, Beta)
def _beta_beta(p: Beta, q: Beta) -> Tensor:
    p_sum = p.concentration1 + p.concentration0
    q_sum = q.concentration1 + q.concentration0
    logs = q.concentration1.lgamma() + q.concentration0.lgamma() + p_sum.lgamma()
    less = p.concentration1.lgamma() + p.concentration0.lgamma() + q_sum.lgamma()
    return (
        logs
        - less
        + (p.concentration1 - q.concentration1) * p.concentration1.digamma()
        + (p.concentration0 - q.concentration0) * p.concentration0.digamma()
        + (q_sum - p_sum) * p_sum.digamma()
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    total = p.concentration.sum(-1)
    logs = total.lgamma() - q.concentration.sum(-1).lgamma()
    each = (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
    slopes = p.concentration.digamma() - total.digamma().unsqueeze(-1)
    return logs - each + ((p.concentration - q.concentration) * slopes).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential_exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma_gamma(p: Gamma, q: Gamma) -> Tensor:
    return (
        q.concentration * (p.rate / q.rate).log()
        + q.concentration.lgamma()
        - p.concentration.lgamma()
        + (p.concentration - q.concentration) * p.concentration.digamma()
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Laplace, Laplace)
def _laplace_laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


@register_kl(Poisson, Poisson)
def _poisson_poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Uniform, q: Uniform) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return infinite_where(result, (q.low > p.low) | (q.high < p.high))


@register_kl(Binomial, Binomial)
def _binomial_binomial(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return infinite_where(p.total_count * each, p.total_count > q.total_count)


@register_kl(Cauchy, Cauchy)
def _cauchy_cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_continuous(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    own = p._cont_bern_log_norm() + (-p.probs).log1p()
    theirs = -q._cont_bern_log_norm() - (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + own + theirs


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_families(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """The Bregman divergence of the log normalizer."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot"
            + " " * 29
            + "be computed using Bregman divergences"
        )
    own = [each.detach().requires_grad_() for each in p._natural_params]
    normalizer = p._log_normalizer(*own)
    slopes = autograd.grad(normalizer.sum(), own, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for ours, theirs, slope in zip(own, q._natural_params, slopes, strict=True):
        result = result - sum_rightmost((theirs - ours) * slope, len(q.event_shape))
    return result


@register_kl(Geometric, Geometric)
def _geometric_geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel_gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, own, theirs = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    tail = (theirs + (1 + ratio).lgamma() - own).exp()
    return -ratio.log() - theirs + own + ratio * euler_constant + tail - (1 + euler_constant)


@register_kl(HalfNormal, HalfNormal)
def _half_normal_half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal_normal(p.base_dist, q.base_dist)


@register_kl(Pareto, Pareto)
def _pareto_pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() + -ratio.log() + ratio - 1
    return infinite_where(result, p.scale < q.scale)


def _same_event(p: Any, q: Any, what: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {what} with" + " " * 26 + "different event shapes cannot be computed"
        )


def _squares(matrix: Tensor) -> Tensor:
    """The trace of X X'."""
    return matrix.pow(2).sum((-2, -1))


@register_kl(MultivariateNormal, MultivariateNormal)
def _full_full(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_event(p, q, "Multivariate Normals")
    own, theirs = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    trace = _squares(_solved(theirs, own))
    distance = mahalanobis(theirs, q.loc - p.loc)
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + distance - p.event_shape[0])


def _solved(factor: Tensor, matrix: Tensor) -> Tensor:
    """L^-1 M for lower triangular L, both of one batch."""
    batch = broadcast_shapes(factor.shape[:-2], matrix.shape[:-2])
    wide = [each.expand((*batch, *each.shape[-2:])) for each in (factor, matrix)]
    return linalg.solve_triangular(*wide, upper=False)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_low(p: LowRankMultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_event(p, q, "Low Rank Multivariate Normals")
    factor, diagonal, whitened = p._unbroadcasted_cov_factor, p._unbroadcasted_cov_diag, q._whitened()
    theirs = q._unbroadcasted_cov_diag
    trace = (
        (diagonal / theirs).sum(-1)
        + _squares(factor * theirs.rsqrt().unsqueeze(-1))
        - _squares(whitened * diagonal.sqrt().unsqueeze(-2))
        - _squares(whitened @ factor)
    )
    return 0.5 * (q._log_det() - p._log_det() + trace + q._mahalanobis(q.loc - p.loc) - p.event_shape[0])


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _full_low(p: MultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_event(p, q, "(Low Rank) Multivariate Normals")
    factor = p._unbroadcasted_scale_tril
    logs = q._log_det() - 2 * p._half_log_det()
    trace = _squares(factor * q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)) - _squares(q._whitened() @ factor)
    return 0.5 * (logs + trace + q._mahalanobis(q.loc - p.loc) - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_full(p: LowRankMultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_event(p, q, "(Low Rank) Multivariate Normals")
    factor = q._unbroadcasted_scale_tril
    logs = 2 * q._half_log_det() - p._log_det()
    spread = diag_embed(p._unbroadcasted_cov_diag.sqrt())
    trace = _squares(_solved(factor, p._unbroadcasted_cov_factor)) + _squares(_solved(factor, spread))
    return 0.5 * (logs + trace + mahalanobis(factor, q.loc - p.loc) - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent_independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return kl_divergence(p._categorical, q._categorical)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed_transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)
