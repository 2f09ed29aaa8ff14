"""The negative binomial distribution."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Size, Tensor, lgamma, nn, no_grad, poisson
from lumbre.distributions import constraints
from lumbre.distributions._parameters import OfOdds
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.gamma import Gamma
from lumbre.distributions.utils import broadcast_all, lazy_property

__all__ = ["NegativeBinomial"]


class NegativeBinomial(OfOdds, Distribution):
    """Successes of probability ``probs`` (or log-odds ``logits``) before ``total_count`` failures.

    >>> torch.distributions.NegativeBinomial(2., torch.tensor(0.5)).mean
    tensor(2.)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        count, param = broadcast_all(total_count, logits if probs is None else probs)
        self._set_param(param, probs is None)
        self.total_count = count.type_as(self._param)
        super().__init__(self._param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> NegativeBinomial:
        return self._expanded(NegativeBinomial, batch_shape, _instance, "total_count probs logits _param")

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    @lazy_property
    def _gamma(self) -> Gamma:
        return Gamma(self.total_count, (-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with no_grad():
            return poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logsigmoid = nn.functional.logsigmoid
        weights = self.total_count * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        trials = self.total_count + value
        ways = -lgamma(trials) + lgamma(1.0 + value) + lgamma(self.total_count)
        return weights - ways.masked_fill(trials == 0.0, 0.0)
