"""The F-distribution of Fisher and Snedecor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Size, Tensor, nan
from lumbre.distributions import constraints
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.gamma import Gamma
from lumbre.distributions.utils import broadcast_all, is_number, limits

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The ratio of two chi-squared variables, each divided by its degrees of freedom ``df1`` and ``df2``.

    >>> torch.distributions.FisherSnedecor(1., 4.).mean
    tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        shape = Size() if is_number(df1) and is_number(df2) else self.df1.size()
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> FisherSnedecor:
        gammas = {name: getattr(self, name).expand(batch_shape) for name in ("_gamma1", "_gamma2")}
        return self._expanded(FisherSnedecor, batch_shape, _instance, "df1 df2", **gammas)

    @property
    def mean(self) -> Tensor:
        df2 = self.df2.where(self.df2 > 2, nan)
        return df2 / (df2 - 2)

    @property
    def mode(self) -> Tensor:
        return ((self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)).where(self.df1 > 2, nan)

    @property
    def variance(self) -> Tensor:
        df1, df2 = self.df1, self.df2.where(self.df2 > 4, nan)
        return 2 * df2.pow(2) * (df1 + df2 - 2) / (df1 * (df2 - 2).pow(2) * (df2 - 4))

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        above = self._gamma1.rsample(sample_shape).view(shape)
        below = self._gamma2.rsample(sample_shape).view(shape)
        tiny = limits(below.dtype).tiny
        return (above / below.clamp_(min=tiny)).clamp_(min=tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        half1, half2, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        norm = (half1 + half2).lgamma() - half1.lgamma() - half2.lgamma()
        rising = half1 * ratio.log() + (half1 - 1) * value.log()
        return norm + rising - (half1 + half2) * (ratio * value).log1p()
