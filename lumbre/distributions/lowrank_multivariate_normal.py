"""The normal distribution of vectors whose covariance is of low rank but for its diagonal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import math

from lumbre import Size, Tensor, broadcast_tensors, diag_embed, linalg
from lumbre.distributions import constraints
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.multivariate_normal import mahalanobis, times_vector
from lumbre.distributions.utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


def _add_identity(matrix: Tensor) -> Tensor:
    """The matrices plus the identity, written into them."""
    matrix.diagonal(0, -2, -1).add_(1)
    return matrix


def capacitance_factor(factor: Tensor, diagonal: Tensor) -> Tensor:
    """The lower Cholesky factor of I + W' D^-1 W."""
    return linalg.cholesky(_add_identity((factor.mT / diagonal.unsqueeze(-2)) @ factor))


class LowRankMultivariateNormal(Distribution):
    """Vectors of mean ``loc`` (..., n) and covariance W W' + D, W = ``cov_factor`` (..., n, m), D = ``cov_diag`` (..., n).

    >>> torch.distributions.LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)).variance
    tensor([2., 2.])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            wide, self.cov_factor, wide_diag = broadcast_tensors(loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1))
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc, self.cov_diag = wide[..., 0], wide_diag[..., 0]
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = capacitance_factor(cov_factor, cov_diag)
        super().__init__(self.loc.shape[:-1], event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LowRankMultivariateNormal:
        shape = tuple(batch_shape) + tuple(self.event_shape)
        return self._expanded(
            LowRankMultivariateNormal,
            batch_shape,
            _instance,
            "",
            loc=self.loc.expand(shape),
            cov_diag=self.cov_diag.expand(shape),
            cov_factor=self.cov_factor.expand((*shape, self.cov_factor.shape[-1])),
            _unbroadcasted_cov_factor=self._unbroadcasted_cov_factor,
            _unbroadcasted_cov_diag=self._unbroadcasted_cov_diag,
            _capacitance_tril=self._capacitance_tril,
        )

    def _spread(self, matrix: Tensor) -> Tensor:
        return matrix.expand(tuple(self._batch_shape) + tuple(self._event_shape) * 2)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        total = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return total.expand(tuple(self._batch_shape) + tuple(self._event_shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of the covariance."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        factor = self._unbroadcasted_cov_factor / root
        return self._spread(root * linalg.cholesky(_add_identity(factor @ factor.mT)))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        factor = self._unbroadcasted_cov_factor
        return self._spread(factor @ factor.mT + diag_embed(self._unbroadcasted_cov_diag))

    def _whitened(self) -> Tensor:
        """C^-1 W' D^-1, C the lower Cholesky factor of the capacitance."""
        weighted = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        return linalg.solve_triangular(self._capacitance_tril, weighted, upper=False)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance, by Woodbury's identity."""
        part = self._whitened()
        return self._spread(diag_embed(self._unbroadcasted_cov_diag.reciprocal()) - part.mT @ part)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        within = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc.dtype)
        apart = standard_normal(shape, self.loc.dtype)
        common = times_vector(self._unbroadcasted_cov_factor, within)
        return self.loc + common + self._unbroadcasted_cov_diag.sqrt() * apart

    def _log_det(self) -> Tensor:
        """The logarithm of the covariance's determinant, by the matrix determinant lemma."""
        inner = self._capacitance_tril.diagonal(0, -2, -1).log().sum(-1)
        return 2 * inner + self._unbroadcasted_cov_diag.log().sum(-1)

    def _mahalanobis(self, difference: Tensor) -> Tensor:
        """d' (W W' + D)^-1 d."""
        weighted = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        apart = (difference.pow(2) / self._unbroadcasted_cov_diag).sum(-1)
        return apart - mahalanobis(self._capacitance_tril, times_vector(weighted, difference))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        distance = self._mahalanobis(value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self) -> Tensor:
        entropy = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return entropy if len(self._batch_shape) == 0 else entropy.expand(self._batch_shape)
