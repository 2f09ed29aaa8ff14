"""The distribution of correlation matrices of Lewandowski, Kurowicka and Joe, by their Cholesky factors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import math

from lumbre import Size, Tensor, arange, cat, diag_embed, mvlgamma, randn
from lumbre.distributions import constraints
from lumbre.distributions.beta import Beta
from lumbre.distributions.distribution import Distribution
from lumbre.distributions.utils import broadcast_all, limits

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lower Cholesky factors of ``dim`` by ``dim`` correlation matrices C of density det(C) ** (``concentration`` - 1).

    >>> torch.distributions.LKJCholesky(3, 0.5).event_shape
    torch.Size([3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        steps = arange(dim - 1, dtype=self.concentration.dtype)
        steps = cat([steps.new_zeros((1,)), steps])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(steps + 0.5, marginal.unsqueeze(-1) - 0.5 * steps)
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LKJCholesky:
        beta = self._beta.expand((*batch_shape, self.dim))
        return self._expanded(LKJCholesky, batch_shape, _instance, "concentration", dim=self.dim, _beta=beta)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        """Draws by the onion method: each row is a direction times the root of a beta variable."""
        squares = self._beta.sample(sample_shape).unsqueeze(-1)
        normals = randn(self._extended_shape(sample_shape), dtype=squares.dtype).tril(-1)
        directions = normals / normals.norm(dim=-1, keepdim=True)
        directions[..., 0, :].fill_(0.0)
        rows = squares.sqrt() * directions
        rest = (1 - (rows**2).sum(-1)).clamp(min=limits(rows.dtype).tiny)
        return rows + diag_embed(rest.sqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - arange(2, self.dim + 1)
        density = (order * value.diagonal(0, -1, -2)[..., 1:].log()).sum(-1)
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        norm = 0.5 * n * math.log(math.pi) + mvlgamma(alpha - 0.5, n) - alpha.lgamma() * n
        return density - norm
