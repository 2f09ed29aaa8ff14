"""Every program of the gallery prints the same under PyTorch and under Lumbre: same seed, same losses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
GALLERY = Path(__file__).resolve().parents[1] / "examples" / "gallery"


@pytest.mark.parametrize("program", sorted(path.name for path in GALLERY.glob("*.py")))
def test_program(program):
    printed = []
    for runner in ([], ["-m", "lumbre"]):
        done = subprocess.run(
            [sys.executable, *runner, str(GALLERY / program)], capture_output=True, text=True, timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0].count("\n") > 3
    assert printed[1] == printed[0]
