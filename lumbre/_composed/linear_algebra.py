"""Linear algebra composed of the engine's factorisations: norms, ranks, pseudo-inverses, functions of matrices."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import _C
from lumbre._composed.statistics import _title
from lumbre._registry import operator

Tensor = _C.Tensor
_f = _C._functions


def _check_matrix(A: Tensor, name: str, parameter: str = "A") -> None:
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor {parameter} must have at least 2 dimensions.")


def _check_square(A: Tensor, name: str) -> None:
    _check_matrix(A, name)
    rows, columns = A.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")


def _check_floating(A: Tensor, name: str) -> None:
    if not A.is_floating_point():
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {_title(A.dtype)}")


def _epsilon(dtype: Any) -> float:
    return 2.0**-52 if dtype is _C.float64 else 2.0**-23


def _tolerances(A: Tensor, atol: Any, rtol: Any, name: str) -> tuple[Tensor, Tensor]:
    """The two tolerances as tensors; the relative one is epsilon times the larger size where none was asked for."""
    for value, label in ((atol, "atol"), (rtol, "rtol")):
        if isinstance(value, Tensor) and not (value.is_floating_point() or value.dtype in (_C.bool, _C.int64)):
            raise RuntimeError(f"{name}: {label} tensor of complex type is not supported.")
    least = atol if isinstance(atol, Tensor) else _f["full"]((), float(atol or 0), dtype=A.dtype)
    if rtol is None:
        ratio = _f["full"]((), _epsilon(A.dtype) * max(A.shape[-2:]), dtype=A.dtype)
        if isinstance(atol, Tensor):
            ratio = _f["where"](atol > 0, _f["zeros"]((), dtype=A.dtype), ratio)
        elif atol:
            ratio = ratio * 0
    else:
        ratio = rtol if isinstance(rtol, Tensor) else _f["full"]((), float(rtol), dtype=A.dtype)
    return least.to(A.dtype), ratio.to(A.dtype)


@operator("linalg.diagonal(A, *, offset=0, dim1=-2, dim2=-1)", method=False)
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view. See torch.diagonal, whose dimensions are the first two.

    >>> torch.linalg.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return A.diagonal(offset, dim1, dim2)


@operator("linalg.pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None, out=None)", method=False)
def linalg_pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverses of matrices (..., m, n): (..., n, m).

    Singular values up to max(atol, rtol times the largest) count as zero; with ``hermitian`` A is taken as symmetric
    and eigenvalues are used. RuntimeError for anything but float32 and float64 matrices.

    >>> torch.linalg.pinv(torch.tensor([[2.], [0.]]))
    tensor([[0.5000, 0.0000]])
    """
    if A.dim() < 2 or A.dtype not in (_C.float32, _C.float64):
        raise RuntimeError(
            f"linalg.pinv({_title(A.dtype)}{{{list(A.shape)}}}): expected a tensor with 2 or more dimensions of float, "
            "double, cfloat or cdouble types"
        )
    if hermitian:
        _check_square(A, "linalg.pinv")
    if A.numel() == 0:
        return A.new_zeros((*A.shape[:-2], A.shape[-1], A.shape[-2])) + A.sum()
    least, ratio = _tolerances(
        A, 0.0 if rcond is not None else atol, rcond if rcond is not None else rtol, "linalg.pinv"
    )
    return _f["_linalg_pinv"](A, least.detach(), ratio.detach(), hermitian)


@operator("pinverse(input, rcond=1e-15)")
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse; see torch.linalg.pinv.

    >>> torch.pinverse(torch.tensor([[4.]]))
    tensor([[0.2500]])
    """
    return linalg_pinv(input, rcond)


@operator(
    "linalg.matrix_rank(input, tol=None, hermitian=False, *, atol=None, rtol=None, out=None)",
    method=False, derivative="none",
)  # fmt: skip
def matrix_rank(
    input: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values exceed max(atol, rtol times the largest), int64.

    >>> torch.linalg.matrix_rank(torch.ones(2, 2))
    tensor(1)
    """
    _check_matrix(input, "torch.linalg.matrix_rank", "input")
    batch = tuple(input.shape[:-2])
    if input.numel() == 0:
        return _f["zeros"](batch, dtype=_C.int64)
    values = _f["linalg.eigvalsh"](input).abs() if hermitian else _f["linalg.svdvals"](input)
    if tol is not None:  # an absolute tolerance alone
        atol, rtol = tol, 0.0
    least, ratio = _tolerances(input, atol, rtol, "torch.linalg.matrix_rank")
    limit = _f["maximum"](least, ratio * values.amax(-1))
    return (values > limit.unsqueeze(-1)).sum(-1)


_MATRIX_NORMS = (1, -1, 2, -2, float("inf"), -float("inf"))


