"""Windows, numerical gradients, histograms and sums to a size, against PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre

BOTH = (lumbre, torch)


def outcome(library: Any, run: Any) -> Any:
    try:
        results = run(library)
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0].replace("lumbre", "torch")
    flat = results if isinstance(results, tuple | list) else [results]
    return [np.array(each.tolist()) for item in flat for each in (item if isinstance(item, tuple) else (item,))]


def hold(run: Any) -> None:
    ours, theirs = (outcome(library, run) for library in BOTH)
    if isinstance(theirs, tuple):
        assert ours == theirs
        return
    assert isinstance(ours, list), ours
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [-1, 0, 1, 2, 5, 8])
@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hann", "kaiser"])
def test_window(name: str, length: int, periodic: bool) -> None:
    hold(lambda t: getattr(t, f"{name}_window")(length, periodic))
    hold(lambda t: getattr(t, f"{name}_window")(length, periodic, dtype=t.float64))


@pytest.mark.parametrize("name", ["bartlett", "hann", "kaiser"])
def test_window_of_integers_is_refused(name: str) -> None:
    hold(lambda t: getattr(t, f"{name}_window")(4, dtype=t.int64))


def test_windows_with_parameters() -> None:
    hold(lambda t: t.hamming_window(5, True, 0.5, 0.5))
    hold(lambda t: t.kaiser_window(5, True, 3.0))
    assert lumbre.hann_window(4, requires_grad=True).requires_grad


X = [[1.0, 4.0, 2.0, 8.0], [3.0, 1.0, 5.0, 5.5], [0.0, 2.0, 9.0, 1.0]]
GRADIENTS = [
    {}, {"spacing": 2.0}, {"dim": 0}, {"dim": (1, 0)}, {"edge_order": 2}, {"edge_order": 3}, {"spacing": [1.0, 2.0]},
    {"spacing": [1.0, 2.0, 3.0]}, {"dim": (0, 0)}, {"dim": 5},
]  # fmt: skip


@pytest.mark.parametrize("keywords", GRADIENTS, ids=str)
def test_gradient(keywords: dict) -> None:
    hold(lambda t: t.gradient(t.tensor(X), **keywords))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_of_uneven_samples(edge_order: int) -> None:
    places = ([0.0, 1.0, 3.0], [0.0, 1.0, 1.5, 4.0])
    hold(lambda t: t.gradient(t.tensor(X), spacing=tuple(t.tensor(p) for p in places), edge_order=edge_order))
    hold(lambda t: t.gradient(t.tensor([1, 4, 9])))
    hold(lambda t: t.gradient(t.ones(1)))


@pytest.mark.parametrize("size", [(1, 4), (4,), (), (3, 1), (3,), (2, 3, 4), (1, 1)])
def test_sum_to_size(size: tuple[int, ...]) -> None:
    hold(lambda t: t.tensor(X).sum_to_size(size))


V = [1.0, 2.0, 1.0, 5.0, 2.5]
HISTOGRAMS = {
    "default": lambda t: t.histogram(t.tensor(V)),
    "bins": lambda t: t.histogram(t.tensor(V), 4),
    "range": lambda t: t.histogram(t.tensor(V), 4, range=(0.0, 4.0)),
    "edges": lambda t: t.histogram(t.tensor(V), t.tensor([0.0, 1.0, 2.0, 3.0])),
    "density": lambda t: t.histogram(t.tensor(V), 4, weight=t.tensor(V), density=True),
    "one value": lambda t: t.histogram(t.tensor([2.0, 2.0]), 3),
    "nothing": lambda t: t.histogram(t.tensor([]), 3),
    "nan in a range": lambda t: t.histogram(t.tensor([float("nan"), 1.0]), 3, range=(0.0, 2.0)),
    "nan": lambda t: t.histogram(t.tensor([float("nan"), 1.0]), 3),
    "integers": lambda t: t.histogram(t.tensor([1, 2]), 3),
    "no bins": lambda t: t.histogram(t.tensor(V), 0),
    "reversed range": lambda t: t.histogram(t.tensor(V), 3, range=(2.0, 1.0)),
    "endless range": lambda t: t.histogram(t.tensor(V), 3, range=(0.0, float("inf"))),
    "short range": lambda t: t.histogram(t.tensor(V), 3, range=(0.0,)),
    "matrix of edges": lambda t: t.histogram(t.tensor(V), t.ones(2, 2)),
    "one edge": lambda t: t.histogram(t.tensor(V), t.tensor([3.0])),
    "other dtype": lambda t: t.histogram(t.tensor(V), t.tensor([3.0, 4.0], dtype=t.float64)),
    "weights of another size": lambda t: t.histogram(t.tensor(V), 3, weight=t.ones(3)),
    "points": lambda t: t.histogramdd(t.tensor(X)[:, :2], [2, 3]),
    "points, one number": lambda t: t.histogramdd(t.tensor(X)[:, :2], 3),
    "points, edges": lambda t: t.histogramdd(t.tensor(X)[:, :2], [t.tensor([0.0, 1.0, 3.0]), t.tensor([0.0, 4.0])]),
    "points, density": lambda t: t.histogramdd(t.tensor(X)[:, :2], [2, 3], range=(0.0, 3.0, 1.0, 5.0), density=True),
    "points, bins missing": lambda t: t.histogramdd(t.tensor(X)[:, :2], [2]),
    "points of one dimension": lambda t: t.histogramdd(t.ones(3), [2]),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histogram(name: str) -> None:
    hold(HISTOGRAMS[name])


def test_histogram_prints_its_fields() -> None:
    made = [repr(library.histogram(library.tensor(V), 2)).replace("lumbre", "torch") for library in BOTH]
    assert made[0] == made[1]
    grids = [repr(library.histogramdd(library.tensor(X)[:, :2], [2, 2])).replace("lumbre", "torch") for library in BOTH]
    assert grids[0] == grids[1]


def test_meshgrid_as_pictures_have_it() -> None:
    for shapes in (((2,), (3,)), ((), (3,)), ((3,), ()), ((2,), (3,), (4,))):
        hold(lambda t, shapes=shapes: t.meshgrid(*(t.ones(*s) for s in shapes), indexing="xy"))


@pytest.mark.parametrize("name", ["tril_indices", "triu_indices"])
def test_triangles_of_every_offset(name):
    for row, col, offset in itertools.product(range(5), range(5), range(-6, 7)):
        theirs, ours = (getattr(module, name)(row, col, offset).tolist() for module in (torch, lumbre))
        assert ours == theirs, (row, col, offset)


@pytest.mark.parametrize(
    "sizes", [(1 << 40, 1), (1 << 62, 1 << 62), (1 << 62, 1 << 62, 1 << 61), (1 << 62, 1 << 62, -(1 << 61))]
)
def test_triangles_of_huge_sizes_are_refused_at_once(sizes):
    with pytest.raises((RuntimeError, MemoryError)):
        lumbre.tril_indices(*sizes)
