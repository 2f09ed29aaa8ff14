"""First and second derivatives against PyTorch's, for the operators of a committed table that may only grow."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
import gradients
import samples

TABLE = Path(__file__).with_name("gradient_coverage.tsv")
with TABLE.open() as file:
    ROWS = {row["operator"]: row for row in csv.DictReader(file, delimiter="\t")}
INFOS = {
    info.name + (f":{info.variant_test_name}" if info.variant_test_name else ""): info for info in samples.database()
}


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row["first"] == "right"))
def test_gradient(name):
    report = gradients.check(INFOS[name], 12)
    assert report.right, "\n".join(report.failures)
    if ROWS[name]["second"] == "right":
        assert not report.second_failures, "\n".join(report.second_failures)


def test_table_keeps_its_promise():
    first = [row["first"] == "right" for row in ROWS.values()]
    second = [row["second"] == "right" for row in ROWS.values() if row["second"] != "none"]
    assert sum(first) >= 0.9 * len(first)
    assert sum(second) >= 0.9 * len(second)