def _largest(values: Tensor, dim: int, keepdim: bool) -> Tensor:
    """The maximum; 0 of nothing, as no norm is less."""
    return values.amax(dim, keepdim) if values.shape[dim] else values.sum(dim, keepdim)


def _two_dims(A: Tensor, dim: Any) -> tuple[int, int]:
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        count = len(dim) if isinstance(dim, (tuple, list)) else 1
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {count}")
    ndim = A.dim()
    for each in dim:
        if not -ndim <= each < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {each})"
            )
    first, second = (each % ndim for each in dim)
    if first == second:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({first}, {second})")
    return first, second


@operator("linalg.matrix_norm(A, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None, out=None)", method=False)
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of matrices: 'fro', 'nuc', 1, -1, 2, -2, inf or -inf.

    >>> torch.linalg.matrix_norm(torch.tensor([[3., 0.], [0., 4.]]), 2)
    tensor(4.)
    """
    _check_matrix(A, "linalg.matrix_norm")
    _check_floating(A, "linalg.matrix_norm")
    first, second = _two_dims(A, dim)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    elif float(ord) not in _MATRIX_NORMS:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return _f["linalg.vector_norm"](A, 2, (first, second), keepdim, dtype=dtype)
    if dtype is not None:
        A = A.to(dtype)
    if ord == "nuc" or abs(ord) == 2:
        values = _f["linalg.svdvals"](A.movedim((first, second), (-2, -1)))
        result = values.sum(-1) if ord == "nuc" else _largest(values, -1, False) if ord > 0 else values.amin(-1)
        if keepdim:
            for axis in sorted((first, second)):
                result = result.unsqueeze(axis)
        return result
    if abs(ord) != 1:
        first, second = second, first
    sums = _f["linalg.vector_norm"](A, 1, (first,), keepdim)
    if not keepdim and first < second:
        second -= 1
    return _largest(sums, second, keepdim) if ord > 0 else sums.amin(second, keepdim)


@operator("linalg.norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None)", method=False)
def linalg_norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A norm of vectors or of matrices, by the number of dimensions that are given.

    >>> torch.linalg.norm(torch.tensor([3., 4.]))
    tensor(5.)
    """
    if dim is not None and isinstance(dim, (tuple, list)) and len(dim) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dim)}")
    if isinstance(dim, int):
        dim = (dim,)
    if dim is None and ord is not None and A.dim() not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.dim()}D."
        )
    matrices = ord is not None and (len(dim) == 2 if dim is not None else A.dim() == 2)
    if matrices or isinstance(ord, str):
        return matrix_norm(A, ord, dim if dim is not None else (0, 1), keepdim, dtype=dtype)
    _check_floating(A, "linalg.vector_norm")
    return _f["linalg.vector_norm"](A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@operator("linalg.cond(A, p=None, *, out=None)", method=False)
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number of matrices in a norm (2 when None): the norm times that of the inverse.

    >>> torch.linalg.cond(torch.tensor([[2., 0.], [0., 1.]]))
    tensor(2.)
    """
    _check_matrix(A, "linalg.cond")
    if p is not None and (p not in ("fro", "nuc") if isinstance(p, str) else float(p) not in _MATRIX_NORMS):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if p is None or (not isinstance(p, str) and abs(p) == 2):
        values = _f["linalg.svdvals"](A)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    _check_square(A, f"linalg.cond(ord={p})")
    if A.shape[-1] == 0:
        return _f["zeros"](tuple(A.shape[:-2]), dtype=A.dtype)
    inverse, info = _f["linalg.inv_ex"](A)
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    return _f["where"](info == 0, result, float("inf"))


@operator("linalg.tensorinv(A, ind=2, *, out=None)", method=False)
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its dimensions after ``ind`` to those before.

    >>> torch.linalg.tensorinv(torch.eye(4).reshape(2, 2, 4)).shape
    torch.Size([4, 2, 2])
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    before, after = A.shape[:ind], A.shape[ind:]
    if before.numel() != after.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), "
            f"but got {after.numel()} != {before.numel()}"
        )
    return _f["linalg.inv"](A.reshape(before.numel(), after.numel())).reshape(*after, *before)


@operator("linalg.tensorsolve(A, B, dims=None, *, out=None)", method=False)
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X of tensordot(A, X, X.ndim) = B; ``dims`` of A are moved to its end first.

    >>> torch.linalg.tensorsolve(torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2))
    tensor([1., 1., 1., 1.])
    """
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    size, solution = B.numel(), A.shape[B.dim() :]
    if solution.numel() != size:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {solution.numel()} != {size}"
        )
    return _f["linalg.solve"](A.reshape(size, solution.numel()), B.reshape(size)).reshape(solution)


# Coefficients of the [7/7] Pade approximant of exp, which float64 accuracy allows up to this 1-norm.
_PADE = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)
_PADE_REACH = 0.95


