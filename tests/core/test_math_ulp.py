"""core/kernels/math.h and convert.h, compiled for every instruction set of this machine, against higher precision."""

import ctypes
import operator
import platform
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")
ROOT = Path(__file__).resolve().parents[2]
LEVELS = {
    "v2": (["-march=x86-64-v2"], {"ssse3", "sse4_1", "sse4_2", "popcnt"}),
    "v3": (["-march=x86-64-v3"], {"avx2", "fma", "bmi2", "f16c"}),
    "v4": (["-march=x86-64-v4", "-mprefer-vector-width=512"], {"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
}
FLAGS = ["-std=c++20", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fPIC", "-shared"]
CTYPES = {np.float32: "f32", np.float64: "f64"}
FLOATS = [np.float32, np.float64]
Array = np.ndarray


def levels() -> list[str]:
    if platform.machine() not in ("x86_64", "AMD64") or not shutil.which("g++"):
        return []
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return [name for name, (_, needs) in LEVELS.items() if needs <= flags]


class Library:
    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def __call__(self, name: str, dtype: type, *inputs: Array) -> Array:
        arrays = [np.ascontiguousarray(a, dtype) for a in np.broadcast_arrays(*inputs)]
        out = np.empty_like(arrays[0])
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in [out, *arrays]]
        getattr(self.library, f"{name}_{CTYPES[dtype]}")(*pointers, ctypes.c_int64(out.size))
        return out


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Library]:
    folder = tmp_path_factory.mktemp("math")

    def build(level: str) -> Library:
        path = folder / f"{level}.so"
        defines = [f"-DLB_LEVEL={level}", "-DLB_LEVEL_NUMBER=0", "-DLB_LEVEL_COUNT=1", f"-I{ROOT / 'core'}"]
        source = str(ROOT / "tests/core/math_harness.cc")
        subprocess.run(["g++", *FLAGS, *LEVELS[level][0], *defines, source, "-o", str(path)], check=True)
        return Library(path)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(levels(), pool.map(build, levels()), strict=True))


@pytest.fixture(params=levels())
def library(request: pytest.FixtureRequest, libraries: dict[str, Library]) -> Library:
    return libraries[request.param]


@pytest.mark.parametrize("level", [name for name in levels() if name != "v2"])
def test_elementary_loops_are_vectorised(level: str) -> None:
    source = ROOT / "tests/core/math_harness.cc"
    expected: Counter[str] = Counter()
    inside = False
    for number, line in enumerate(source.read_text().splitlines(), 1):
        inside = (inside or line.startswith("// Those that vectorise")) and bool(line)
        for use in re.finditer(r"(UNARY|BINARY|BINARY_OF)\(", line if inside else ""):
            expected[f"{number}:{use.start() + 1}"] += 1 if use[1].endswith("_OF") else 2
    assert len(expected) > 30
    width = "64" if level == "v4" else "32"
    defines = [f"-DLB_LEVEL={level}", "-DLB_LEVEL_NUMBER=0", "-DLB_LEVEL_COUNT=1", f"-I{ROOT / 'core'}"]
    command = ["g++", *FLAGS, *LEVELS[level][0], *defines, "-fopt-info-vec-optimized", str(source), "-o", "/dev/null"]
    notes = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = Counter(re.findall(rf"math_harness.cc:(\d+:\d+): optimized: loop vectorized using {width} byte", notes))
    assert {at: n for at, n in expected.items() if found[at] < n} == {}


def by_mpmath(formula: str | Callable) -> Callable[[Array], Array]:
    import mpmath

    def reference(x: Array) -> Array:
        values = []
        with mpmath.workprec(100):
            for v in x.astype(np.float64):
                exact = mpmath.mpf(float(v))
                y = getattr(mpmath, formula)(exact) if isinstance(formula, str) else formula(mpmath, exact)
                high = float(y)
                values.append(np.longdouble(high) + np.longdouble(float(y - high)))
        return np.array(values, np.longdouble)

    return reference


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def log_points(low: float, high: float, both: bool = False) -> Callable[[np.random.Generator, int], Array]:
    def points(rng: np.random.Generator, n: int) -> Array:
        x = np.exp2(rng.uniform(low, high, n))
        return x * rng.choice([-1, 1], n) if both else x

    return points


