"""Counts the instructions of the hottest small paths, and holds them to committed budgets.

``python benchmarks/instructions.py`` prints them, ``--check`` fails where one left its budget, ``--write`` renews the
budgets. They are counted under valgrind, which shows every machine the same processor: no clock, so no noise. The engine's
own instructions (those of the extension) are told apart from all of the process's, which depend on the build of Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGETS = Path(__file__).with_suffix(".tsv")
ALLOWED = 0.03
ALLOWED_ELSEWHERE = 0.15  # of the engine's, under another compiler
CALLS = 300
MARK = "getppid"  # a call of it ends a stretch of counting

SETUP = """
import lumbre as torch
nn, F = torch.nn, torch.nn.functional
a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0])
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
v = torch.ones(4, 2)
linear = nn.Linear(3, 3)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
target = torch.zeros(4, 1)

def step():
    optimizer.zero_grad()
    F.mse_loss(net(v), target).backward()
    optimizer.step()
"""
PATHS = (
    "a + b",
    "a * 2",
    "a.mul_(1.0)",
    "a.sum()",
    "a[1]",
    "v.reshape(2, 4)",
    "torch.tensor([1.0, 2.0, 3.0])",
    "torch.sigmoid(x)",
    "linear(a)",
    "step()",
)


@dataclass(frozen=True)
class Count:
    """Instructions of one call."""

    engine: int
    whole: int


class Unavailable(Exception):
    """Valgrind is not there."""


def program() -> str:
    """Runs each path n times and twice n times, with a mark before and after: what a path costs is the difference."""
    lines = ["import gc, os", "gc.disable()", SETUP]
    for path in PATHS:
        lines += [f"def run(count):\n    for _ in range(count): {path}"]
        lines += [f"run({CALLS})", f"os.{MARK}()", f"run({CALLS})", f"os.{MARK}()", f"run({2 * CALLS})", f"os.{MARK}()"]
    return "\n".join(lines)


def counted(tree: Path = ROOT) -> dict[str, Count]:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise Unavailable("instructions are counted by valgrind, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            valgrind,
            "--tool=callgrind",
            f"--dump-before={MARK}",
            f"--callgrind-out-file={folder}/counts",
            sys.executable,
            "-c",
            program(),
        ]
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the counted program failed:\n{done.stderr[-3000:]}")
        return {path: of_path(Path(folder), number) for number, path in enumerate(PATHS)}


def of_path(folder: Path, number: int) -> Count:
    """The second and the third of a path's three dumps hold its stretches of n and of 2n calls."""
    once, twice = (instructions(folder / f"counts.{3 * number + place}") for place in (2, 3))
    differences = {name: twice[name] - once[name] for name in twice}
    mine = sum(count for name, count in differences.items() if Path(name).name.startswith("_C."))
    return Count(round(mine / CALLS), round(sum(differences.values()) / CALLS))


def instructions(dump: Path) -> Counter[str]:
    """The instructions that each object file executed itself, from a file in callgrind's format."""
    names: dict[str, str] = {}
    found: Counter[str] = Counter()
    current, is_call = "", False
    for line in dump.read_text().splitlines():
        if match := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?$", line):
            called, key, name = match.groups()
            if name:
                names[key] = name
            if not called:
                current = key
        elif line.startswith("calls="):
            is_call = True  # the next line holds what the callee cost
        elif re.match(r"[-+*\d]", line):
            if not is_call:
                found[current] += int(line.split()[1])
            is_call = False
    return Counter({names[key]: count for key, count in found.items()})


# --- budgets ----------------------------------------------------------------------------------------------------------


def extension() -> str:
    sys.path.insert(0, str(ROOT))
    found = importlib.util.find_spec("lumbre._C")
    assert found is not None and found.origin is not None
    return found.origin


def toolchain() -> dict[str, str]:
    """What the counts depend on, other than the code."""
    compilers = re.findall(rb"(?:GCC: \([^)]*\)|clang version) [\d.]+", Path(extension()).read_bytes())
    return {
        "compiler": ", ".join(sorted({name.decode() for name in compilers})),
        "python": " ".join(sys.version.split()),
    }


def read_budgets(path: Path = BUDGETS) -> tuple[dict[str, Count], dict[str, str]]:
    tools, budgets = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and ": " in line:
            key, _, value = line[2:].partition(": ")
            tools[key] = value
        elif line and not line.startswith(("#", "path\t")):
            name, engine, whole = line.split("\t")
            budgets[name] = Count(int(engine), int(whole))
    return budgets, tools


def write_budgets(counts: Mapping[str, Count], tools: Mapping[str, str], path: Path = BUDGETS) -> None:
    lines = ["# Instructions of one call. Written by benchmarks/instructions.py --write"]
    lines += [f"# {key}: {value}" for key, value in tools.items()]
    lines += ["path\tengine\twhole", *(f"{name}\t{count.engine}\t{count.whole}" for name, count in counts.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def departures(
    counts: Mapping[str, Count], budgets: Mapping[str, Count], tools: Mapping[str, str], budget_tools: Mapping[str, str]
) -> list[str]:
    """What is beyond its budget, and what is so far below it that the budget must follow."""
    same_python = tools["python"] == budget_tools["python"]
    allowed = ALLOWED if tools["compiler"] == budget_tools["compiler"] else ALLOWED_ELSEWHERE
    found = [f"{name} has no budget" for name in counts.keys() - budgets.keys()]
    found += [f"{name} has a budget and is not counted" for name in budgets.keys() - counts.keys()]
    for name in counts.keys() & budgets.keys():
        kinds = [("engine", allowed)]
        if same_python and allowed == ALLOWED:
            kinds.append(("whole", ALLOWED))
        for kind, tolerance in kinds:
            now, budget = getattr(counts[name], kind), getattr(budgets[name], kind)
            if now > budget * (1 + tolerance):
                found.append(f"{name}: {now} instructions ({kind}), {now / budget - 1:.1%} over its budget of {budget}")
            elif now < budget * (1 - tolerance):
                found.append(
                    f"{name}: {now} instructions ({kind}), less than its budget of {budget}: renew it with --write"
                )
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where a path left its budget")
    parser.add_argument("--write", action="store_true", help="renew the budgets")
    parser.add_argument("--tree", type=Path, default=ROOT, help="another built tree of Lumbre to count in")
    options = parser.parse_args()
    counts, tools = counted(options.tree), toolchain()
    budgets, budget_tools = read_budgets() if BUDGETS.exists() else ({}, tools)
    print(f"{'path':32}{'engine':>8}{'budget':>8}{'whole':>8}{'budget':>8}")
    for name, count in counts.items():
        budget = budgets.get(name)
        print(
            f"{name:32}{count.engine:8}{budget.engine if budget else '':>8}{count.whole:8}{budget.whole if budget else '':>8}"
        )
    if options.write:
        write_budgets(counts, tools)
    if options.check:
        found = departures(counts, budgets, tools, budget_tools)
        print("\n".join(found))
        return 1 if found else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
