"""finfo and iinfo, held against an installed PyTorch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from lumbre import _C, _identity, _numeric_info


@pytest.fixture(autouse=True)
def _as_torch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_identity, "printed_name", "torch")


def ours(name: str):
    return getattr(_C, name)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_finfo(name) -> None:
    mine, theirs = _numeric_info.finfo(ours(name)), torch.finfo(getattr(torch, name))
    for attribute in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        value = getattr(theirs, attribute)
        assert getattr(mine, attribute) == value and type(getattr(mine, attribute)) is type(value)
    assert repr(mine) == repr(theirs)


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_iinfo(name) -> None:
    mine, theirs = _numeric_info.iinfo(ours(name)), torch.iinfo(getattr(torch, name))
    for attribute in ("bits", "max", "min", "dtype"):
        assert getattr(mine, attribute) == getattr(theirs, attribute)
    assert repr(mine) == repr(theirs)


DTYPE = object()
CALLS = [
    ("finfo", (), {}),
    ("iinfo", (), {}),
    ("finfo", ("int32",), {}),
    ("finfo", ("bool",), {}),
    ("iinfo", ("bool",), {}),
    ("iinfo", ("float32",), {}),
    ("finfo", (None,), {}),
    ("iinfo", (None,), {}),
    ("finfo", (3,), {}),
    ("finfo", (float,), {}),
    ("iinfo", (int,), {}),
    ("iinfo", (str,), {}),
    ("finfo", (), {"type": "float16"}),
    ("iinfo", (), {"type": "int8"}),
    ("finfo", (), {"dtype": "float16"}),
    ("iinfo", (), {"dtype": "int8"}),
]


@pytest.mark.parametrize(("function", "arguments", "keywords"), CALLS)
def test_calls_and_errors(function, arguments, keywords) -> None:
    def outcome(module, functions):
        values = [getattr(module, a) if isinstance(a, str) else a for a in arguments]
        named = {k: getattr(module, v) for k, v in keywords.items()}
        try:
            return repr(getattr(functions, function)(*values, **named))
        except TypeError as error:
            return str(error)

    assert outcome(_C, _numeric_info) == outcome(torch, torch)


def test_objects_are_closed() -> None:
    info = _numeric_info.finfo(ours("float32"))
    assert info == _numeric_info.finfo() and info != _numeric_info.finfo(ours("float64")) and info != 3
    with pytest.raises(AttributeError, match=r"attribute 'eps' of 'torch.finfo' objects is not writable"):
        info.eps = 1
    with pytest.raises(AttributeError, match="has no attribute 'x'"):
        info.x = 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(info)
