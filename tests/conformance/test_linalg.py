"""Linear algebra against PyTorch: gradients of both orders, layouts, and the refusals in their words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre

BOTH = (lumbre, torch)
random = np.random.default_rng(0)


def R(*sizes: int) -> np.ndarray:
    return random.standard_normal(sizes)


def psd(n: int, *batch: int) -> np.ndarray:
    a = R(*batch, n, n)
    return a @ a.swapaxes(-1, -2) + np.eye(n)


def sym(x: Any) -> Any:
    return x + x.mT


S, B = R(2, 3, 3), R(2, 3, 2)
GRADIENTS: dict[str, tuple] = {
    "inv": (lambda t, a: t.linalg.inv(a), S),
    "inverse": (lambda t, a: t.inverse(a), S),
    "inv_ex": (lambda t, a: t.linalg.inv_ex(a)[0], S),
    "solve": (lambda t, a, b: t.linalg.solve(a, b), S, B),
    "solver": (lambda t, a, b: t.linalg.solve(a, b, left=False), S, R(2, 2, 3)),
    "solvev": (lambda t, a, b: t.linalg.solve(a, b), S, R(2, 3)),
    "solvev1": (lambda t, a, b: t.linalg.solve(a, b), S, R(3)),
    "solveb": (lambda t, a, b: t.linalg.solve(a, b), S[0], B),
    "tri": (lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True), S, B),
    "tril": (lambda t, a, b: t.linalg.solve_triangular(a, b, upper=False, left=False), S, R(2, 2, 3)),
    "triu": (lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True, unitriangular=True), S, B),
    "chol": (lambda t, a: t.linalg.cholesky(a @ a.mT + t.eye(3, dtype=t.float64)), S),
    "cholu": (lambda t, a: t.linalg.cholesky(sym(a) + 10 * t.eye(3, dtype=t.float64), upper=True), S),
    "tchol": (lambda t, a: t.cholesky(a @ a.mT + t.eye(3, dtype=t.float64)), S),
    "chs": (lambda t, a, b: t.cholesky_solve(b, a.tril()), psd(3, 2), B),
    "chi": (lambda t, a: t.cholesky_inverse(a.tril()), psd(3, 2)),
    "det": (lambda t, a: t.linalg.det(a), S),
    "detz": (lambda t, a: t.linalg.det(a), np.ones((3, 3)) + np.diag([1.0, 0, 0])),
    "slogdet": (lambda t, a: t.linalg.slogdet(a)[1], S),
    "logdet": (lambda t, a: t.logdet(a @ a.mT), S),
    "lu_factor": (lambda t, a: t.linalg.lu_factor(a)[0], S),
    "lu_fw": (lambda t, a: t.linalg.lu_factor(a)[0], R(2, 3, 5)),
    "lu_ft": (lambda t, a: t.linalg.lu_factor(a)[0], R(2, 5, 3)),
    "lu": (lambda t, a: t.linalg.lu(a)[1:], R(5, 3)),
    "lu_solve": (lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b), S, B),
    "lu_solvea": (lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, adjoint=True), S, B),
    "lu_solver": (lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=False), S, R(2, 2, 3)),
    "lu_solvera": (
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=False, adjoint=True),
        S,
        R(2, 2, 3),
    ),
    "qr": (lambda t, a: t.linalg.qr(a), S),
    "qrt": (lambda t, a: t.linalg.qr(a), R(2, 5, 3)),
    "qrw": (lambda t, a: t.linalg.qr(a), R(2, 3, 5)),
    "qrQ": (lambda t, a: t.linalg.qr(a)[0], R(3, 5)),
    "qrR": (lambda t, a: t.linalg.qr(a)[1], R(5, 3)),
    "svdvals": (lambda t, a: t.linalg.svdvals(a), R(2, 3, 5)),
    "eigvalsh": (lambda t, a: t.linalg.eigvalsh(sym(a)), S),
    "nuc": (lambda t, a: t.linalg.matrix_norm(a, "nuc"), R(3, 5)),
    "norm2": (lambda t, a: t.linalg.norm(a, 2), R(3, 5)),
    "pinv": (lambda t, a: t.linalg.pinv(a), R(2, 3, 5)),
    "pinvt": (lambda t, a: t.linalg.pinv(a), R(2, 5, 3)),
    "pinvh": (lambda t, a: t.linalg.pinv(sym(a), hermitian=True), S),
    "lstsq": (lambda t, a, b: t.linalg.lstsq(a, b)[0], R(2, 5, 3), R(2, 5, 2)),
    "lstsqw": (lambda t, a, b: t.linalg.lstsq(a, b)[0], R(2, 3, 5), R(2, 3, 2)),
    "mexp": (lambda t, a: t.linalg.matrix_exp(a), S),
    "mpow": (lambda t, a: t.linalg.matrix_power(a, -2), S),
    "cond": (lambda t, a: t.linalg.cond(a), S),
    "tinv": (lambda t, a: t.linalg.tensorinv(a), R(2, 3, 6)),
    "tsolve": (lambda t, a, b: t.linalg.tensorsolve(a, b), R(2, 3, 6), R(2, 3)),
    "addr": (lambda t, a, b, c: t.addr(a, b, c, beta=0.5, alpha=2), R(3, 4), R(3), R(4)),
    "trisolve": (lambda t, b, a: t.triangular_solve(b, a)[0], B, S),
}
# Only up to signs: the vectors of LAPACK's versions point either way.
UP_TO_SIGN: dict[str, tuple] = {
    "svd": (lambda t, a: t.linalg.svd(a, full_matrices=False), R(2, 3, 5)),
    "svdt": (lambda t, a: t.linalg.svd(a, full_matrices=False), R(2, 5, 3)),
    "svds": (lambda t, a: t.linalg.svd(a), R(2, 3, 3)),
    "svdUo": (lambda t, a: t.linalg.svd(a, full_matrices=False)[0], R(2, 5, 3)),
    "svdV": (lambda t, a: t.linalg.svd(a, full_matrices=False)[2], R(2, 3, 5)),
    "eigh": (lambda t, a: t.linalg.eigh(sym(a)), S),
    "eighv": (lambda t, a: t.linalg.eigh(sym(a))[1], S),
    "tsvd": (lambda t, a: t.svd(a), R(3, 4)),
}


def gradients(library: Any, function: Any, arrays: tuple, absolute: bool) -> list:
    """Of a weighted sum of the results; then of the squares of those gradients."""
    inputs = [library.tensor(a, dtype=library.float64, requires_grad=True) for a in arrays]
    results = function(library, *inputs)
    loss = 0
    for i, each in enumerate(results if isinstance(results, list | tuple) else [results]):
        if not each.requires_grad:
            continue
        weights = library.tensor(np.cos(np.arange(each.numel()) + i).reshape(tuple(each.shape)), dtype=library.float64)
        loss = loss + ((each.abs() if absolute else each) * weights).sum()
    first = library.autograd.grad(loss, inputs, create_graph=True, allow_unused=True)
    total = sum((g * g).sum() for g in first if g is not None)
    second = library.autograd.grad(total, inputs, allow_unused=True) if total.requires_grad else [None] * len(inputs)
    return [None if g is None else np.array(g.detach().numpy()) for g in (*first, *second)]


@pytest.mark.parametrize("name", [*GRADIENTS, *UP_TO_SIGN])
def test_gradients(name: str) -> None:
    function, *arrays = GRADIENTS.get(name) or UP_TO_SIGN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (gradients(library, function, arrays, name in UP_TO_SIGN) for library in BOTH)
    for mine, reference in zip(ours, theirs, strict=True):
        assert (mine is None) == (reference is None)
        if mine is not None:
            np.testing.assert_allclose(mine, reference, rtol=1e-6, atol=1e-8)


def outcome(library: Any, function: Any) -> Any:
    """Sizes, strides and dtypes of the results, or the refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            results = function(library)
        except Exception as error:
            return type(error).__name__, str(error).splitlines()[0]
    if not isinstance(results, tuple):
        results = (results,)
    return [(tuple(r.shape), r.stride(), str(r.dtype).rpartition(".")[2]) for r in results]


