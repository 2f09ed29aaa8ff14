"""Factors of matrices of low rank, found with random projections (Halko, Martinsson and Tropp 2009), and masked indexing."""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions


def _basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that span, nearly, what the ``q`` strongest directions of A span."""
    directions = _f["randn"]((A.shape[-1], q), dtype=A.dtype)
    orthonormal = _f["linalg.qr"]
    Q = orthonormal(A @ directions)[0]
    for _ in range(niter):
        Q = orthonormal(A.mT @ Q)[0]
        Q = orthonormal(A @ Q)[0]
    return Q


@operator("svd_lowrank(A, q=6, niter=2, M=None)", method=False)
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """U, S and V with ``U @ diag(S) @ V.T`` near ``A - M``, of rank ``q`` at most, after ``niter`` rounds.

    >>> torch.svd_lowrank(torch.diag(torch.tensor([3., 2., 0.])), q=2)[1]
    tensor([3.0000, 2.0000])
    """
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    if M is not None:
        A = A - M.broadcast_to(A.shape)
    wide = A.shape[-2] < A.shape[-1]
    if wide:
        A = A.mT
    Q = _basis(A, q, niter)
    U, S, Vh = _f["linalg.svd"](Q.mT @ A, False)
    U, V = Q @ U, Vh.mT
    return (V, S, U) if wide else (U, S, V)


@operator("pca_lowrank(A, q=None, center=True, niter=2)", method=False)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """The principal components of rows: ``svd_lowrank`` of A with its columns centred. ValueError for a ``q`` or
    ``niter`` that cannot be.

    >>> torch.pca_lowrank(torch.tensor([[1., 2.], [3., 6.], [5., 10.]]), q=1)[1]
    tensor([6.3246])
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if not A.dtype.is_floating_point:
        raise ValueError(f"pca_lowrank: input is expected to be floating point, but got {A.dtype}")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


def _inside(input: Tensor, indices: Any) -> tuple:
    """The indices with those outside moved in: what they lead to is masked."""
    return tuple(
        slice(None) if index is None else index.clamp(-size, size - 1)
        for index, size in zip(indices, input.shape, strict=False)
    )


@operator("_unsafe_masked_index(input, mask, indices, fill)", method=False)
def _unsafe_masked_index(input: Tensor, mask: Tensor, indices: Any, fill: float) -> Tensor:
    """``input[indices]`` where the mask is, ``fill`` elsewhere, wherever indices lead there."""
    if input.numel() == 0:
        return _f["where"](mask, input.new_full((), fill), fill)
    return input[_inside(input, indices)].masked_fill(~mask, fill)


@operator("_unsafe_masked_index_put_accumulate(input, mask, indices, values)", method=False)
def _unsafe_masked_index_put_accumulate(input: Tensor, mask: Tensor, indices: Any, values: Tensor) -> Tensor:
    """Adds values at indices where the mask is, in a copy."""
    if input.numel() == 0:
        return input.clone()
    return input.index_put(_inside(input, indices), values.masked_fill(~mask, 0), accumulate=True)
