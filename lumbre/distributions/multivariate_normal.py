"""The normal distribution of vectors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import math

from lumbre import Size, Tensor, broadcast_shapes, eye, linalg
from lumbre.distributions import constraints
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.utils import lazy_property, standard_normal

__all__ = ["MultivariateNormal"]


def given_of(**matrices: Tensor | None) -> list[tuple[str, Tensor]]:
    """Those that are given, with their names."""
    return [(name, matrix) for name, matrix in matrices.items() if matrix is not None]


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The Cholesky factor of the inverse of positive definite matrices."""
    factor = linalg.cholesky(precision.flip((-2, -1)))
    inverse = factor.flip((-2, -1)).mT
    return linalg.solve_triangular(inverse, eye(precision.shape[-1], dtype=precision.dtype), upper=False)


def times_vector(matrix: Tensor, vector: Tensor) -> Tensor:
    """The products of matrices (..., n, m) and vectors (..., m)."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(factor: Tensor, difference: Tensor) -> Tensor:
    """d' (L L')^-1 d for vectors d (..., n) and lower factors L (..., n, n)."""
    batch = broadcast_shapes(factor.shape[:-2], difference.shape[:-1])
    n = difference.shape[-1]
    solved = linalg.solve_triangular(
        factor.expand((*batch, n, n)), difference.expand((*batch, n)).unsqueeze(-1), upper=False
    )
    return solved.squeeze(-1).pow(2).sum(-1)


# The names under which libraries take these from here.
_batch_mv, _batch_mahalanobis, _precision_to_scale_tril = times_vector, mahalanobis, precision_to_scale_tril


class MultivariateNormal(Distribution):
    """Vectors of mean ``loc`` (..., n), by one of a covariance, a precision or a lower Cholesky factor (..., n, n).

    >>> torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)).variance
    tensor([1., 1.])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = given_of(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril)
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given
        if matrix.dim() < 2:
            what = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{what} must be at least two-dimensional, with optional leading batch dimensions")
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        self.loc = loc.expand((*batch, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> MultivariateNormal:
        batch = tuple(batch_shape)
        new = self._get_checked_instance(MultivariateNormal, _instance)
        new.loc = self.loc.expand(batch + tuple(self.event_shape))
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        for name in ("covariance_matrix", "scale_tril", "precision_matrix"):
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(batch + tuple(self.event_shape) * 2))
        return self._expanded(MultivariateNormal, batch_shape, new, "")

    def _spread(self, matrix: Tensor) -> Tensor:
        return matrix.expand(tuple(self._batch_shape) + tuple(self._event_shape) * 2)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of the covariance."""
        return self._spread(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return self._spread(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        factor = self._unbroadcasted_scale_tril
        inverse = linalg.solve_triangular(factor, eye(factor.shape[-1], dtype=factor.dtype), upper=False)
        return self._spread(inverse.mT @ inverse)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand(tuple(self._batch_shape) + tuple(self._event_shape))

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        draws = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + times_vector(self._unbroadcasted_scale_tril, draws)

    def _half_log_det(self) -> Tensor:
        return self._unbroadcasted_scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        distance = mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self) -> Tensor:
        entropy = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
        return entropy if len(self._batch_shape) == 0 else entropy.expand(self._batch_shape)
