"""Lists the names of a census that Lumbre does not have.

The census is a table of tabs: name ("torch.nn.Linear", "Tensor.add"), projects that use it, uses.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lumbre


def find(name: str) -> Any:
    root, _, rest = name.partition(".")
    value: Any = lumbre if root == "torch" else lumbre.Tensor
    path = "lumbre"
    for part in rest.split(".") if rest else []:
        path += f".{part}"
        try:
            value = getattr(value, part)
        except AttributeError:
            value = importlib.import_module(path)
    return value


def main() -> None:
    missing = []
    total = 0
    for line in Path(sys.argv[1]).read_text().splitlines():
        name, projects, uses = line.split("\t")
        if name.split(".")[0] not in ("torch", "Tensor"):
            continue
        total += 1
        try:
            find(name)
        except Exception as error:
            missing.append((int(projects), int(uses), name, type(error).__name__))
    for projects, uses, name, error in sorted(missing, reverse=True):
        print(f"{name}\t{projects}\t{uses}\t{error}")
    print(f"{total - len(missing)} of {total} names are there", file=sys.stderr)


if __name__ == "__main__":
    main()
