"""The examples print the same under PyTorch and under Lumbre."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_perceptron(tmp_path) -> None:
    for package in ("torch", "sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(package)
    printed = []
    for runner in ([], ["-m", "lumbre"]):
        picture = tmp_path / "picture.png"
        command = [sys.executable, *runner, "examples/perceptron_digits.py", "--steps", "300", "--output", str(picture)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert "held-out accuracy: 9" in printed[0]
