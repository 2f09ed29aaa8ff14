"""The hottest small paths stay within their budgets of instructions; the counting itself is read and judged correctly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import instructions
from benchmarks.instructions import Count, departures

HERE = {"compiler": "GCC 12", "python": "3.11"}

DUMP = """\
version: 1
events: Ir
ob=(1) /lib/python
fn=(1) f
0 100
cob=(2) /lumbre/_C.so
cfn=(2)
calls=3 0
0 5000
0 20
ob=(2)
fn=(2)
+3 40
* 2
totals: 162
"""


@pytest.mark.sweep
def test_budgets() -> None:
    try:
        counts = instructions.counted()
    except instructions.Unavailable as reason:
        pytest.skip(str(reason))
    budgets, tools = instructions.read_budgets()
    assert not departures(counts, budgets, instructions.toolchain(), tools)


def test_own_instructions_of_a_dump(tmp_path: Path) -> None:
    """What a callee cost is its own, not its caller's."""
    path = tmp_path / "counts.1"
    path.write_text(DUMP)
    assert instructions.instructions(path) == {"/lib/python": 120, "/lumbre/_C.so": 42}


def test_departures() -> None:
    budgets = {"a": Count(1000, 2000), "b": Count(1000, 2000)}
    within = {"a": Count(1029, 2050), "b": Count(971, 1950)}
    assert departures(within, budgets, HERE, HERE) == []
    over, under = departures({"a": Count(1031, 2000), "b": Count(1000, 1930)}, budgets, HERE, HERE)
    assert over.startswith("a: 1031 instructions (engine), 3.1% over") and "renew" in under
    # Another Python: only the engine's own; another compiler: a wider margin.
    assert departures({"a": Count(1000, 9000), "b": Count(1000, 9000)}, budgets, HERE | {"python": "3.12"}, HERE) == []
    elsewhere = HERE | {"compiler": "GCC 14"}
    assert departures({"a": Count(1140, 2000), "b": Count(1000, 2000)}, budgets, elsewhere, HERE) == []
    assert len(departures({"a": Count(1160, 2000), "b": Count(1000, 2000)}, budgets, elsewhere, HERE)) == 1
    assert departures({"a": Count(1000, 2000), "c": Count(1, 1)}, budgets, HERE, HERE) == [
        "b has a budget and is not counted",
        "c has no budget",
    ]


def test_budgets_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "budgets.tsv"
    counts = {"a + b": Count(12, 34)}
    instructions.write_budgets(counts, HERE, path)
    assert instructions.read_budgets(path) == (counts, HERE)


def test_every_path_has_a_budget() -> None:
    assert instructions.read_budgets()[0].keys() == set(instructions.PATHS)
