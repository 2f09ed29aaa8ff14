"""The programs in the READMEs run, and print what the comments beside their print() calls say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["README.md", "README.es.md"])
def test_programs(name) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    assert programs
    for program in programs:
        promised = re.findall(r"^print\(.*\)\s+# ([^\n]*)$", program, re.MULTILINE)
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        assert len(printed) == len(promised) > 0
        for text, promise in zip(printed, promised, strict=True):
            assert promise.startswith(text)


def test_both_languages_tell_the_same() -> None:
    def outline(name: str) -> tuple[int, int]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return len(re.findall(r"^#+ ", text, re.MULTILINE)), text.count("```")

    assert outline("README.md") == outline("README.es.md")
