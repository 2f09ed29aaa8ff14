"""Printed tensors, held to the letter against an installed PyTorch."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lumbre import _C, _identity, _printing

_printing.register_plain_type(torch.Tensor)
ROOT = Path(__file__).resolve().parents[1]
DEFAULT = _C.get_default_dtype()
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


@pytest.fixture(autouse=True)
def _as_torch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_identity, "printed_name", "torch")
    monkeypatch.setattr(_printing, "_parameter_type", torch.nn.Parameter)
    monkeypatch.setattr(_printing, "_plain_types", {_C.Tensor, torch.Tensor, torch.nn.Parameter})
    yield
    _set(profile="default")
    torch.set_default_dtype(torch.float32)
    _C._set_default_dtype(DEFAULT)


def _set(**options) -> None:
    torch.set_printoptions(**options)
    _printing.set_printoptions(**options)


def check(tensor) -> None:
    assert _printing.tensor_str(tensor) == repr(tensor)


SPECIAL = [
    0.0,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
    1e-4,
    9.9e-5,
    1e8,
    1e8 + 1,
    1000.0,
    1001.0,
    0.5,
    2.5,
    -3.0,
    1e-45,
    5e-324,
]
magnitudes = st.builds(
    lambda sign, m, e: sign * m * 10.0**e, st.sampled_from([1, -1]), st.floats(1, 10), st.integers(-12, 12)
)
numbers = st.one_of(
    st.sampled_from(SPECIAL),
    st.floats(-2, 2),
    st.integers(-2000, 2000).map(float),
    st.floats(width=32),
    magnitudes,
)
shapes = st.lists(st.integers(0, 5), max_size=4)


@st.composite
def float_tensors(draw):
    shape = draw(shapes)
    pool = draw(st.lists(numbers, min_size=1, max_size=8))
    seed = draw(st.integers(0, 2**16))
    values = np.random.default_rng(seed).choice(np.array(pool), size=shape)
    return torch.tensor(values).to(draw(st.sampled_from(FLOATS)))


@settings(max_examples=400, deadline=None)
@given(float_tensors())
@example(torch.tensor([1.2698, 1269.8]))
def test_floats(tensor) -> None:
    check(tensor)


@settings(max_examples=200, deadline=None)
@given(shapes, st.sampled_from(INTEGERS), st.integers(0, 2**16), st.sampled_from([2, 10, 10**6, 2**63]))
def test_integers(shape, dtype, seed, bound) -> None:
    values = np.random.default_rng(seed).integers(-bound, bound, size=shape)
    check(torch.tensor(values).to(dtype))


@settings(max_examples=300, deadline=None)
@given(
    float_tensors(),
    st.integers(0, 7),
    st.integers(0, 60),
    st.integers(0, 4),
    st.integers(1, 120),
    st.sampled_from([None, True, False]),
    st.booleans(),
)
def test_options(tensor, precision, threshold, edgeitems, linewidth, sci_mode, requires_grad) -> None:
    _set(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth, sci_mode=sci_mode)
    assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()
    check(tensor.requires_grad_(requires_grad))


@pytest.mark.parametrize("n", [1000, 1001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.float64])
def test_threshold(n, dtype) -> None:
    check(torch.arange(n, dtype=dtype))
    check(torch.arange(n, dtype=dtype) / 7)


@pytest.mark.parametrize(
    "shape",
    [(), (0,), (0, 3), (3, 0), (2, 1001), (1001, 2), (10, 10, 11), (7, 7, 7, 7), (1, 1, 2000), (40, 40), (1, 0, 2)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.bool, torch.uint8])
def test_shapes(shape, dtype) -> None:
    check(torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("n", range(8, 17))
def test_notes_move_to_the_next_line_when_they_do_not_fit(n) -> None:
    leaf = torch.ones(n, dtype=torch.float64, requires_grad=True)
    for tensor in (leaf, leaf * 2, leaf.float(), leaf.detach()):
        check(tensor)


def test_default_dtype_is_not_printed() -> None:
    torch.set_default_dtype(torch.float64)
    _C._set_default_dtype(_C.tensor(np.ones(1)).dtype)
    for dtype in (torch.float32, torch.float64, torch.int64, torch.int32):
        check(torch.ones(2, dtype=dtype))
        check(torch.ones(0, dtype=dtype))
        check(torch.ones(0, 2, dtype=dtype))


def test_graphs() -> None:
    leaf = torch.ones(3, requires_grad=True)
    for tensor in (leaf, leaf + 1, leaf.sum(), leaf[1:], torch.ones(2000, requires_grad=True) * 2):
        check(tensor)


def test_subclasses() -> None:
    class Image(torch.Tensor):
        pass

    class Weight(torch.nn.Parameter):
        pass

    check(torch.ones(3).as_subclass(Image))
    check(torch.rand(30, 30).as_subclass(Image))
    check(torch.ones(30).as_subclass(Image).requires_grad_())
    for parameter in (torch.nn.Parameter(torch.ones(2)), Weight(torch.ones(2)), Weight(torch.ones(40))):
        assert repr(parameter) == "Parameter containing:\n" + _printing.tensor_str(parameter)


@pytest.mark.parametrize("profile", ["short", "full", "default", "unknown"])
def test_profiles(profile) -> None:
    _set(profile=profile)
    assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()
    check(torch.rand(50, 50))
    _set(profile=profile, precision=1)
    assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()


def test_setting_one_option_resets_only_the_notation() -> None:
    _set(precision=2, sci_mode=True)
    _set(edgeitems=1)
    assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()


def test_printoptions_are_put_back_after_an_error() -> None:
    before = _printing.get_printoptions()
    with pytest.raises(ZeroDivisionError), _printing.printoptions(precision=1, sci_mode=True):
        assert _printing.tensor_str(torch.tensor([1.25])) == "tensor([1.2e+00])"
        raise ZeroDivisionError
    assert _printing.get_printoptions() == before


@pytest.mark.parametrize("specification", ["", ".2f", ">12", "d", "e"])
@pytest.mark.parametrize("tensor", [torch.tensor(3.25), torch.tensor(3), torch.tensor([1.5]), torch.tensor(True)])
def test_format(tensor, specification) -> None:
    def outcome(function, *arguments):
        try:
            return function(*arguments)
        except Exception as error:
            return type(error), str(error)

    if specification == "" and tensor.dim():
        return  # object.__format__ asks the tensor's own str
    assert outcome(_printing.format_tensor, tensor, specification) == outcome(format, tensor, specification)


def test_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_identity, "printed_name", "lumbre")
    assert _printing.tensor_str(_C.tensor(np.ones(2))) == "tensor([1., 1.], dtype=lumbre.float64)"
    assert _printing.tensor_str(_C.tensor([[1, 2]])) == "tensor([[1, 2]])"


def test_the_first_print_imports_only_the_printer() -> None:
    code = "import sys, lumbre; t = lumbre.tensor([1.5]); b = set(sys.modules); str(t); print(sorted(m for m in set(sys.modules) - b if m.split('.')[0] in ('lumbre', 'numpy', 're', 'typing', 'inspect')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['lumbre._printing']\n"
