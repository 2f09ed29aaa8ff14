"""assert_close held to PyTorch's messages."""

from __future__ import annotations

import pytest

import lumbre

torch = pytest.importorskip("torch")

CASES = {
    "two": lambda L: (L.tensor([1.0, 2.0]), L.tensor([1.0, 3.0])),
    "matrix": lambda L: (L.tensor([[1.0, 2.0], [3.0, 4.0]]), L.tensor([[1.0, 2.5], [3.0, 7.0]])),
    "scalar tensors": lambda L: (L.tensor(1.0), L.tensor(2.0)),
    "integers": lambda L: (L.tensor([1, 2]), L.tensor([1, 4])),
    "bools": lambda L: (L.tensor([True]), L.tensor([False])),
    "numbers": lambda L: (1.0, 2.0),
    "whole numbers": lambda L: (1, 2),
    "nan": lambda L: (1.0, float("nan")),
    "nan tensor": lambda L: (L.tensor([float("nan")]), L.tensor([float("nan")])),
    "infinite": lambda L: (L.tensor([float("inf")]), L.tensor([1.0])),
    "python bools": lambda L: (True, False),
    "text": lambda L: ("a", "b"),
    "none": lambda L: (None, 1),
    "dtype": lambda L: (L.tensor([1.0]), L.tensor([1])),
    "shape": lambda L: (L.tensor([1.0]), L.tensor([1.0, 2.0])),
    "list": lambda L: ([1.0, 2.0], [1.0, 3.0]),
    "nested": lambda L: ({"a": [1, L.tensor(1.0)]}, {"a": [1, L.tensor(2.0)]}),
    "keys": lambda L: ({"a": 1.0}, {"b": 1.0}),
    "length": lambda L: ([1.0], [1.0, 2.0]),
    "kinds": lambda L: (1.0, 1),
    "tensor and number": lambda L: (1.0, L.tensor(1.0)),
    "zero expected": lambda L: (L.tensor([0.5]), L.tensor([0.0])),
    "half": lambda L: (L.zeros(1, dtype=L.float16), L.ones(1, dtype=L.float16)),
    "bfloat16": lambda L: (L.zeros(1, dtype=L.bfloat16), L.ones(1, dtype=L.bfloat16)),
    "double": lambda L: (L.zeros(1, dtype=L.float64), L.ones(1, dtype=L.float64)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("options", [{}, {"rtol": 0.0, "atol": 0.0}, {"rtol": 0, "atol": 0.1}])
def test_messages(name, options):
    with pytest.raises((AssertionError, TypeError)) as expected:
        torch.testing.assert_close(*CASES[name](torch), **options)
    with pytest.raises(type(expected.value)) as own:
        lumbre.testing.assert_close(*CASES[name](lumbre), **options)
    words = str(own.value).replace("lumbre.", "torch.")
    assert words == str(expected.value)


def test_equal_values_pass():
    lumbre.testing.assert_close(lumbre.tensor([1.0]), lumbre.tensor([1.0 + 1e-7]))
    lumbre.testing.assert_close({"a": [1, None]}, {"a": [1, None]})
    lumbre.testing.assert_close(lumbre.tensor([float("nan")]), lumbre.tensor([float("nan")]), equal_nan=True)
    with pytest.raises(ValueError, match="got no atol"):
        lumbre.testing.assert_close(1.0, 1.0, rtol=0.1)
    with pytest.raises(AssertionError, match=r"^hey$"):
        lumbre.testing.assert_close(1.0, 2.0, msg="hey")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "int8", "bool", "float16"])
@pytest.mark.parametrize("shape", [(3,), (2, 20), ()])
@pytest.mark.parametrize("options", [{}, {"exclude_zero": True}])
def test_made_tensors(dtype, shape, options):
    lumbre.manual_seed(3), torch.manual_seed(3)
    own = lumbre.testing.make_tensor(shape, dtype=getattr(lumbre, dtype), device="cpu", **options)
    theirs = torch.testing.make_tensor(shape, dtype=getattr(torch, dtype), device="cpu", **options)
    assert own.tolist() == theirs.tolist()
