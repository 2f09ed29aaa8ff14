"""A hundred thousand random calls: no crash, no hang."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.parametrize("seed", range(4))
def test_random_calls(seed: int, tmp_path: Path) -> None:
    log = tmp_path / "last_call.txt"
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--calls", "25000", "--seed", str(seed), "--log", str(log)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    last = log.read_text() if log.exists() else ""
    assert done.returncode == 0, f"after {last}\n{done.stdout[-500:]}\n{done.stderr[-3000:]}"
