"""Training programs run under both libraries: the same initial weights to the bit, every printed number to 4 digits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


def printed(program: Path, *runner: str) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, *runner, str(program)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program(program):
    expected, found = printed(program), printed(program, "-m", "lumbre")
    assert len(expected) > 20
    assert found[0] == expected[0]  # the weights before the first step
    assert len(found) == len(expected)
    for theirs, ours in zip(expected, found, strict=True):
        assert len(theirs) == len(ours)
        for a, b in zip(theirs, ours, strict=True):
            if (x := number(a)) is None:
                assert a == b
            else:
                assert number(b) == pytest.approx(x, rel=1e-4, abs=1e-5), (theirs, ours)
