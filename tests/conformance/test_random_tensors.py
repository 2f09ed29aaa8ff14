"""Random tensors from the same seed: equal to PyTorch's to the bit, and the generator's state afterwards too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre

FILLS = [
    ("uniform_", (1, 2)), ("normal_", (1, 2)), ("exponential_", (1.5,)), ("geometric_", (0.3,)), ("cauchy_", ()),
    ("log_normal_", ()), ("random_", ()), ("random_", (5,)), ("random_", (2, 9)), ("bernoulli_", (0.4,)),
]  # fmt: skip
LAYOUTS: dict[str, Callable[[Any, int], Any]] = {
    "contiguous": lambda t, n: t.empty(n),
    "transposed": lambda t, n: t.empty(n, 4).t(),
    "strided": lambda t, n: t.empty(n, 6)[:, ::2],
}
NEW: dict[str, Callable[[Any, int], Any]] = {
    "rand": lambda t, n: t.rand(n),
    "rand float64": lambda t, n: t.rand(n, dtype=t.float64),
    "randn": lambda t, n: t.randn(n),
    "randn float64": lambda t, n: t.randn(n, dtype=t.float64),
    "randperm": lambda t, n: t.randperm(n),
    "randint": lambda t, n: t.randint(0, 10, (n,)),
    "bernoulli": lambda t, n: t.bernoulli(t.full((n,), 0.3)),
    "multinomial": lambda t, n: t.multinomial(t.arange(1.0, n + 1), min(n, 3)),
    "multinomial with replacement": lambda t, n: t.multinomial(t.arange(1.0, n + 1), 4, replacement=True),
    "normal": lambda t, n: t.normal(t.arange(1.0, n + 1), t.arange(1.0, n + 1)),
    "normal with one deviation": lambda t, n: t.normal(t.arange(1.0, n + 1), 2.0),
    "dropout": lambda t, n: t.nn.functional.dropout(t.ones(n), 0.3),
    "rand_like": lambda t, n: t.rand_like(t.ones(n, 3).t()),
    "randn_like": lambda t, n: t.randn_like(t.ones(n, 3).t()),
    "poisson": lambda t, n: t.poisson(t.arange(1.0, n + 1)),
}
SIZES = (1, 5, 15, 16, 17, 100, 1000)


def hold(make: Callable[[Any], Any]) -> None:
    torch.manual_seed(7)
    lumbre.manual_seed(7)
    ours, theirs = make(lumbre), make(torch)
    np.testing.assert_array_equal(np.array(ours.tolist()), np.array(theirs.tolist()))
    assert lumbre.get_rng_state().tolist() == torch.get_rng_state().tolist()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "arguments"), FILLS)
def test_fill(name: str, arguments: tuple, layout: str, n: int) -> None:
    hold(lambda t: getattr(LAYOUTS[layout](t, n), name)(*arguments))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", NEW)
def test_new(name: str, n: int) -> None:
    hold(lambda t: NEW[name](t, n))
