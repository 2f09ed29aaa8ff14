"""Distances between pairs of vectors."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules._settings import SettingsModule

Tensor = _C.Tensor
__all__ = ["CosineSimilarity", "PairwiseDistance"]


class _Quiet(SettingsModule):
    def extra_repr(self) -> str:
        return ""


class PairwiseDistance(_Quiet):
    """The p-norm of x1 - x2 + eps along the last dimension."""

    settings = (("norm", 2.0), ("eps", 1e-6), ("keepdim", False))

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p, eps, keepdim)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(_Quiet):
    """The cosine of the angle between x1 and x2 along a dimension."""

    settings = (("dim", 1), ("eps", 1e-8))

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
