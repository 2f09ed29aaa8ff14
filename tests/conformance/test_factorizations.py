"""Factorizations and the systems solved with them, at sizes around the borders of blocks, against PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre

BOTH = (lumbre, torch)
SIZES = (1, 2, 15, 31, 32, 33, 63, 64, 65, 127, 200, 513)
DTYPES = ("float32", "float64")


def near(n: int, *batch: int, seed: int = 0) -> np.ndarray:
    """Well-conditioned matrices whose rows must be exchanged."""
    random = np.random.default_rng(seed + n)
    a = random.standard_normal((*batch, n, n)) / np.sqrt(n) / 4 + np.eye(n)
    return a[..., random.permutation(n), :]


def numbers(*sizes: int) -> np.ndarray:
    return np.random.default_rng(sum(sizes)).standard_normal(sizes)


def results(function: Any, dtype: str, *arrays: np.ndarray) -> tuple[list, list]:
    found = []
    for library in BOTH:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            each = function(library, *(library.tensor(a, dtype=getattr(library, dtype)) for a in arrays))
        found.append([np.array(r.numpy()) for r in (each if isinstance(each, tuple | list) else (each,))])
    return found[0], found[1]


def agree(function: Any, dtype: str, *arrays: np.ndarray) -> None:
    for ours, theirs in zip(*results(function, dtype, *arrays), strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        if ours.dtype.kind == "i":
            np.testing.assert_array_equal(ours, theirs)
            continue
        largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-30)
        tolerance = 2e-4 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * largest)


SYSTEMS: dict[str, Any] = {
    "lu_factor": lambda t, a, b: t.linalg.lu_factor(a),
    "wide lu_factor": lambda t, a, b: t.linalg.lu_factor_ex(a[: (len(a) + 1) // 2]),
    "tall lu_factor": lambda t, a, b: t.linalg.lu_factor_ex(a[:, : (len(a) + 1) // 2]),
    "solve": lambda t, a, b: t.linalg.solve(a, b),
    "solve a vector": lambda t, a, b: t.linalg.solve(a, b[:, 0]),
    "solve from the right": lambda t, a, b: t.linalg.solve(a, b.mT, left=False),
    "solve of strided": lambda t, a, b: t.linalg.solve(a.mT, b[:, ::2]),
    "solve_ex": lambda t, a, b: t.linalg.solve_ex(a, a),
    "inv": lambda t, a, b: t.linalg.inv(a),
    "det and slogdet": lambda t, a, b: (t.linalg.det(a), *t.linalg.slogdet(a)),
    "lu_solve": lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b),
    "adjoint lu_solve": lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, adjoint=True),
    "lu_solve from the right": lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b.mT, left=False),
    "adjoint lu_solve from the right": lambda t, a, b: t.linalg.lu_solve(
        *t.linalg.lu_factor(a), b.mT, left=False, adjoint=True
    ),
    "out": lambda t, a, b: t.linalg.solve(a, b, out=t.empty_like(b)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_systems(name: str, dtype: str) -> None:
    for n in SIZES:
        agree(SYSTEMS[name], dtype, near(n), numbers(n, 131 if n < 100 else 7))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_triangles(dtype: str, upper: bool, left: bool, unit: bool) -> None:
    for n in SIZES:
        a, b = numbers(n, n) / np.sqrt(n) / 4 + np.eye(n), numbers(n, 70)
        for turned in (False, True):

            def solve(t: Any, a: Any, b: Any, turned: bool = turned) -> Any:
                a, b = (a.mT if turned else a), (b if left else b.mT)
                return t.linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)

            agree(solve, dtype, a, b)


@pytest.mark.parametrize("n", [1, 3, 33, 70])
@pytest.mark.parametrize("name", ["solve", "inv", "det and slogdet", "lu_factor", "lu_solve"])
def test_batches(name: str, n: int) -> None:
    agree(SYSTEMS[name], "float64", near(n, 5, 3), numbers(5, 3, n, 4))
    agree(lambda t, a, b: t.linalg.solve(a[:, :1], b), "float64", near(n, 5, 3), numbers(5, 3, n, 4))
    agree(lambda t, a, b: t.linalg.solve(a, b), "float64", near(n, 40), numbers(n, 4))


@pytest.mark.parametrize("n", [3, 32, 50, 100])
def test_singular(n: int) -> None:
    for zero in {0, n // 2, n - 1}:
        a = np.triu(near(n)) + np.eye(n)
        a[zero, zero:] = 0
        a[zero:, zero] = 0
        agree(lambda t, a: t.linalg.lu_factor_ex(a), "float64", a)
        for name in ("solve", "inv"):
            messages = []
            for library in BOTH:
                with pytest.raises(library.linalg.LinAlgError) as refusal:
                    SYSTEMS[name](library, library.tensor(a), library.ones(n, 1, dtype=library.float64))
                messages.append(str(refusal.value).splitlines()[0])
            assert messages[0] == messages[1]
            agree(lambda t, a: (t.linalg.solve_ex(a, a)[1], t.linalg.inv_ex(a)[1]), "float64", a)
        agree(lambda t, a: t.linalg.det(a), "float64", a)


def test_the_first_of_equal_pivots_is_taken() -> None:
    signs = np.sign(numbers(70, 70))
    agree(lambda t, a: t.linalg.lu_factor(a)[1][:1], "float32", signs)
    for column in range(3):
        a = np.eye(40) * 2 + np.tril(np.full((40, 40), 2.0), -1) * (np.arange(40) == column)
        agree(lambda t, a: t.linalg.lu_factor(a), "float32", a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [(0, 0), (1, 0), (20, 20), (39, 3), (39, 39)])
def test_not_a_number(place: tuple[int, int], dtype: str) -> None:
    a = near(40)
    a[place] = np.nan
    ours, theirs = results(lambda t, a: t.linalg.solve_ex(a, t.ones(40, 1, dtype=a.dtype)), dtype, a)
    assert np.isnan(ours[0]).all() and np.isnan(theirs[0]).all() and ours[1] == theirs[1] == 0


def test_infinities_of_a_singular_triangle() -> None:
    a = np.tril(np.ones((40, 40)))
    a[20, 20] = 0
    ours, theirs = results(
        lambda t, a: t.linalg.solve_triangular(a, t.ones(40, 2, dtype=a.dtype), upper=False), "float32", a
    )
    np.testing.assert_array_equal(np.isfinite(ours[0]), np.isfinite(theirs[0]))


def few_reflectors(t: Any, a: Any) -> Any:
    packed, tau = t.geqrf(a)
    return t.linalg.householder_product(packed, tau[: (len(tau) + 1) // 2])


ORTHOGONAL: dict[str, Any] = {
    "qr": lambda t, a, b: t.linalg.qr(a),
    "tall qr": lambda t, a, b: t.linalg.qr(a[:, : (len(a) + 1) // 2]),
    "complete qr": lambda t, a, b: t.linalg.qr(a[:, : (len(a) + 1) // 2], mode="complete"),
    "wide qr": lambda t, a, b: t.linalg.qr(a[: (len(a) + 1) // 2]),
    "r": lambda t, a, b: t.linalg.qr(a.mT, mode="r")[1],
    "geqrf": lambda t, a, b: t.geqrf(a),
    "householder_product": lambda t, a, b: t.linalg.householder_product(*t.geqrf(a[:, ::2])),
    "householder_product of few": lambda t, a, b: few_reflectors(t, a),
    "lstsq": lambda t, a, b: t.linalg.lstsq(a, b)[:3],
    "tall lstsq": lambda t, a, b: t.linalg.lstsq(a[:, : (len(a) + 1) // 2], b)[:3],
    "lstsq of a vector": lambda t, a, b: t.linalg.lstsq(a, b[:, 0])[:3],
    "gels": lambda t, a, b: t.linalg.lstsq(a[:, : (len(a) + 1) // 2], b, driver="gels")[:2],
    "wide gels": lambda t, a, b: t.linalg.lstsq(a[: (len(a) + 1) // 2], b[: (len(a) + 1) // 2], driver="gels")[:2],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ORTHOGONAL)
def test_reflectors(name: str, dtype: str) -> None:
    for n in SIZES:
        agree(ORTHOGONAL[name], dtype, near(n), numbers(n, 70))


def test_reflectors_in_batches() -> None:
    for name in ("qr", "geqrf", "lstsq"):
        agree(ORTHOGONAL[name], "float64", near(40, 3, 2), numbers(3, 2, 40, 4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e-160, 1e160])
def test_reflectors_of_numbers_whose_squares_are_no_numbers(scale: float, dtype: str) -> None:
    if dtype == "float32" and not 1e-35 < scale < 1e35:
        pytest.skip("not of this dtype")
    agree(lambda t, a: t.linalg.qr(a * scale), dtype, near(40))
    agree(lambda t, a, b: t.linalg.lstsq(a * scale, b * scale)[0], dtype, near(40), numbers(40, 3))


def test_zeros_among_reflectors() -> None:
    a = near(70)
    a[:, 3] = 0
    a[5:, 40] = 0
    agree(lambda t, a: t.linalg.qr(a).R.abs()[:30], "float64", a)
    q, r = lumbre.linalg.qr(lumbre.tensor(a))
    np.testing.assert_allclose((q @ r).numpy(), a, atol=1e-12)
    np.testing.assert_allclose((q.mT @ q).numpy(), np.eye(70), atol=1e-12)
    q, r = lumbre.linalg.qr(lumbre.zeros(40, 40))
    assert lumbre.equal(q, lumbre.eye(40)) and not r.any()


@pytest.mark.parametrize("n", [40, 65])
def test_least_squares_without_full_rank(n: int) -> None:
    a = near(n)
    a[:, n // 2] = a[:, :4].sum(1)
    x, _, rank, _ = lumbre.linalg.lstsq(lumbre.tensor(a), lumbre.tensor(numbers(n, 3)))
    assert rank == n - 1
    expected = np.linalg.lstsq(a, numbers(n, 3), rcond=1e-10)[0]  # the shortest of the solutions
    np.testing.assert_allclose(x.numpy(), expected, atol=1e-8)
    a[:, 3] = 0
    messages = []
    for library in BOTH:
        with pytest.raises(RuntimeError, match="full rank") as refusal:
            library.linalg.lstsq(library.tensor(a), library.ones(n, 1, dtype=library.float64), driver="gels")
        messages.append(str(refusal.value).splitlines()[0])
    assert messages[0] == messages[1]


@pytest.mark.parametrize("n", [65, 300, 513])
def test_threads_give_the_same_bits(n: int) -> None:
    before = lumbre.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            lumbre.set_num_threads(threads)
            a, b = lumbre.tensor(near(n), dtype=lumbre.float32), lumbre.tensor(numbers(n, 300), dtype=lumbre.float32)
            batch = lumbre.tensor(near(24, 40))
            found.append([each for f in SYSTEMS.values() for each in listed(f(lumbre, a, b))])
            found[-1] += [each for f in ORTHOGONAL.values() for each in listed(f(lumbre, a, b))]
            found[-1] += [lumbre.linalg.inv(batch), lumbre.linalg.solve(batch, batch.mT)]
    finally:
        lumbre.set_num_threads(before)
    for others in found[1:]:
        assert all(lumbre.equal(one, other) for one, other in zip(found[0], others, strict=True))


def listed(result: Any) -> list:
    return list(result) if isinstance(result, tuple) else [result]
