"""Runs a notebook's cells in order, and shows what Jupyter would show as text."""

from __future__ import annotations

import ast
import json
import linecache
import os
import re
import sys

TYPE_CHECKING = False  # typing itself takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any


class NotebookError(Exception):
    """The notebook cannot be run, and why."""


# What only IPython understands, at the beginning of a statement or after `name =`.
_MAGIC = re.compile(r"^\s*(?:[\w.,\s]+=\s*)?(?P<magic>%{1,2}\w+|![^\s=].*|\?{1,2}\w[\w.]*|[\w.]+\?{1,2}\s*$)")


class Cell:
    """A code cell: its source, the name under which tracebacks show it, and the outputs stored with it."""

    def __init__(self, number: int, notebook: str, source: str, outputs: list[dict[str, Any]]) -> None:
        self.name = f"{notebook}, cell {number}"
        self.source = source
        self.outputs = outputs
        if not _is_python(source):
            self.source = self._without_magics(source)

    def _without_magics(self, source: str) -> str:
        lines = source.split("\n")
        for number, line in enumerate(lines):
            found = _MAGIC.match(line)
            if not found:
                continue
            magic = found["magic"].strip()
            if magic.split()[0] != "%matplotlib":
                raise NotebookError(
                    f"{self.name.rpartition(', ')[2]}: `{line.strip()}` is a command of IPython ({magic.split()[0]}), "
                    "not Python: remove it or put it in Python's words, and run the notebook again"
                )
            lines[number] = re.match(r"\s*", line)[0] + "pass"  # type: ignore[index]
        return "\n".join(lines)

    def parse(self) -> tuple[ast.Module, ast.Expression | None]:
        """The statements, and the last one apart where Jupyter would show its value."""
        tree: ast.Module = compile(self.source, self.name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)  # type: ignore[assignment]
        if not tree.body or not isinstance(tree.body[-1], ast.Expr):
            return tree, None
        last = tree.body[-1]
        line = self.source.encode().split(b"\n")[(last.end_lineno or 1) - 1]
        if line[last.end_col_offset :].strip().startswith(b";"):
            return tree, None
        tree.body.pop()
        return tree, ast.Expression(last.value)

    def run(self, names: dict[str, Any]) -> None:
        # Without a time of change the line cache keeps them: tracebacks and inspect.getsource show the cell's lines.
        linecache.cache[self.name] = (len(self.source), None, self.source.splitlines(keepends=True), self.name)
        statements, last = self.parse()
        exec(compile(statements, self.name, "exec", dont_inherit=True), names)
        if last is not None:
            sys.displayhook(eval(compile(last, self.name, "eval", dont_inherit=True), names))

    def stored_text(self) -> str | None:
        """What the stored outputs print; None when nothing is stored."""
        if not self.outputs:
            return None
        return "".join(
            _joined(o["text"]) if o["output_type"] == "stream" else _joined(o["data"]["text/plain"]) + "\n"
            for o in self.outputs
        )


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def display(*values: Any) -> None:
    """What notebooks call to show a value that is not a cell's last expression."""
    for value in values:
        print(repr(value))


def read(path: str) -> list[Cell]:
    """The code cells of a notebook."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise NotebookError(f"not a notebook: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise NotebookError("not a notebook of format 4: open it in Jupyter and save it again")
    name = os.path.basename(path)
    codes = [cell for cell in content["cells"] if cell.get("cell_type") == "code"]
    return [Cell(i, name, _joined(c["source"]), c.get("outputs", [])) for i, c in enumerate(codes, 1)]
