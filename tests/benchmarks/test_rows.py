"""Every row of the benchmark runs under Lumbre, on small operands; the tables say what they mean."""

from __future__ import annotations

import functools
import time

import pytest

from benchmarks.libraries import library, quiet_warnings
from benchmarks.rows import ROWS, by_id, files, layers, networks, products, sizes, small
from benchmarks.suite import Operand, table, timer

TINY = {size: dict.fromkeys(of_size, (40, 40)) for size, of_size in sizes.SHAPES.items()}
FAMILIES = {
    "small": small.rows,
    "sizes": functools.partial(sizes.rows, TINY),
    "layers": functools.partial(layers.rows, (2, 32, 8, 8)),
    "products": products.rows,
    "networks": networks.rows,
    "files": files.rows,
}
BIG = ("2048", "5000x5000", "large")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_runs(family: str) -> None:
    ours, numpy = library("lumbre"), library("numpy")
    for row in FAMILIES[family]():
        if family in ("products", "files") and any(word in row.name for word in BIG):
            continue
        for lib in (ours, numpy) if row.numpy else (ours,):
            with quiet_warnings():
                names = lib.names(row)
                lib.answer(row, names)
                assert timer(lib.statement(row, names), names)(range(2), time.perf_counter) > 0


def test_tiny_rows_are_the_rows() -> None:
    """What the test above runs are the rows that are timed, on other sizes."""
    tiny = [row.group for rows in FAMILIES.values() for row in rows()]
    assert sorted(tiny) == sorted(row.group for row in ROWS)
    assert len(by_id()) == len(ROWS)


def test_a_table_is_read() -> None:
    rows = list(table("g", "a + b np: a - b gives: a\n\n-a", {"a": Operand((3,)), "b": Operand((3,), seed=1)}))
    assert [(row.statement, row.numpy, row.answer) for row in rows] == [("a + b", "a - b", "a"), ("-a", None, None)]
    assert rows[1].prepare(library("numpy")).keys() == {"a"}


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "broadcast"])
def test_layouts(layout: str) -> None:
    a = Operand((4, 6), layout=layout).make(library("lumbre"))
    assert tuple(a.shape) == (4, 6)
    strides = {"contiguous": (6, 1), "transposed": (1, 4), "strided": (24, 2), "broadcast": (0, 1)}
    assert a.stride() == strides[layout]
    assert (a.numpy() == Operand((4, 6), layout=layout).make(library("numpy"))).all()


def test_random_rows_are_seeded() -> None:
    ours = library("lumbre")
    row = next(row for row in ROWS if row.id == "small random: torch.randn(3)")
    first, second = (ours.answer(row, ours.names(row))[0] for _ in range(2))
    assert (first == second).all()
