"""Every operator's record is complete, and what is made from it is there."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import lumbre as torch
from lumbre import _C, _registry

RECORDS = _registry.records()


def test_there_are_records():
    assert len(RECORDS) > 50
    assert {record.origin for record in RECORDS} <= {"engine", "composed"}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.signature.partition("(")[0])
def test_record_is_complete(record):
    name, opened, rest = record.signature.partition("(")
    assert name and opened and ")" in rest, record.signature
    assert record.derivative in ("none", "refused", "composed", "formula"), (
        f"{record.signature}: the derivative is not stated"
    )
    hidden = record.forms == 0 or record.name.rpartition(".")[2].startswith("_")
    assert hidden or record.doc.strip(), f"{record.signature}: no documentation"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.signature.partition("(")[0])
def test_forms_are_there(record):
    for name in (record.name, *record.aliases):
        if record.forms & _registry.FUNCTION:
            where = _C._functions if record.origin == "engine" else _registry.functions
            assert callable(where[name])
        if "." in name:
            continue
        if record.forms & _registry.METHOD:
            assert hasattr(torch.Tensor, name)
        if record.forms & _registry.IN_PLACE:
            assert hasattr(torch.Tensor, name + "_")


def test_dotted_names_land_in_their_submodule():
    for name in (*_C._functions, *_registry.functions):
        prefix, _, last = name.rpartition(".")
        if prefix in ("special", "linalg"):
            assert callable(getattr(getattr(torch, prefix), last))
        if prefix == "nn.functional":
            assert callable(getattr(torch.nn.functional, last))


@pytest.fixture
def scratch():
    """Takes back what a test registers."""
    functions, records = dict(_registry.functions), list(_registry._records)
    methods = set(vars(torch.Tensor))
    yield
    _registry.functions.clear()
    _registry.functions.update(functions)
    _registry._records[:] = records
    for name in set(vars(torch.Tensor)) - methods:
        delattr(torch.Tensor, name)


def test_a_composed_operator_gets_its_forms(scratch):
    @_registry.operator(
        "twice_plus(input, other=0, *, out=None)", inplace=True, aliases="double_plus special.twice_plus"
    )
    def twice_plus(input, other=0):
        """Twice the input, plus a number."""
        return input + input + other

    x = torch.tensor([1.0, 2.0])
    assert twice_plus(x).tolist() == [2.0, 4.0]
    assert x.double_plus(1).tolist() == [3.0, 5.0]
    target = torch.tensor([0.0, 0.0])
    assert twice_plus(x, 1, out=target) is target
    assert target.tolist() == [3.0, 5.0]
    assert x.twice_plus_() is x
    assert x.tolist() == [2.0, 4.0]
    assert _registry.namespace("special")["twice_plus"] is twice_plus
    assert twice_plus.__doc__.startswith("twice_plus(input, other=0, *, out=None)\n\nTwice")
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        twice_plus(x, out=torch.tensor([1, 2]))


def test_an_override_sees_the_composed_operator(scratch):
    @_registry.operator("once(input)")
    def once(input):
        """The input plus nothing."""
        return input + 0

    seen = []

    class Traced(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs)

    result = once(torch.tensor([1.0]).as_subclass(Traced))
    assert seen == [once]
    assert type(result) is Traced


def test_derivative_must_be_stated():
    with pytest.raises(ValueError, match="'composed' or 'none'"):
        _registry.operator("f(input)", derivative="perhaps")


def test_all_names_exist():
    assert len(set(torch.__all__)) == len(torch.__all__)
    missing = []
    for name in torch.__all__:
        try:
            getattr(torch, name)
        except AttributeError:
            missing.append(name)
    # Modules that other parts of the package bring.
    assert set(missing) <= {"save", "load"}


def test_public_functions_are_documented():
    for name in torch.__all__:
        value = getattr(torch, name, None)
        if inspect.isfunction(value) or (inspect.isclass(value) and not hasattr(torch._C, name)):
            assert (value.__doc__ or "").strip(), name


def test_stubs_are_up_to_date():
    root = __import__("pathlib").Path(__file__).resolve().parent.parent
    script = root / "tools" / "make_stubs.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_missing_names_are_attribute_errors():
    for name in ("no_such_thing", "compile_everything"):
        with pytest.raises(AttributeError, match=f"module '(lumbre|torch)' has no attribute '{name}'"):
            getattr(torch, name)
    with pytest.raises(AttributeError, match="linalg' has no attribute 'no_such'"):
        _ = torch.linalg.no_such


def test_dtypes_that_are_not_computed_in():
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")
    names = (
        "uint16", "uint32", "uint64", "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e4m3fnuz",
        "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "qint8", "quint8", "qint32",
    )  # fmt: skip
    for name in names:
        ours, theirs = getattr(torch, name), getattr(reference, name)
        assert isinstance(ours, torch.dtype)
        assert str(ours).rpartition(".")[2] == str(theirs).rpartition(".")[2]
        assert (ours.itemsize, ours.is_floating_point, ours.is_complex) == (
            theirs.itemsize, theirs.is_floating_point, theirs.is_complex,
        )  # fmt: skip
        for use in (
            lambda ours=ours: torch.empty(2, dtype=ours), lambda ours=ours: torch.ones(2).to(ours),
            lambda ours=ours: torch.tensor([1], dtype=ours), lambda ours=ours: torch.ones(2).type(ours),
            lambda ours=ours: torch.set_default_dtype(ours), lambda ours=ours: torch.promote_types(ours, torch.int8),
            lambda ours=ours: torch.frombuffer(bytearray(16), dtype=ours), lambda ours=ours: torch.ones(2).view(ours),
            lambda ours=ours: torch.ones(2).sum(dtype=ours), lambda ours=ours: torch.zeros(2).new_tensor([1], dtype=ours),
            lambda ours=ours: torch.asarray([1.0], dtype=ours), lambda ours=ours: torch.nn.Linear(1, 1, dtype=ours),
        ):  # fmt: skip
            with pytest.raises((NotImplementedError, TypeError)):
                use()
    assert torch.complex64.to_real() is torch.float32
    assert torch.cfloat is torch.complex64


def test_import_is_light():
    code = (
        "import sys; before = set(sys.modules); import lumbre; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"numpy", "re", "typing", "inspect", "dataclasses", "functools", "enum", "collections"}
    assert not loaded & heavy, loaded & heavy


def test_functions_take_attributes():
    functional = torch.nn.functional
    functional.relu.note = "mine"
    try:
        assert functional.relu.note == "mine" and functional.relu.__dict__ == {"note": "mine"}
    finally:
        del functional.relu.note
    with pytest.raises(AttributeError):
        _ = functional.relu.note