def even(low: float, high: float) -> Callable[[np.random.Generator, int], Array]:
    return lambda rng, n: rng.uniform(low, high, n)


# Name, reference (in long double), points for float32, points for float64, budgets in units in the last place.
ROWS = [
    ("exp", np.exp, [even(-104, 89), even(-1, 1)], [even(-746, 710), even(-1, 1)], 1.5, 1.5),
    ("exp2", np.exp2, [even(-150, 128), even(-1, 1)], [even(-1075, 1024)], 1.5, 1.5),
    ("expm1", np.expm1, [even(-20, 89), even(-1, 1), log_points(-149, 0, True)],
     [even(-40, 710), even(-1.5, 1.5), log_points(-1070, 0, True)], 2, 2),
    ("log", np.log, [log_points(-149, 128), even(0.5, 2)], [log_points(-1074, 1024), even(0.5, 2)], 1.5, 1.5),
    ("log2", np.log2, [log_points(-149, 128), even(0.5, 2)], [log_points(-1074, 1024), even(0.5, 2)], 2, 2),
    ("log10", np.log10, [log_points(-149, 128), even(0.5, 2)], [log_points(-1074, 1024), even(0.5, 2)], 2, 2),
    ("log1p", np.log1p, [log_points(-149, 128), even(-1, 2)], [log_points(-1074, 1024), even(-1, 2)], 2, 2),
    ("sin", np.sin, [even(-10, 10), even(-1e6, 1e6), log_points(-149, 128, True)],
     [even(-10, 10), even(-1e6, 1e6), log_points(-1074, 1024, True)], 1.5, 1.5),
    ("cos", np.cos, [even(-10, 10), even(-1e6, 1e6), log_points(-149, 128, True)],
     [even(-10, 10), even(-1e6, 1e6), log_points(-1074, 1024, True)], 1.5, 1.5),
    ("tan", np.tan, [even(-10, 10), even(-1e6, 1e6), log_points(-149, 128, True)],
     [even(-10, 10), even(-1e6, 1e6), log_points(-1074, 1024, True)], 2, 2),
    ("asin", np.arcsin, [even(-1, 1), log_points(-149, 0, True)], [even(-1, 1), log_points(-1074, 0, True)], 2, 2),
    ("acos", np.arccos, [even(-1, 1), log_points(-149, 0, True)], [even(-1, 1), log_points(-1074, 0, True)], 2, 2),
    ("atan", np.arctan, [even(-3, 3), log_points(-149, 128, True)], [even(-3, 3), log_points(-1074, 1024, True)], 2, 2),
    ("sinh", np.sinh, [even(-90, 90), even(-2, 2), log_points(-149, 0, True)],
     [even(-711, 711), even(-2, 2), log_points(-1074, 0, True)], 2, 2),
    ("cosh", np.cosh, [even(-90, 90), even(-2, 2)], [even(-711, 711), even(-2, 2)], 2, 2),
    ("tanh", np.tanh, [even(-10, 10), even(-1, 1), log_points(-149, 0, True)],
     [even(-20, 20), even(-1, 1), log_points(-1074, 0, True)], 2, 2),
    ("asinh", np.arcsinh, [even(-3, 3), log_points(-149, 128, True)], [even(-3, 3), log_points(-1074, 1024, True)],
     1, 4),
    ("acosh", np.arccosh, [even(1, 3), log_points(0, 128)], [even(1, 3), log_points(0, 1024)], 1, 4),
    ("atanh", np.arctanh, [even(-1, 1), log_points(-149, 0, True)], [even(-1, 1), log_points(-1074, 0, True)], 1, 4),
    ("sigmoid", sigmoid, [even(-104, 30), even(-3, 3)], [even(-740, 40), even(-3, 3)], 2, 2),
]  # fmt: skip


