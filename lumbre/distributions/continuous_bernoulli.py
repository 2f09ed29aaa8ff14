"""The continuous Bernoulli distribution (Loaiza-Ganem and Cunningham, 2019)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import math

from lumbre import Size, Tensor, nn, no_grad, rand, special, where
from lumbre.distributions import constraints
from lumbre.distributions._parameters import OfOdds
from lumbre.distributions.exp_family import ExponentialFamily
from lumbre.distributions.utils import (
    broadcast_all,
    clamp_probs,
    is_number,
    lazy_property,
    logits_to_probs,
)

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(OfOdds, ExponentialFamily):
    """Numbers between 0 and 1 of density proportional to ``probs ** x * (1 - probs) ** (1 - x)``.

    Between the two numbers of ``lims``, about one half, the closed forms lose their digits and series stand in.

    >>> torch.distributions.ContinuousBernoulli(0.5).mean
    tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given = logits if probs is None else probs
        (self._param,) = broadcast_all(given)
        if probs is None:
            self.logits = self._param
        else:
            if validate_args is not None and not bool(self.arg_constraints["probs"].check(self._param).all()):
                raise ValueError("The parameter probs has invalid values")
            self.probs = self._param = clamp_probs(self._param)
        self._lims = lims
        super().__init__(Size() if is_number(given) else self._param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> ContinuousBernoulli:
        return self._expanded(ContinuousBernoulli, batch_shape, _instance, "probs logits _param", _lims=self._lims)

    @lazy_property
    def probs(self) -> Tensor:
        """The parameter between 0 and 1; not the mean."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside_unstable_region(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut_probs(self) -> Tensor:
        """The parameter, put to the lower limit where the closed forms are not used."""
        return self.probs.where(self._outside_unstable_region(), self._lims[0])

    def _cont_bern_log_norm(self) -> Tensor:
        """The logarithm of the density's normalizing constant."""
        cut = self._cut_probs()
        below, above = cut.where(cut <= 0.5, 0.0), cut.where(cut >= 0.5, 1.0)
        width = where(cut <= 0.5, (-2.0 * below).log1p(), (2.0 * above - 1.0).log())
        closed = ((-cut).log1p() - cut.log()).abs().log() - width
        x = (self.probs - 0.5).pow(2)
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return where(self._outside_unstable_region(), closed, series)

    @property
    def mean(self) -> Tensor:
        cut = self._cut_probs()
        closed = cut / (2.0 * cut - 1.0) + 1.0 / ((-cut).log1p() - cut.log())
        x = self.probs - 0.5
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x
        return where(self._outside_unstable_region(), closed, series)

    @property
    def variance(self) -> Tensor:
        cut = self._cut_probs()
        closed = cut * (cut - 1.0) / (1.0 - 2.0 * cut).pow(2) + 1.0 / ((-cut).log1p() - cut.log()).pow(2)
        x = (self.probs - 0.5).pow(2)
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return where(self._outside_unstable_region(), closed, series)

    def _uniforms(self, sample_shape: Any) -> Tensor:
        return rand(self._extended_shape(sample_shape), dtype=self.probs.dtype)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        draws = self._uniforms(sample_shape)
        with no_grad():
            return self.icdf(draws)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        return self.icdf(self._uniforms(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -loss + self._cont_bern_log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut_probs()
        closed = (cut.pow(value) * (1.0 - cut).pow(1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        inside = where(self._outside_unstable_region(), closed, value)
        ends = (value > 0.0).to(value.dtype)
        return where((value <= 0.0) | (value >= 1.0), ends, inside)

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut_probs()
        rest = (-cut).log1p()
        closed = ((-cut + value * (2.0 * cut - 1.0)).log1p() - rest) / (cut.log() - rest)
        return where(self._outside_unstable_region(), closed, value)

    def entropy(self) -> Tensor:
        zero, one = (-self.probs).log1p(), self.probs.log()
        return self.mean * (zero - one) - self._cont_bern_log_norm() - zero

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        low, high = self._lims[0] - 0.5, self._lims[1] - 0.5
        outside = (x <= low) | (x > high)
        cut = x.where(outside, low)
        closed = special.expm1(cut).abs().log() - cut.abs().log()
        series = 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0
        return where(outside, closed, series)
