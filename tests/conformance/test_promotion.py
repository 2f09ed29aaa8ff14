"""Type promotion, exhaustively: every pair of dtypes, as tensors, 0-d tensors and Python numbers, gives PyTorch's dtype."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
NUMBERS = (True, 2, 2.5)
OPERATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda t, a, b: t.add(a, b),
    "sub": lambda t, a, b: t.sub(a, b),
    "mul": lambda t, a, b: a * b,
    "div": lambda t, a, b: a / b,
    "floor_divide": lambda t, a, b: a // b,
    "trunc div": lambda t, a, b: t.div(a, b, rounding_mode="trunc"),
    "remainder": lambda t, a, b: a % b,
    "pow": lambda t, a, b: a**b,
    "atan2": lambda t, a, b: t.atan2(a, b),
    "maximum": lambda t, a, b: t.maximum(a, b),
    "eq": lambda t, a, b: t.eq(a, b),
    "lt": lambda t, a, b: a < b,
    "and": lambda t, a, b: a & b,
    "shift": lambda t, a, b: a << b,
    "where": lambda t, a, b: t.where(t.tensor([True, False]), a, b),
    "cat": lambda t, a, b: t.cat([a, b]),
    "stack": lambda t, a, b: t.stack([a, b]),
    "result_type": lambda t, a, b: t.result_type(a, b),
    "clamp": lambda t, a, b: t.clamp(a, min=b),
    "lerp": lambda t, a, b: t.lerp(a, b, 0.5),
    "addcmul": lambda t, a, b: t.addcmul(a, b, b),
    "matmul": lambda t, a, b: a @ b,
    "isin": lambda t, a, b: t.isin(a, b),
    "searchsorted": lambda t, a, b: t.searchsorted(a, b),
    "in-place add": lambda t, a, b: a.add_(b),
    "in-place div": lambda t, a, b: a.div_(b),
    "in-place pow": lambda t, a, b: a.pow_(b if not isinstance(b, t.Tensor) or b.shape == a.shape else 1),
    "in-place eq": lambda t, a, b: a.eq_(b),
    "in-place copy": lambda t, a, b: a.copy_(t.as_tensor(b)),
    "in-place masked_fill": lambda t, a, b: a.masked_fill_(t.tensor([True, False]), b),
    "out add": lambda t, a, b: t.add(t.as_tensor(a), 1, out=t.as_tensor(b)),
}
KINDS = ("tensor", "0-d")


def operand(library: Any, kind: str, dtype: str) -> Any:
    data = [1, 2] if kind == "tensor" else 1
    return library.tensor(data).to(getattr(library, dtype))


def outcome(function: Callable[[Any, Any, Any], Any], library: Any, first: Any, second: Any) -> str:
    """The result's dtype, or the refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(library, first(library), second(library))
        except TypeError:
            return "TypeError"  # which overloads there are is told in another wording
        except Exception as error:
            if isinstance(error, NotImplementedError):
                return "NotImplementedError"  # the kernel's name is told, and one of ours may serve two operators
            return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0].replace('lumbre', 'torch')}"
    return str(getattr(result, "dtype", result)).rpartition(".")[2]


def compare(name: str, pairs: Any) -> None:
    function = OPERATIONS[name]
    wrong = {}
    for label, first, second in pairs:
        ours, theirs = (outcome(function, library, first, second) for library in (lumbre, torch))
        if ours != theirs:
            wrong[label] = (ours, theirs)
    assert not wrong, "\n".join(f"{label}: {ours}, expected {theirs}" for label, (ours, theirs) in wrong.items())


@pytest.mark.parametrize("name", OPERATIONS)
def test_tensors(name: str) -> None:
    compare(
        name,
        (
            (
                f"{a} {x}, {b} {y}",
                lambda library, a=a, x=x: operand(library, a, x),
                lambda library, b=b, y=y: operand(library, b, y),
            )
            for a, b, x, y in itertools.product(KINDS, KINDS, DTYPES, DTYPES)
        ),
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_numbers(name: str) -> None:
    def pairs() -> Any:
        for kind, dtype, number in itertools.product(KINDS, DTYPES, NUMBERS):
            yield (
                f"{kind} {dtype}, {number}",
                lambda library, kind=kind, dtype=dtype: operand(library, kind, dtype),
                lambda library, number=number: number,
            )
            yield (
                f"{number}, {kind} {dtype}",
                lambda library, number=number: number,
                lambda library, kind=kind, dtype=dtype: operand(library, kind, dtype),
            )

    compare(name, pairs())


def test_types() -> None:
    for x, y in itertools.product(DTYPES, DTYPES):
        for name in ("promote_types", "can_cast"):
            ours, theirs = (
                str(getattr(library, name)(getattr(library, x), getattr(library, y))).rpartition(".")[2]
                for library in (lumbre, torch)
            )
            assert ours == theirs, (name, x, y)


@pytest.mark.parametrize("default", ["float64", "float16", "bfloat16"])
def test_default_dtype(default: str) -> None:
    try:
        for library in (lumbre, torch):
            library.set_default_dtype(getattr(library, default))
        test_numbers("div")
        test_numbers("mul")
        test_tensors("div")
    finally:
        for library in (lumbre, torch):
            library.set_default_dtype(library.float32)
