"""The rows of the benchmark: the same work for Lumbre, PyTorch and NumPy, side by side.

A row is (group, name, work): ``work(lib)`` prepares its operands with that library and returns the call to time. ``lib``
is ``lumbre``, ``torch`` or the NumPy adapter of run.py; a row that a library cannot do raises AttributeError there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Work = Callable[[Any], Callable[[], Any]]
ROWS: list[tuple[str, str, Work]] = []


def row(group: str, name: str) -> Callable[[Work], Work]:
    def add(work: Work) -> Work:
        ROWS.append((group, name, work))
        return work

    return add


def from_array(lib: Any, array: np.ndarray) -> Any:
    """The array in the library's own memory: its alignment and pages are part of what is compared."""
    if lib.__name__ == "jax.numpy":
        return lib.asarray(array)
    return array.copy() if lib.__name__ == "numpy" else lib.from_numpy(array).clone()


def draws(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


# --- small: three numbers ------------------------------------------------------------------------------------------

SMALL = np.array([1.0, 2.0, 3.0], np.float32)


def small(name: str, call: Callable[[Any, Any, Any], Callable[[], Any]]) -> None:
    def work(lib: Any) -> Callable[[], Any]:
        return call(lib, from_array(lib, SMALL), from_array(lib, SMALL[::-1].copy()))

    ROWS.append(("small", name, work))


small("a + b", lambda lib, a, b: lambda: a + b)
small("a * 2", lambda lib, a, b: lambda: a * 2)
small("a.mul_(1.0)", lambda lib, a, b: lambda: a.mul_(1.0))
small("sigmoid(a)", lambda lib, a, b: lambda: lib.sigmoid(a))
small("dot(a, b)", lambda lib, a, b: lambda: lib.dot(a, b))
small("sum(a)", lambda lib, a, b: lambda: lib.sum(a))
small("a > b", lambda lib, a, b: lambda: a > b)
small("exp(a)", lambda lib, a, b: lambda: lib.exp(a))
small("a.mean()", lambda lib, a, b: lambda: a.mean())
small("a.max()", lambda lib, a, b: lambda: a.max())
small("where(a > b, a, b)", lambda lib, a, b: lambda: lib.where(a > b, a, b))
small("clamp(a, 0, 1)", lambda lib, a, b: lambda: lib.clamp(a, 0, 1))
small("a[1]", lambda lib, a, b: lambda: a[1])
small("a.item() of one", lambda lib, a, b: (lambda one: lambda: one.item())(a[1]))
small("a.tolist()", lambda lib, a, b: lambda: a.tolist())
small("cat((a, b))", lambda lib, a, b: lambda: lib.cat((a, b)))
small("stack((a, b))", lambda lib, a, b: lambda: lib.stack((a, b)))
small("softmax(a, 0)", lambda lib, a, b: lambda: lib.softmax(a, 0))
small("a.clone()", lambda lib, a, b: lambda: a.clone())
small("a.to(float64)", lambda lib, a, b: lambda: a.to(lib.float64))
small("a.numpy()", lambda lib, a, b: lambda: a.numpy())


@row("small", "v[:, 1:] of 4 x 2")
def _(lib: Any) -> Callable[[], Any]:
    v = from_array(lib, np.ones((4, 2), np.float32))
    return lambda: v[:, 1:]


@row("small", "reshape 4 x 2 to 2 x 4")
def _(lib: Any) -> Callable[[], Any]:
    v = from_array(lib, np.ones((4, 2), np.float32))
    return lambda: v.reshape(2, 4)


@row("small", "transpose(0, 1)")
def _(lib: Any) -> Callable[[], Any]:
    v = from_array(lib, np.ones((4, 2), np.float32))
    return lambda: v.transpose(0, 1)


@row("small", "a[mask]")
def _(lib: Any) -> Callable[[], Any]:
    a, mask = from_array(lib, SMALL), from_array(lib, SMALL > 1)
    return lambda: a[mask]


@row("small", "a[index]")
def _(lib: Any) -> Callable[[], Any]:
    a, index = from_array(lib, SMALL), from_array(lib, np.array([2, 0]))
    return lambda: a[index]


@row("small", "ones(4, 2)")
def _(lib: Any) -> Callable[[], Any]:
    return (lambda: lib.ones((4, 2))) if lib.__name__ == "numpy" else (lambda: lib.ones(4, 2))


@row("small", "tensor([1., 2., 3.])")
def _(lib: Any) -> Callable[[], Any]:
    make = lib.array if lib.__name__ == "numpy" else lib.tensor
    return lambda: make([1.0, 2.0, 3.0])


@row("small", "from_numpy(array)")
def _(lib: Any) -> Callable[[], Any]:
    array = SMALL.copy()
    return lambda: lib.from_numpy(array)


@row("small", "randn(3)")
def _(lib: Any) -> Callable[[], Any]:
    return lambda: lib.randn(3)


# --- 1,000 x 1,000 and 25 million ----------------------------------------------------------------------------------

UNARY = ("exp", "log", "tanh", "sigmoid", "sqrt", "abs", "sin", "neg", "round")
BINARY = ("add", "mul", "div", "maximum", "gt", "pow", "atan2")
REDUCTIONS = ("sum", "mean", "max", "argmax", "std", "prod", "logsumexp")


def sized(group: str, shape: tuple[int, ...]) -> None:
    for name in UNARY:

        def unary(lib: Any, name: str = name) -> Callable[[], Any]:
            a = from_array(lib, np.abs(draws(*shape)) + 0.1)
            f = getattr(lib, name)
            return lambda: f(a)

        ROWS.append((group, name, unary))
    for name in BINARY:

        def binary(lib: Any, name: str = name) -> Callable[[], Any]:
            a, b = (from_array(lib, np.abs(draws(*shape)) + 0.1) for _ in range(2))
            f = getattr(lib, name)
            return lambda: f(a, b)

        ROWS.append((group, name, binary))
    for name in REDUCTIONS:

        def whole(lib: Any, name: str = name) -> Callable[[], Any]:
            a = from_array(lib, draws(*shape))
            f = getattr(lib, name)
            if name == "logsumexp":
                return lambda: f(a, tuple(range(len(shape))))
            return lambda: f(a)

        ROWS.append((group, f"{name} of all", whole))
    for name in ("sum", "amax", "softmax", "cumsum"):
        for dim in range(len(shape)):

            def along(lib: Any, name: str = name, dim: int = dim) -> Callable[[], Any]:
                a = from_array(lib, draws(*shape))
                f = getattr(lib, name)
                return lambda: f(a, dim)

            ROWS.append((group, f"{name} along {dim}", along))


sized("1000 x 1000", (1000, 1000))
sized("25 million", (5000, 5000))


@row("1000 x 1000", "a + b.T")
def _(lib: Any) -> Callable[[], Any]:
    a, b = from_array(lib, draws(1000, 1000)), from_array(lib, draws(1000, 1000))
    return lambda: a + b.T


@row("1000 x 1000", "a + row")
def _(lib: Any) -> Callable[[], Any]:
    a, b = from_array(lib, draws(1000, 1000)), from_array(lib, draws(1000))
    return lambda: a + b


@row("1000 x 1000", "a.T.contiguous()")
def _(lib: Any) -> Callable[[], Any]:
    a = from_array(lib, draws(1000, 1000))
    return lambda: a.T.contiguous()


@row("1000 x 1000", "sort")
def _(lib: Any) -> Callable[[], Any]:
    a = from_array(lib, draws(1000, 1000))
    return lambda: lib.sort(a)


@row("1000 x 1000", "topk(10)")
def _(lib: Any) -> Callable[[], Any]:
    a = from_array(lib, draws(1000, 1000))
    return lambda: lib.topk(a, 10)


@row("1000 x 1000", "a[index]")
def _(lib: Any) -> Callable[[], Any]:
    a, index = from_array(lib, draws(1000, 1000)), from_array(lib, np.random.default_rng(1).integers(0, 1000, 1000))
    return lambda: a[index]


@row("1000 x 1000", "randn")
def _(lib: Any) -> Callable[[], Any]:
    return lambda: lib.randn(1000, 1000)


@row("1000 x 1000", "rand")
def _(lib: Any) -> Callable[[], Any]:
    return lambda: lib.rand(1000, 1000)


# --- products ------------------------------------------------------------------------------------------------------


def product(n: int, dtype: type) -> None:
    def work(lib: Any) -> Callable[[], Any]:
        a, b = from_array(lib, draws(n, n, dtype=dtype)), from_array(lib, draws(n, n, dtype=dtype))
        return lambda: a @ b

    ROWS.append(("product", f"{n} x {n} {np.dtype(dtype)}", work))


for _n in (8, 16, 32, 64, 128, 256, 512, 1024, 2048):
    product(_n, np.float32)
for _n in (8, 64, 512, 1024):
    product(_n, np.float64)


@row("product", "batch of 64: 32 x 32")
def _(lib: Any) -> Callable[[], Any]:
    a, b = from_array(lib, draws(64, 32, 32)), from_array(lib, draws(64, 32, 32))
    return lambda: lib.matmul(a, b)


@row("product", "matrix 1000 x 1000 times vector")
def _(lib: Any) -> Callable[[], Any]:
    a, b = from_array(lib, draws(1000, 1000)), from_array(lib, draws(1000))
    return lambda: lib.matmul(a, b)


def rows(pattern: str | None) -> Iterator[tuple[str, str, Work]]:
    for group, name, work in ROWS:
        if pattern is None or pattern in f"{group}: {name}":
            yield group, name, work