@operator("linalg.matrix_exp(A)", method=False)
def linalg_matrix_exp(A: Tensor) -> Tensor:
    """The exponentials of square matrices (..., n, n), by scaling, a Pade approximant and repeated squaring.

    >>> torch.linalg.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_floating(A, "linalg.matrix_exp")
    _check_square(A, "linalg.matrix_exp")
    X = A.to(_C.float64)  # each squaring doubles the relative error
    if X.numel() == 0:
        return A.clone()
    largest = float(X.detach().abs().sum(-2).amax())
    if largest != largest or largest == float("inf"):
        return A * float("nan")
    squarings = 0
    while largest > _PADE_REACH:
        largest /= 2
        squarings += 1
    X = X / 2.0**squarings
    eye = _f["eye"](A.shape[-1], dtype=X.dtype)
    X2 = X @ X
    X4 = X2 @ X2
    X6 = X4 @ X2
    c = _PADE
    odd = X @ (X6 * c[7] + X4 * c[5] + X2 * c[3] + eye * c[1])
    even = X6 * c[6] + X4 * c[4] + X2 * c[2] + eye * c[0]
    result = _f["linalg.solve"](even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return result.contiguous().to(A.dtype)


@operator("matrix_exp(input)")
def matrix_exp(input: Tensor) -> Tensor:
    """The exponentials of square matrices; see torch.linalg.matrix_exp.

    >>> torch.matrix_exp(torch.zeros(1, 1))
    tensor([[1.]])
    """
    return linalg_matrix_exp(input)


def _refuse_complex(name: str, symmetric: str) -> NotImplementedError:
    return NotImplementedError(
        f"{name}: the eigenvalues of a general matrix are complex numbers, which Lumbre does not have; "
        f"for symmetric matrices use {symmetric}"
    )


@operator("linalg.eig(A, *, out=None)", method=False, derivative="none")
def eig(A: Tensor) -> Any:
    """Refused: eigenvalues of general matrices are complex. See torch.linalg.eigh for symmetric ones.

    >>> torch.linalg.eigh(torch.eye(2)).eigenvalues
    tensor([1., 1.])
    """
    _check_square(A, "linalg.eig")
    raise _refuse_complex("linalg.eig", "torch.linalg.eigh")


@operator("linalg.eigvals(A, *, out=None)", method=False, derivative="none")
def eigvals(A: Tensor) -> Tensor:
    """Refused: eigenvalues of general matrices are complex. See torch.linalg.eigvalsh for symmetric ones.

    >>> torch.linalg.eigvalsh(torch.eye(2))
    tensor([1., 1.])
    """
    _check_square(A, "linalg.eigvals")
    raise _refuse_complex("linalg.eigvals", "torch.linalg.eigvalsh")


@operator("lu(A, pivot=True, get_infos=False, out=None)")
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """The LU factors, packed, and pivots; with ``get_infos`` also where U has a zero. See torch.linalg.lu_factor.

    >>> torch.lu(torch.eye(2))[1]
    tensor([1, 2], dtype=torch.int32)
    """
    factors = _f["linalg.lu_factor_ex"](A, pivot=pivot, check_errors=not get_infos)
    return tuple(factors) if get_infos else tuple(factors)[:2]


def _rounded(number: Any, dtype: Any) -> Any:
    """A number as an element of the dtype has it."""
    return _f["full"]((), number, dtype=dtype).item()


@operator("addr(input, vec1, vec2, *, beta=1, alpha=1, out=None)", inplace=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (the outer product of two vectors).

    >>> torch.addr(torch.zeros(2, 2), torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    for vector, place in ((vec1, 1), (vec2, 2)):
        if vector.dim() != 1:
            raise RuntimeError(f"addr: Expected 1-D argument vec{place}, but got {vector.dim()}-D")
    size = (vec1.shape[0], vec2.shape[0])
    common = _C.result_type(input, _f["empty"]((0,), dtype=_C.promote_types(vec1.dtype, vec2.dtype)))
    if not common.is_floating_point:
        for value, label in ((beta, "beta"), (alpha, "alpha")):
            if isinstance(value, float):
                raise RuntimeError(
                    "For integral input tensors, argument beta must not be a floating point number."
                    if label == "beta"
                    else "For integral input tensors, argument alpha must not be a floating point number."
                )
    base = input.expand(size)
    product = vec1.unsqueeze(1).to(common) * vec2.to(common)
    if common is _C.bool:
        product = product if alpha else product & False
        return product | base if beta else product
    scaled = product if alpha == 1 else (vec1.to(common) * _rounded(alpha, common)).unsqueeze(1) * vec2.to(common)
    if beta == 0:
        return scaled
    return (base if beta == 1 else base * _rounded(beta, common)) + scaled