def ones(library: Any, *sizes: int, dtype: str = "float32") -> Any:
    return library.ones(*sizes, dtype=getattr(library, dtype))


def square(library: Any) -> Any:
    return library.tensor([[[2.0, 1.0], [1.0, 3.0]], [[4.0, 1.0], [0.5, 1.0]]])


LAYOUTS = {
    "inv": lambda t: t.linalg.inv(square(t)),
    "inv_ex": lambda t: t.linalg.inv_ex(square(t)),
    "det": lambda t: t.det(square(t)),
    "slogdet": lambda t: t.slogdet(square(t)),
    "solve": lambda t: t.linalg.solve(square(t), ones(t, 2, 2, 3)),
    "solve of a vector": lambda t: t.linalg.solve(square(t)[0], ones(t, 2)),
    "solve from the right": lambda t: t.linalg.solve(square(t), ones(t, 2, 3, 2), left=False),
    "solve_triangular": lambda t: t.linalg.solve_triangular(square(t), ones(t, 2, 2, 3), upper=True),
    "lu_factor": lambda t: t.linalg.lu_factor(square(t)),
    "lu": lambda t: t.linalg.lu(square(t)),
    "cholesky": lambda t: t.linalg.cholesky(square(t)[0]),
    "qr": lambda t: t.linalg.qr(ones(t, 2, 3, 4)),
    "complete qr": lambda t: t.linalg.qr(ones(t, 2, 4, 3), mode="complete"),
    "r": lambda t: t.linalg.qr(ones(t, 2, 3, 4), mode="r"),
    "svd": lambda t: t.linalg.svd(ones(t, 2, 3, 4)),
    "reduced svd": lambda t: t.linalg.svd(ones(t, 2, 3, 4), full_matrices=False),
    "old svd": lambda t: t.svd(ones(t, 2, 3, 4)),
    "eigh": lambda t: t.linalg.eigh(square(t)),
    "lstsq": lambda t: t.linalg.lstsq(ones(t, 2, 3, 4), ones(t, 2, 3, 2)),
    "lstsq by gelsd": lambda t: t.linalg.lstsq(ones(t, 4, 3), ones(t, 4, 2), driver="gelsd"),
    "lstsq of a vector": lambda t: t.linalg.lstsq(ones(t, 4, 3), ones(t, 4)),
    "pinv": lambda t: t.linalg.pinv(ones(t, 2, 3, 4)),
    "matrix_exp": lambda t: t.linalg.matrix_exp(square(t)),
    "ldl_factor": lambda t: t.linalg.ldl_factor(square(t)),
    "geqrf": lambda t: t.geqrf(ones(t, 2, 3, 4)),
    "empty inverse": lambda t: t.linalg.inv(t.ones(0, 0)),
    "empty svd": lambda t: t.linalg.svd(t.ones(0, 3)),
    "empty qr": lambda t: t.linalg.qr(t.ones(3, 0)),
    "empty batch": lambda t: t.linalg.solve(t.ones(0, 2, 2), t.ones(0, 2, 1)),
}
REFUSALS = {
    "singular": lambda t: t.linalg.inv(t.zeros(2, 2)),
    "singular in a batch": lambda t: t.linalg.inv(t.stack([t.eye(2), t.zeros(2, 2)])),
    "singular system": lambda t: t.linalg.solve(t.zeros(2, 2), t.zeros(2, 2)),
    "singular system in a batch": lambda t: t.linalg.solve(t.stack([t.eye(2), t.zeros(2, 2)]), ones(t, 2, 2, 1)),
    "checked inv_ex": lambda t: t.linalg.inv_ex(t.zeros(2, 2), check_errors=True),
    "checked solve_ex": lambda t: t.linalg.solve_ex(t.zeros(2, 2), t.zeros(2, 2), check_errors=True),
    "checked cholesky_ex": lambda t: t.linalg.cholesky_ex(-t.eye(2), check_errors=True),
    "not positive": lambda t: t.linalg.cholesky(-t.eye(3)),
    "not positive in a batch": lambda t: t.linalg.cholesky(t.stack([t.eye(2), t.zeros(2, 2)])),
    "old cholesky": lambda t: t.cholesky(-t.eye(3)),
    "negative power of a singular": lambda t: t.linalg.matrix_power(t.zeros(2, 2), -1),
    "not finite": lambda t: t.linalg.svd(t.full((2, 2), float("nan"))),
    "zero pivot": lambda t: t.linalg.lu_factor(t.zeros(2, 2)),
    "no pivoting": lambda t: t.linalg.lu_factor(square(t), pivot=False),
    "not square": lambda t: t.linalg.inv(ones(t, 3, 4)),
    "not square for det": lambda t: t.linalg.det(ones(t, 3, 4)),
    "not square for eigh": lambda t: t.linalg.eigh(ones(t, 3, 4)),
    "not square for matrix_exp": lambda t: t.linalg.matrix_exp(ones(t, 3, 4)),
    "a vector": lambda t: t.linalg.svd(ones(t, 2)),
    "a vector for lu": lambda t: t.linalg.lu_factor(ones(t, 3)),
    "integers": lambda t: t.linalg.inv(ones(t, 2, 2, dtype="int64")),
    "half": lambda t: t.linalg.inv(ones(t, 2, 2, dtype="float16")),
    "integers for pinv": lambda t: t.linalg.pinv(ones(t, 2, 2, dtype="int64")),
    "other sizes": lambda t: t.linalg.solve(square(t), ones(t, 4, 2)),
    "other sizes, triangular": lambda t: t.linalg.solve_triangular(square(t), ones(t, 2, 3, 2), upper=True),
    "other dtypes": lambda t: t.linalg.solve(square(t), ones(t, 2, 2, dtype="float64")),
    "no such mode": lambda t: t.linalg.qr(square(t), mode="x"),
    "no such triangle": lambda t: t.linalg.eigh(square(t), UPLO="X"),
    "no such driver": lambda t: t.linalg.lstsq(square(t), square(t), driver="x"),
    "no such norm": lambda t: t.linalg.matrix_norm(square(t), "x"),
    "no such order": lambda t: t.linalg.matrix_norm(square(t), 3),
    "no such condition": lambda t: t.linalg.cond(square(t), 7),
    "norm of three dimensions": lambda t: t.linalg.norm(ones(t, 2, 2, 2), 2),
    "norm of integers": lambda t: t.linalg.norm(ones(t, 2, dtype="int64")),
    "pivots of another dtype": lambda t: t.linalg.lu_solve(square(t), ones(t, 2, 2), square(t)),
    "wide reflectors": lambda t: t.linalg.householder_product(ones(t, 3, 4), ones(t, 4)),
    "tensorinv": lambda t: t.linalg.tensorinv(ones(t, 2, 3, 4)),
    "tensorinv of nothing": lambda t: t.linalg.tensorinv(ones(t, 2, 2), 0),
    "tensorsolve": lambda t: t.linalg.tensorsolve(ones(t, 2, 3, 4), ones(t, 2, 3, 2)),
    "cholesky_solve": lambda t: t.cholesky_solve(ones(t, 3, 2), t.eye(4)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    ours, theirs = (outcome(library, LAYOUTS[name]) for library in BOTH)
    assert ours == theirs


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str) -> None:
    ours, theirs = (outcome(library, REFUSALS[name]) for library in BOTH)
    assert isinstance(theirs, tuple), "PyTorch takes it"
    assert ours == theirs


def test_error_class() -> None:
    assert issubclass(lumbre.linalg.LinAlgError, RuntimeError)
    with pytest.raises(lumbre.linalg.LinAlgError):
        lumbre.linalg.inv(lumbre.zeros(1, 1))


@pytest.mark.parametrize("name", ["eig", "eigvals"])
def test_complex_results_are_refused(name: str) -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        getattr(lumbre.linalg, name)(lumbre.eye(2))


def test_pivots_are_checked_before_memory_is_touched() -> None:
    wild = lumbre.tensor([1000000, -5], dtype=lumbre.int32)
    for call in (
        lambda: lumbre.linalg.lu_solve(lumbre.eye(2), wild, lumbre.ones(2, 1)),
        lambda: lumbre.lu_unpack(lumbre.eye(2), wild),
        lambda: lumbre.linalg.ldl_solve(lumbre.eye(2), wild, lumbre.ones(2, 1)),
    ):
        with pytest.raises(RuntimeError):
            call()


@pytest.mark.parametrize("n", [0, 1, 2, 5, -1, -3, 2.5, "2"])
def test_matrix_power_is_a_method_too(n):
    found = []
    for library in (lumbre, torch):
        a = library.tensor(
            [[[2.0, 1.0], [1.0, 1.0]], [[0.5, 0.0], [3.0, 4.0]]], dtype=library.float64, requires_grad=True
        )
        try:
            result = a.matrix_power(n)
            assert result.tolist() == library.matrix_power(a, n).tolist()
            result.sum().backward()
            found.append([result.tolist(), a.grad.tolist()])
        except Exception as error:
            found.append(type(error))
    if isinstance(found[1], list):
        for ours, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    else:
        assert found[0] is found[1]
