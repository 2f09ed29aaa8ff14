"""The mission's notebook gives, cell by cell, the outputs that are stored in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples" / "introduccion.ipynb"

# Runs in a process of its own, since the alias cannot be undone; prints what each cell printed, as JSON.
DRIVER = """
import contextlib, io, json, sys
from lumbre import _alias, _notebook
_alias.install()
names, printed = {"__name__": "__main__"}, []
for cell in _notebook.read(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        cell.run(names)
    printed.append([cell.name, out.getvalue(), cell.stored_text()])
json.dump(printed, sys.stdout)
"""


def python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_cell() -> None:
    cells = json.loads(python("-c", DRIVER, str(NOTEBOOK)))
    assert sum(stored is not None for _, _, stored in cells) >= 9
    for name, printed, stored in cells:
        if stored is not None:
            assert printed == stored, name
    name, versions, _ = cells[0]
    assert versions.splitlines()[1].startswith("2.13.0"), name


def test_the_command_prints_the_same() -> None:
    printed = python("-m", "lumbre", str(NOTEBOOK))
    for cell in json.loads(python("-c", DRIVER, str(NOTEBOOK))):
        if cell[2] is not None:
            assert cell[2] in printed, cell[0]