def ulps(got: Array, exact: Array, dtype: type) -> float:
    """The largest error in units of the last place of the exact value; infinite where one is finite and one is not."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        spacing = np.spacing(np.minimum(np.abs(rounded), info.max)).astype(np.longdouble)
        error = np.abs(got.astype(np.longdouble) - exact) / spacing
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    # A value within half a unit of overflow may go either way.
    same |= np.isinf(got) & (np.abs(exact) >= info.max)
    return float(np.max(np.where(same & ~np.isfinite(error), 0, np.where(np.isnan(error), np.inf, error))))


def report(name: str, x: tuple[Array, ...], got: Array, exact: Array, dtype: type, budget: float) -> None:
    worst = ulps(got, exact, dtype)
    if worst > budget:
        each = [ulps(got[i : i + 1], exact[i : i + 1], dtype) for i in range(len(got))]
        i = int(np.argmax(each))
        pytest.fail(f"{name}: {worst:.3g} ulp at {[v[i] for v in x]}: {got[i]!r}, exactly {exact[i]!r}")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_error_in_units_of_the_last_place(library: Library, row: tuple, dtype: type) -> None:
    name, reference, single, double, budget32, budget64 = row
    rng = np.random.default_rng(20)
    for points in single if dtype is np.float32 else double:
        x = points(rng, 50_000).astype(dtype)
        with np.errstate(all="ignore"):
            exact = reference(x.astype(np.longdouble))
        report(name, (x,), library(name, dtype, x), exact, dtype, budget32 if dtype is np.float32 else budget64)


# Name, mpmath's formula, points, and the budget in units in the last place: one, or that of float32 and of float64.
BY_MPMATH = [
    ("erf", "erf", [even(-6, 6), even(-1.3, 1.3), log_points(-140, 0)], (2, 2.5)),
    ("erfc", "erfc", [even(-6, 6), even(6, 9), log_points(-100, 0, True)], 6),
    ("erfinv", "erfinv", [even(-1, 1), log_points(-100, 0, True)], 6),
    ("ndtr", lambda mp, x: mp.erfc(-x / mp.sqrt(2)) / 2, [even(-12, 6)], 6),
    ("i0", lambda mp, x: mp.besseli(0, x), [even(-9, 9), even(9, 80)], 5),
    ("i1", lambda mp, x: mp.besseli(1, x), [even(-9, 9), even(9, 80)], 5),
    ("modified_bessel_k0", lambda mp, x: mp.besselk(0, x), [even(0, 3), even(3, 80), log_points(-149, 0)], 14),
    ("modified_bessel_k1", lambda mp, x: mp.besselk(1, x), [even(0, 3), even(3, 80)], 6),
    ("trigamma", lambda mp, x: mp.psi(1, x), [even(0.01, 20), even(-4, 0)], 8),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("row", BY_MPMATH, ids=lambda row: row[0])
def test_error_by_mpmath(library: Library, row: tuple, dtype: type) -> None:
    name, formula, points, budget = row
    rng = np.random.default_rng(21)
    x = np.concatenate([p(rng, 300) for p in points]).astype(dtype)
    if isinstance(budget, tuple):
        budget = budget[dtype is np.float64]
    report(name, (x,), library(name, dtype, x), by_mpmath(formula)(x), dtype, budget)


def test_pow_and_atan2(library: Library) -> None:
    rng = np.random.default_rng(22)
    for dtype, top in ((np.float32, 127), (np.float64, 1000)):
        x = np.exp2(rng.uniform(-top, top, 50_000)).astype(dtype)
        y = (rng.uniform(-top, top, 50_000) / np.abs(np.log2(x))).astype(dtype)
        with np.errstate(all="ignore"):
            exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
        report("pow", (x, y), library("pow", dtype, x, y), exact, dtype, 1 if dtype is np.float32 else 1.1)
        y, x = (np.exp2(rng.uniform(-20, 20, 50_000)) * rng.choice([-1, 1], 50_000) for _ in range(2))
        y, x = y.astype(dtype), x.astype(dtype)
        exact = np.arctan2(y.astype(np.longdouble), x.astype(np.longdouble))
        report("atan2", (y, x), library("atan2", dtype, y, x), exact, dtype, 2)
        exact = np.hypot(y.astype(np.longdouble), x.astype(np.longdouble))
        report("hypot", (y, x), library("hypot", dtype, y, x), exact, dtype, 1)


INF, NAN = float("inf"), float("nan")
SPECIALS = [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e30, -1e30, 1e-30, -1e-30, 1e-42,
            89, -1000, 88.722839, -87.5, -103.5, 2.5, 1e6, 710, -745, 127.5, -149]  # fmt: skip
SPECIAL_UNARY = {
    **{row[0]: row[1] for row in ROWS},
    "erf": special.erf, "erfc": special.erfc, "erfinv": special.erfinv, "ndtri": special.ndtri, "ndtr": special.ndtr,
    "sinc": np.sinc, "logit": special.logit, "entr": special.entr, "log1pexp": lambda x: np.logaddexp(0, x),
}  # fmt: skip


def same_specials(name: str, got: Array, want: Array, x: tuple[Array, ...], rtol: float) -> None:
    with np.errstate(all="ignore"):
        close = np.isclose(got, want.astype(got.dtype), rtol=rtol, atol=0, equal_nan=True)
    close &= (np.signbit(got) == np.signbit(want)) | np.isnan(got)
    bad = np.flatnonzero(~close)
    assert not len(bad), [(name, [v[i] for v in x], got[i], want[i]) for i in bad]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", SPECIAL_UNARY)
def test_special_values(library: Library, name: str, dtype: type) -> None:
    x = np.array(SPECIALS, dtype)
    with np.errstate(all="ignore"):
        wide = np.longdouble if SPECIAL_UNARY[name] in [row[1] for row in ROWS] else np.float64
        want = SPECIAL_UNARY[name](x.astype(wide)).astype(dtype)
    if name == "erfinv":
        want = np.copysign(want, x)  # scipy loses the sign of -0
    if name == "sinc":  # sin(pi x) / (pi x) of the rounded pi x, as PyTorch
        x, want = x[np.abs(x) <= 1], want[np.abs(x) <= 1]
        want = np.where(np.abs(x) == 1, library(name, dtype, x), want)
    same_specials(name, library(name, dtype, x), want, (x,), 1e-5 if dtype is np.float32 else 1e-12)


# Where PyTorch's answer is the right one (its sinh and cosh overflow early, its gelu of infinity is NaN).
TORCH_UNARY = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "sigmoid",
    "erf",
    "rsqrt",
    "logit",
    "special.entr",
    "erfc",
    "erfinv",
    "special.ndtr",
    "special.ndtri",
    "special.log_ndtr",
    "lgamma",
    "digamma",
    "sinc",
    "i0",
    "special.i0e",
    "special.i1",
    "special.i1e",
    "special.airy_ai",
    "special.spherical_bessel_j0",
    "special.modified_bessel_i0",
    "special.modified_bessel_i1",
    "special.modified_bessel_k0",
    "special.modified_bessel_k1",
    "special.scaled_modified_bessel_k0",
    "special.scaled_modified_bessel_k1",
]
SAME_LOOP = {"special.modified_bessel_i0": "i0", "special.modified_bessel_i1": "i1"}
TORCH_BINARY = [
    "pow",
    "atan2",
    "hypot",
    "xlogy",
    "special.xlog1py",
    "logaddexp",
    "logaddexp2",
    "special.zeta",
    "special.hermite_polynomial_he",
    "special.chebyshev_polynomial_t",
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TORCH_UNARY + TORCH_BINARY)
def test_special_values_equal_pytorch(library: Library, name: str, dtype: type) -> None:
    torch = pytest.importorskip("torch")
    function = operator.attrgetter(name)(torch)
    values = np.array([*SPECIALS, -7.5, 10, -50], dtype)
    if name == "special.airy_ai":  # far out its phase has no digits left
        values = values[~(np.abs(values) >= 100)]
    if name == "special.zeta":
        values = values[~(np.abs(values) >= 1e6) & ~(np.abs(values) < 1e-35)]
    args = (values,)
    if name in TORCH_BINARY:
        right = np.array([-1, 0, 1, 3, 9], dtype) if "polynomial" in name else values
        args = tuple(v.ravel() for v in np.meshgrid(values, right))
    want = function(*(torch.from_numpy(a) for a in args)).numpy()
    got = library(SAME_LOOP.get(name, name.removeprefix("special.")), dtype, *args)
    rtol, atol = (1.3e-6, 1e-5) if dtype is np.float32 else (1e-7, 1e-7)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
    zeros = (got == 0) & (want == 0)
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["pow", "atan2", "hypot", "xlogy", "xlog1py", "logaddexp", "logaddexp2"])
def test_special_pairs(library: Library, name: str, dtype: type) -> None:
    reference = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot, "logaddexp": np.logaddexp,
                 "logaddexp2": np.logaddexp2, "xlogy": special.xlogy, "xlog1py": special.xlog1py}[name]  # fmt: skip
    a, b = (v.ravel() for v in np.meshgrid(np.array(SPECIALS, dtype), np.array(SPECIALS, dtype)))
    with np.errstate(all="ignore"):
        want = reference(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
    got = library(name, dtype, a, b)
    same_specials(name, got + 0 if "log" in name else got, want + 0 if "log" in name else want, (a, b), 1e-5)


# To PyTorch's tolerances: name, points.
WIDE_UNARY = {
    "erfcx": even(-20, 100), "erfinv": even(-1, 1), "ndtr": even(-30, 9), "ndtri": even(0, 1),
    "log_ndtr": even(-100, 10),
    "digamma": even(-20, 100), "lgamma": even(-20, 100), "i0": even(-80, 80), "i0e": even(-200, 200),
    "i1": even(-80, 80), "i1e": even(-200, 200), "bessel_j0": even(-50, 50), "bessel_j1": even(-50, 50),
    "bessel_y0": even(-1, 50), "bessel_y1": even(-1, 50), "modified_bessel_k0": even(0, 40),
    "modified_bessel_k1": even(0, 40), "scaled_modified_bessel_k0": even(0, 400), "erfc": even(-5, 9),
    "scaled_modified_bessel_k1": even(0, 400), "spherical_bessel_j0": even(-20, 20), "airy_ai": even(-100, 30),
}  # fmt: skip
SCIPY = {
    "lgamma": special.gammaln, "digamma": special.psi, "bessel_j0": special.j0, "bessel_j1": special.j1,
    "bessel_y0": special.y0, "bessel_y1": special.y1, "modified_bessel_k0": special.k0,
    "modified_bessel_k1": special.k1,
    "scaled_modified_bessel_k0": special.k0e, "scaled_modified_bessel_k1": special.k1e,
    "spherical_bessel_j0": lambda x: special.spherical_jn(0, x), "airy_ai": lambda x: special.airy(x)[0],
    "igamma": special.gammainc, "igammac": special.gammaincc,
}  # fmt: skip


def close(got: Array, want: Array, dtype: type, atol: float = 0) -> None:
    rtol = 2e-6 if dtype is np.float32 else 1e-10
    np.testing.assert_allclose(got, want.astype(dtype), rtol=rtol, atol=max(atol, np.finfo(dtype).tiny * rtol))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", WIDE_UNARY)
def test_scalar_function(library: Library, name: str, dtype: type) -> None:
    x = WIDE_UNARY[name](np.random.default_rng(23), 4000).astype(dtype)
    with np.errstate(all="ignore"):
        want = (SCIPY.get(name) or getattr(special, name))(x.astype(np.float64))
    oscillates = name in ("digamma", "lgamma") or name.startswith(("bessel", "spherical", "airy"))
    atol = (1e-7 if dtype is np.float32 else 1e-14) if oscillates else 0
    close(library(name, dtype, x), want, dtype, atol)


@pytest.mark.parametrize("dtype", FLOATS)
def test_incomplete_gamma(library: Library, dtype: type) -> None:
    rng = np.random.default_rng(24)
    for scale in (1, 30, 1000, 3e5):
        a = rng.uniform(0, scale, 1000).astype(dtype)
        near = (a + rng.normal(size=1000) * 3 * np.sqrt(a)).astype(dtype)
        for x in (np.abs(near), rng.uniform(0, scale, 1000).astype(dtype)):
            for name in ("igamma", "igammac"):
                want = SCIPY[name](a.astype(np.float64), x.astype(np.float64))
                got = library(name, dtype, a, x)
                rtol = 1e-5 if dtype is np.float32 else 1e-9
                np.testing.assert_allclose(got, want.astype(dtype), rtol=rtol, atol=1e-30)


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeta_and_polygamma(library: Library, dtype: type) -> None:
    rng = np.random.default_rng(25)
    s, q = rng.uniform(1, 20, 2000).astype(dtype), rng.uniform(0, 50, 2000).astype(dtype)
    close(library("zeta", dtype, s, q), special.zeta(s.astype(np.float64), q.astype(np.float64)), dtype)
    for n in range(5):
        x = rng.uniform(0, 50, 500).astype(dtype)
        close(library("polygamma", dtype, n, x), special.polygamma(n, x.astype(np.float64)), dtype, 1e-7)


def test_float_trig_at_every_huge_exponent(library: Library) -> None:
    """Doubles nearest to multiples of pi/2, where the reduced argument is smallest."""
    import mpmath

    x = []
    with mpmath.workprec(1200):
        for e in range(18, 1020, 7):
            k = mpmath.floor(mpmath.mpf(2) ** e / mpmath.pi * 2 * mpmath.mpf("1.23"))
            x.append(float(k * mpmath.pi / 2))
        x.append(6381956970095103.0 * 2.0**797)  # the worst double (Kahan)
        exact = {f: [getattr(mpmath, f)(mpmath.mpf(v)) for v in x] for f in ("sin", "cos", "tan")}
        for f, values in exact.items():
            wide = np.array([np.longdouble(float(v)) + np.longdouble(float(v - float(v))) for v in values])
            report(f, (np.array(x),), library(f, np.float64, np.array(x)), wide, np.float64, 2)


def test_trig_in_place_with_one_huge_element(library: Library) -> None:
    x = np.linspace(-3, 3, 1500).astype(np.float32)
    x[700] = 1e30
    y = x.copy()
    pointer = y.ctypes.data_as(ctypes.c_void_p)
    library.library.sin_f32(pointer, pointer, ctypes.c_int64(y.size))
    np.testing.assert_allclose(y, np.sin(x.astype(np.float64)), rtol=1e-6, atol=1e-7)


DTYPES = [np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, None, np.float32, np.float64]


def convert(library: Library, x: Array, source: int, target: int) -> Array:
    out = np.empty(x.shape, DTYPES[target] or np.uint16)
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (out, x)]
    assert library.library.convert_dtypes(target, pointers[0], source, pointers[1], ctypes.c_int64(x.size))
    return out


@pytest.mark.parametrize("source", range(10))
def test_conversions_equal_pytorch(library: Library, source: int) -> None:
    torch = pytest.importorskip("torch")
    kinds = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
             torch.float32, torch.float64]  # fmt: skip
    edges = [*SPECIALS, 300.7, 255.9, -300.0, 3e9, -3e9, 5e9, 1e19, -1e19, 2.0**31, -(2.0**31), -(2.0**31) - 1, 2.0**63,
             65504, 65519, 65520, 6e-8, 2.98e-8, 2.99e-8, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8,
             2147483647, 4294967295.0, 16777217]  # fmt: skip
    rng = np.random.default_rng(26)
    values = np.concatenate([edges, rng.uniform(-70000, 70000, 1200), np.exp2(rng.uniform(-30, 70, 800))])
    if 1 <= source <= 5:
        info = np.iinfo(DTYPES[source])
        x = torch.from_numpy(rng.integers(info.min, info.max, 2029, DTYPES[source], endpoint=True))
    else:
        x = torch.from_numpy(values).to(kinds[source])
    raw = x.view(torch.int16).numpy() if source == 7 else x.numpy()
    for target in range(10):
        want = x.to(kinds[target])
        want = want.view(torch.int16).numpy().view(np.uint16) if target == 7 else want.numpy()
        got = convert(library, raw, source, target)
        if target == 7:
            nan = ((want & 0x7FFF) > 0x7F80) & ((got & 0x7FFF) > 0x7F80)
            got = np.where(nan, want, got)
        np.testing.assert_array_equal(got, want, err_msg=f"{kinds[source]} to {kinds[target]}")
