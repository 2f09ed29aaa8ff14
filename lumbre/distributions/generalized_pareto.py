"""The generalized Pareto distribution."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from numbers import Number

from lumbre import Size, Tensor, broadcast_to, inf, isclose, nan, ones_like, rand, tensor, where, zeros_like
from lumbre.distributions import constraints
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Excesses over ``loc``: the tail is a power for a positive ``concentration``, exponential for zero, bounded below.

    >>> torch.distributions.GeneralizedPareto(0., 1., 0.5).mean
    tensor(2.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        given = loc, scale, concentration
        self.loc, self.scale, self.concentration = broadcast_all(*given)
        shape = Size() if all(isinstance(each, Number) for each in given) else self.loc.size()
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> GeneralizedPareto:
        return self._expanded(GeneralizedPareto, batch_shape, _instance, "loc scale concentration")

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, end.where(self.concentration < 0, inf))

    def _split(self, zero: Tensor) -> tuple[Tensor, Tensor]:
        """Where the concentration is zero, and the concentration with ones there."""
        exponential = isclose(self.concentration, zero)
        return exponential, self.concentration.where(~exponential, 1.0)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        exponential, k = self._split(tensor(0.0))
        power = 1 / k + ones_like(z)
        falling = where(power == 0, power, power * (k * z).log1p())
        return -self.scale.log() - where(exponential, z, falling)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of more than ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        exponential, k = self._split(tensor(0.0))
        return where(exponential, -z, -(k * z).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of ``cdf``."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        exponential, k = self._split(zeros_like(self.concentration))
        survival = (-value).log1p()
        falling = self.loc + self.scale / k * (-k * survival).expm1()
        return where(exponential, self.loc - self.scale * survival, falling)

    @property
    def mean(self) -> Tensor:
        finite = self.concentration < 1
        return (self.loc + self.scale / (1 - self.concentration.where(finite, 0.5))).where(finite, nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        finite = self.concentration < 0.5
        k = self.concentration.where(finite, 0.25)
        return (self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k))).where(finite, nan)

    def entropy(self) -> Tensor:
        return broadcast_to(self.scale.log() + self.concentration + 1, self._batch_shape)
