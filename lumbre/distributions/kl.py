"""Kullback-Leibler divergences, by pairs of distributions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from functools import total_ordering

from lumbre import Tensor, inf, linalg, nn
from lumbre.distributions.bernoulli import Bernoulli
from lumbre.distributions.beta import Beta
from lumbre.distributions.categorical import Categorical
from lumbre.distributions.dirichlet import Dirichlet
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.exponential import Exponential
from lumbre.distributions.gamma import Gamma
from lumbre.distributions.independent import Independent
from lumbre.distributions.laplace import Laplace
from lumbre.distributions.multivariate_normal import MultivariateNormal, mahalanobis
from lumbre.distributions.normal import Normal
from lumbre.distributions.one_hot_categorical import OneHotCategorical
from lumbre.distributions.poisson import Poisson
from lumbre.distributions.transformed_distribution import TransformedDistribution
from lumbre.distributions.uniform import Uniform
from lumbre.distributions.utils import sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_pairs: dict[tuple[type, type], Callable] = {}
_found: dict[tuple[type, type], Callable | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable], Callable]:
    """Registers the decorated function of (p, q) as the divergence of two classes and their subclasses."""
    if not isinstance(type_p, type) or not issubclass(type_p, Distribution):
        raise TypeError(f"Expected type_p to be a Distribution subclass but got {type_p}")
    if not isinstance(type_q, type) or not issubclass(type_q, Distribution):
        raise TypeError(f"Expected type_q to be a Distribution subclass but got {type_q}")

    def register(function: Callable) -> Callable:
        _pairs[type_p, type_q] = function
        _found.clear()
        return function

    return register


@total_ordering
class _Match:
    """A pair of classes, less than another where it is more specific."""

    def __init__(self, *types: type) -> None:
        self.types = types

    def __eq__(self, other: Any) -> bool:
        return self.types == other.types

    def __le__(self, other: Any) -> bool:
        for own, theirs in zip(self.types, other.types, strict=True):
            if not issubclass(own, theirs):
                return False
            if own is not theirs:
                break
        return True


def _dispatch(p: type, q: type) -> Callable | None:
    matches = [pair for pair in _pairs if issubclass(p, pair[0]) and issubclass(q, pair[1])]
    if not matches:
        return None
    left = min(_Match(*pair) for pair in matches).types
    right = min(_Match(*reversed(pair)) for pair in matches).types
    if _pairs[left] is not _pairs[tuple(reversed(right))]:  # type: ignore[index]
        from warnings import warn

        warn(
            f"Ambiguous kl_divergence({p.__name__}, {q.__name__}). Please "
            f"register_kl({left[0].__name__}, {right[0].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _pairs[left]  # type: ignore[index]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q), of the batch's shape; NotImplementedError for a pair without a known form.

    >>> from torch.distributions import Normal
    >>> torch.distributions.kl_divergence(Normal(0., 1.), Normal(1., 1.))
    tensor(0.5000)
    """
    key = type(p), type(q)
    if key not in _found:
        _found[key] = _dispatch(*key)
    function = _found[key]
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return function(p, q)


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
    result[(q.low > p.low) | (q.high < p.high)] = inf
    return result


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_multivariate(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    logs = q._half_log_det() - p._half_log_det()
    batch = tuple((logs + p.loc[..., 0] + q.loc[..., 0]).shape)
    n = p.event_shape[0]
    factors = [each._unbroadcasted_scale_tril.expand((*batch, n, n)) for each in (q, p)]
    trace = linalg.solve_triangular(*factors, upper=False).pow(2).sum((-2, -1))
    return logs + 0.5 * (trace + mahalanobis(q._unbroadcasted_scale_tril, q.loc - p.loc) - n)


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
