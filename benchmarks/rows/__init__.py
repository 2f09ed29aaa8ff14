"""Every row of the suite, a file per family."""

from __future__ import annotations

import functools

from benchmarks.rows import files, layers, networks, products, sizes, small
from benchmarks.suite import Row

ROWS: list[Row] = [row for family in (small, sizes, layers, products, networks, files) for row in family.rows()]


@functools.cache
def by_id() -> dict[str, Row]:
    found = {row.id: row for row in ROWS}
    if len(found) != len(ROWS):
        twice = {row.id for row in ROWS if sum(other.id == row.id for other in ROWS) > 1}
        raise ValueError(f"rows of one name: {sorted(twice)}")
    return found


def find(row_id: str) -> Row:
    return by_id()[row_id]


def chosen(word: str | None) -> list[Row]:
    return [row for row in ROWS if word is None or word in row.id]
