"""Sums of products, as users write them: the engine's contractions behind PyTorch's calling forms."""

from __future__ import annotations

from operator import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


def _letters(sublist: Any) -> str:
    """Subscripts given as numbers (0 to 51, or an Ellipsis) as a string."""
    text = ""
    for item in sublist:
        if item is Ellipsis:
            text += "..."
        elif 0 <= item < 52:
            text += chr(ord("A") + item if item < 26 else ord("a") + item - 26)
        else:
            raise RuntimeError(f"einsum(): subscript {item} is not within the valid range [0, 52)")
    return text


@operator("einsum(equation, *operands)", method=False)
def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that an equation in Einstein's convention describes.

    Letters name dimensions; those that the output lacks are summed. An ellipsis stands for any number of dimensions,
    which broadcast. Without ``->`` the output has the letters that occur once, in alphabetical order. Operands and
    subscripts may also come in turn, subscripts as lists of numbers. Raises RuntimeError where sizes do not fit.

    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    if not isinstance(equation, str):
        parts = [equation, *operands]
        tensors = parts[0 : len(parts) // 2 * 2 : 2]
        equation = ",".join(_letters(sublist) for sublist in parts[1 : len(parts) // 2 * 2 : 2])
        if len(parts) % 2:
            equation += "->" + _letters(parts[-1])
        return _f["_einsum"](equation, tensors)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    return _f["_einsum"](equation, operands)


@operator("tensordot(a, b, dims=2, out=None)", method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Contracts dimensions of one tensor with those of another.

    ``dims`` is a number (the last of ``a`` with the first of ``b``) or two lists of dimensions. RuntimeError where
    they do not fit.

    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 4), 1).shape
    torch.Size([2, 4])
    """
    if isinstance(dims, Tensor):
        dims = dims.item() if dims.numel() == 1 else dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return _f["_tensordot"](a, b, tuple(range(-dims, 0)), tuple(range(dims)))
    first, second = dims
    listed = [[each] if isinstance(each, int) else list(each) for each in (first, second)]
    return _f["_tensordot"](a, b, *map(tuple, listed))


@operator("chain_matmul(*matrices, out=None)", method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, from left to right.

    >>> torch.chain_matmul(torch.ones(1, 2), torch.ones(2, 3), torch.ones(3, 1))
    tensor([[6.]])
    """
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    result = matrices[0]
    for matrix in matrices[1:]:
        result = result @ matrix
    return result


@operator("linalg.multi_dot(tensors, *, out=None)", method=False)
def multi_dot(tensors: Any) -> Tensor:
    """The product of two or more matrices; the first and last may be vectors.

    >>> torch.linalg.multi_dot([torch.ones(2), torch.ones(2, 3), torch.ones(3)])
    tensor(6.)
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for position, tensor in enumerate(tensors):
        ends = position in (0, len(tensors) - 1)
        if tensor.dim() != 2 and not (ends and tensor.dim() == 1):
            raise RuntimeError(
                f"multi_dot(): tensor {position} must be {'1D or ' if ends else ''}2D but got {tensor.dim()}D"
            )
    result = tensors[0]
    for tensor in tensors[1:]:
        result = result @ tensor
    return result


@operator("linalg.vecdot(x, y, *, dim=-1, out=None)", method=False)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The dot products of vectors along a dimension.

    >>> torch.linalg.vecdot(torch.ones(2, 3), torch.ones(3))
    tensor([3., 3.])
    """
    return (x * y).sum(dim)


@operator("linalg.matrix_power(A, n, *, out=None)", method=False)
def linalg_matrix_power(A: Tensor, n: int) -> Tensor:
    """A square matrix (or a batch) multiplied with itself n times, by repeated squaring. Negative powers are
    those of the inverse; LinAlgError where there is none.

    >>> torch.linalg.matrix_power(torch.tensor([[1., 1.], [0., 1.]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    n = index(n)
    if A.dim() < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError("linalg.matrix_power: A must be batches of square matrices")
    if n < 0:
        A, n = _f["linalg.inv"](A), -n
    if n == 0:
        return A.clone().copy_(_f["eye"](A.shape[-1], dtype=A.dtype))
    base = A
    while n % 2 == 0:
        base, n = base @ base, n // 2
    result = base
    while n := n // 2:
        base = base @ base
        if n % 2:
            result = result @ base
    return A.clone() if result is A else result


@operator("matrix_power(input, n, *, out=None)")
def matrix_power(input: Tensor, n: int) -> Tensor:
    """A square matrix (or a batch) multiplied with itself n times; see torch.linalg.matrix_power.

    >>> torch.tensor([[1., 1.], [0., 1.]]).matrix_power(3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    return linalg_matrix_power(input, n)
