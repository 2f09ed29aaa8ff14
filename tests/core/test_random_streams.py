"""core/random against PyTorch: the same seed gives the same bits and leaves the same state."""

import ctypes
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the reference streams come from an installed PyTorch")
compiler = shutil.which("g++")
if compiler is None:
    pytest.skip("no g++ to build the harness with", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
SIZES = [0, 1, 5, 15, 16, 17, 31, 32, 100, 1000, 10007]
DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES += [torch.float16, torch.bfloat16, torch.float32, torch.float64]
FLOATS = DTYPES[6:]
STATE_SIZE = 5056


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    out = tmp_path_factory.mktemp("random") / "librandom.so"
    sources = [
        ROOT / "tests/core/random_harness.cc",
        ROOT / "core/base/error.cc",
        *sorted((ROOT / "core/random").glob("*.cc")),
    ]
    flags = ["-std=c++20", "-O2", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-Wall", "-Wextra"]
    flags += ["-fPIC", "-shared", f"-I{ROOT / 'core'}", "-Wno-missing-field-initializers"]
    subprocess.run([compiler, *flags, *map(str, sources), "-o", str(out)], check=True)
    library = ctypes.CDLL(str(out))
    pointer, i64, f64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
    signatures = {
        "seed": (None, [ctypes.c_uint64]),
        "get_state": (None, [pointer]),
        "set_state": (ctypes.c_char_p, [pointer, ctypes.c_size_t]),
        "next_word": (ctypes.c_uint32, []),
        "words": (None, [pointer, i64]),
        "draw": (ctypes.c_char_p, [ctypes.c_char_p, ctypes.c_int, pointer, i64, i64, f64, f64]),
        "draw_bernoulli": (ctypes.c_char_p, [ctypes.c_int, pointer, i64, ctypes.c_int, pointer]),
        "draw_range": (ctypes.c_char_p, [ctypes.c_int, pointer, i64, i64, i64, i64, ctypes.c_int]),
        "permutation": (ctypes.c_char_p, [ctypes.c_int, pointer, i64]),
        "multinomial": (ctypes.c_char_p, [ctypes.c_int, pointer, i64, i64, i64, ctypes.c_int, pointer]),
        "sample": (ctypes.c_char_p, [ctypes.c_char_p, ctypes.c_int, pointer, i64, pointer, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def state_of(lib) -> bytes:
    buffer = (ctypes.c_uint8 * STATE_SIZE)()
    lib.get_state(buffer)
    return bytes(buffer)


def bits(tensor) -> bytes:
    packed = torch.empty(len(tensor), dtype=tensor.dtype).copy_(tensor)
    return packed.view(torch.uint8).numpy().tobytes() if len(tensor) else b""


def compare(lib, ours, reference, dtype, size, step=1, warm=0, seed=1234):
    """Fills a tensor of each kind from one seed, after `warm` normals, and compares bits and states."""
    results = []
    for fill in (reference, ours):
        data = torch.zeros(size * step, dtype=dtype)[::step]
        torch.manual_seed(seed)
        if warm:
            torch.randn(warm)
        if fill is ours:
            before = torch.get_rng_state().numpy().tobytes()
            assert lib.set_state(before, len(before)) is None
            assert fill(data) is None
            after = state_of(lib)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fill(data)
            after = torch.get_rng_state().numpy().tobytes()
        results.append((bits(data), after))
    if results[0][0] != results[1][0]:
        pairs = zip(results[0][0], results[1][0], strict=True)
        different = sum(a != b for a, b in pairs)
        pytest.fail(f"{different} of {len(results[0][0])} bytes differ")
    assert results[0][1] == results[1][1], "the states afterwards differ"


PARAMETERS = [
    ("uniform", 0.0, 1.0),
    ("uniform", -3.7, 2.9),
    ("uniform", 5.0, 5.0),
    ("normal", 0.0, 1.0),
    ("normal", 1.3, 2.7),
    ("normal", 0.5, 0.0),
    ("log_normal", 0.3, 0.8),
    ("exponential", 1.0, 0.0),
    ("exponential", 2.7, 0.0),
    ("geometric", 0.3, 0.0),
    ("geometric", 0.001, 0.0),
    ("cauchy", 0.4, 1.9),
    ("bernoulli", 0.3, 0.0),
    ("bernoulli", 0.0, 0.0),
    ("bernoulli", 1.0, 0.0),
    ("random", 0.0, 0.0),
]
ONE_PARAMETER = {"exponential", "geometric", "bernoulli"}


@pytest.mark.parametrize(("name", "a", "b"), PARAMETERS)
@pytest.mark.parametrize("step", [1, 3])
def test_distributions(lib, name, a, b, step):
    dtypes = DTYPES if name in ("bernoulli", "random") else DTYPES[1:] if name == "geometric" else FLOATS
    arguments = () if name == "random" else (a,) if name in ONE_PARAMETER else (a, b)
    for dtype in dtypes:
        for size in SIZES:
            for warm in (0, 1):
                compare(
                    lib,
                    lambda t, d=dtype: lib.draw(name.encode(), DTYPES.index(d), t.data_ptr(), step, len(t), a, b),
                    lambda t: getattr(t, f"{name}_")(*arguments),
                    dtype,
                    size,
                    step,
                    warm,
                )


@pytest.mark.parametrize("p_dtype", FLOATS)
def test_bernoulli_of_probabilities(lib, p_dtype):
    for dtype in DTYPES:
        for size in SIZES:
            p = torch.linspace(0, 1, size).to(p_dtype)
            compare(
                lib,
                lambda t, d=dtype, p=p: lib.draw_bernoulli(
                    DTYPES.index(d), t.data_ptr(), len(t), DTYPES.index(p_dtype), p.data_ptr()
                ),
                lambda t, p=p: t.bernoulli_(p),
                dtype,
                size,
            )


RANGES = [(0, 2), (0, 100), (-5, 7), (0, 2**28 - 1), (0, 2**28), (-(2**40), 2**50), (0, 65504), (3, None)]
RANGES += [(-100, None), (-(2**63), None), (-(2**63), 2**63 - 1), (4, 4), (2049, 2053), (2**24 + 1, 2**24 + 5)]
RANGES += [(65519, 65521)]  # from=2^63-1 is left out: PyTorch never returns from it in float16


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_ranges(lib, low, high, dtype):
    def ours(t):
        return lib.draw_range(DTYPES.index(dtype), t.data_ptr(), 1, len(t), low, high or 0, high is not None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.zeros(4, dtype=dtype).random_(low, high)
        except (RuntimeError, NotImplementedError) as error:
            assert ours(torch.zeros(4, dtype=dtype)).decode() == str(error).split("\n")[0]
            return
    for size in SIZES:
        compare(lib, ours, lambda t: t.random_(low, high), dtype, size)


BAD = [("uniform", 2.0, 1.0), ("uniform", -1.7e308, 1.7e308), ("uniform", float("nan"), 1.0), ("normal", 0.0, -1.0)]
BAD += [("log_normal", 0.0, 0.0), ("exponential", -1.0, 0.0), ("geometric", 0.0, 0.0), ("geometric", 1.0, 0.0)]
BAD += [("cauchy", 0.0, -1.0), ("bernoulli", 1.5, 0.0), ("exponential", 1.0, 0.0), ("cauchy", 0.0, 1.0)]
BAD += [("uniform", 0.0, 1.0), ("normal", 0.0, 1.0), ("log_normal", 0.0, 1.0), ("geometric", 0.5, 0.0)]


@pytest.mark.parametrize(("name", "a", "b"), BAD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_errors(lib, name, a, b, dtype):
    arguments = (a,) if name in ONE_PARAMETER else (a, b)
    expected = None
    try:
        getattr(torch.zeros(3, dtype=dtype), f"{name}_")(*arguments)
    except (RuntimeError, NotImplementedError) as error:
        expected = str(error).split("\n")[0]
    data = torch.zeros(3, dtype=dtype)
    message = lib.draw(name.encode(), DTYPES.index(dtype), data.data_ptr(), 1, 3, a, b)
    assert (message and message.decode()) == expected


@pytest.mark.parametrize("seed", [0, 1, 5489, 2**32 + 7, 2**63 + 11])
def test_words_and_states(lib, seed):
    torch.manual_seed(seed)
    lib.seed(seed)
    assert state_of(lib) == torch.get_rng_state().numpy().tobytes()
    for count in (1, 622, 1, 1, 624, 1248, 3000):
        expected = torch.empty(count, dtype=torch.int32).random_(0, 2**28 - 1)
        words = (ctypes.c_uint32 * count)()
        lib.words(words, count)
        assert [w % (2**28 - 1) for w in words] == expected.tolist()
        assert state_of(lib) == torch.get_rng_state().numpy().tobytes()
    torch.randn(1)
    theirs = torch.get_rng_state()
    assert lib.set_state(theirs.numpy().tobytes(), STATE_SIZE) is None
    assert state_of(lib) == theirs.numpy().tobytes()
    lib.next_word()
    torch.set_rng_state(torch.frombuffer(bytearray(state_of(lib)), dtype=torch.uint8))
    assert state_of(lib) == torch.get_rng_state().numpy().tobytes()


def test_refused_states(lib):
    lib.seed(3)
    before = state_of(lib)
    for bad in (b"\0" * 5, b"\0" * STATE_SIZE):
        with pytest.raises(RuntimeError) as error:
            torch.set_rng_state(torch.frombuffer(bytearray(bad), dtype=torch.uint8))
        assert lib.set_state(bad, len(bad)).decode() == str(error.value).split("\n")[0]
    crafted = bytearray(before)
    crafted[8:12] = (624).to_bytes(4, "little")
    crafted[16:24] = (624).to_bytes(8, "little")
    assert lib.set_state(bytes(crafted), STATE_SIZE) == b"Invalid mt19937 state"
    assert state_of(lib) == before


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_permutations(lib, dtype):
    for size in SIZES:
        try:
            torch.randperm(size, dtype=dtype)
        except RuntimeError:
            continue  # more elements than the dtype can count: refused before any word is drawn
        compare(
            lib,
            lambda t: lib.permutation(DTYPES.index(dtype), t.data_ptr(), len(t)),
            lambda t: t.copy_(torch.randperm(len(t), dtype=dtype)),
            dtype,
            size,
        )


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("zeros", [False, True])
def test_multinomial(lib, dtype, replacement, zeros):
    for rows, categories in [(1, 1), (1, 7), (3, 10), (2, 1000)]:
        weights = (torch.arange(rows * categories) % 13 + (0 if zeros and categories > 1 else 1)).to(dtype)
        weights = weights.reshape(rows, categories)
        for samples in {1, 2, 5, categories // 64, categories}:
            if samples < 1 or samples > categories:
                continue
            compare(
                lib,
                lambda t, w=weights, n=samples: lib.multinomial(
                    DTYPES.index(dtype), w.data_ptr(), *w.shape, n, replacement, t.data_ptr()
                ),
                lambda t, w=weights, n=samples: t.copy_(torch.multinomial(w, n, replacement).flatten()),
                torch.int64,
                rows * samples,
            )


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [1.0, float("inf")], [1.0, float("nan")]])
@pytest.mark.parametrize(("samples", "replacement"), [(1, False), (1, True), (2, True), (3, False), (0, True)])
def test_multinomial_errors(lib, weights, samples, replacement):
    w = torch.tensor(weights)
    with pytest.raises(RuntimeError) as error:
        torch.multinomial(w, samples, replacement)
    message = lib.multinomial(DTYPES.index(w.dtype), w.data_ptr(), 1, 2, samples, replacement, None)
    assert message.decode() == str(error.value).split("\n")[0]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["poisson", "binomial", "_standard_gamma"])
def test_samplers(lib, name, dtype):
    if name != "poisson" and dtype in (torch.float16, torch.bfloat16):
        x = torch.ones(2, dtype=dtype)
        with pytest.raises(NotImplementedError) as error:
            getattr(torch, name)(x, *([x] if name == "binomial" else []))
        message = lib.sample(name.encode(), DTYPES.index(dtype), x.data_ptr(), 2, x.data_ptr(), x.data_ptr())
        assert message.decode() == str(error.value)
        return
    for size in SIZES:
        a = torch.linspace(0, 60, size).round(decimals=1).to(dtype)
        b = (torch.linspace(0, 7, size) % 1.0).to(dtype)
        if name == "binomial":
            a = a.floor()
        if name == "_standard_gamma":
            a = a / 10
        compare(
            lib,
            lambda t, a=a, b=b: lib.sample(
                name.encode(), DTYPES.index(dtype), t.data_ptr(), len(t), a.data_ptr(), b.data_ptr()
            ),
            lambda t, a=a, b=b: t.copy_(getattr(torch, name)(a, *([b] if name == "binomial" else []))),
            dtype,
            size,
        )
