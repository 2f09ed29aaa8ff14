"""Operators against PyTorch's samples. The committed table says what is right; it may only grow."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
import samples

assert importlib.util.find_spec("torch") is not None
TABLE = Path(__file__).with_name("coverage.tsv")
with TABLE.open() as file:
    ROWS = {row["operator"]: row for row in csv.DictReader(file, delimiter="\t")}
INFOS = {
    info.name + (f":{info.variant_test_name}" if info.variant_test_name else ""): info for info in samples.database()
}


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row["state"] == "right"))
def test_operator(name: str) -> None:
    report = samples.check(INFOS[name])
    assert report.right, "\n".join(report.failures + report.inplace_failures + report.out_failures)
    allowed = int(ROWS[name]["wrongly handled errors"])
    assert len(report.error_failures) <= allowed, "\n".join(report.error_failures)


def test_table_has_the_promised_size() -> None:
    names = {name.partition(":")[0] for name in INFOS}
    wrong = {name.partition(":")[0] for name, row in ROWS.items() if row["state"] != "right"}
    assert len(names - wrong) >= 300


def test_error_samples_are_refused() -> None:
    total = sum(int(row["error samples"]) for row in ROWS.values())
    missed = sum(int(row["wrongly handled errors"]) for row in ROWS.values())
    assert missed <= 0.05 * total
