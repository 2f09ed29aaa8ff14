"""Modules against PyTorch's database of them. The committed table says what is right; it may only grow."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
import modules

with modules.TABLE.open() as file:
    ROWS = {row["module"]: row for row in csv.DictReader(file, delimiter="\t")}
INFOS = {info.name: info for info in modules.module_db}


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row["state"] == "right"))
def test_module(name: str) -> None:
    report = modules.check(INFOS[name])
    assert report.right, "\n".join(report.failures)
    assert report.samples >= int(ROWS[name]["samples"])
    assert report.gradients >= int(ROWS[name]["gradients"])
