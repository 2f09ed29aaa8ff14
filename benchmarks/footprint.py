"""What no statement shows: start-up, resident memory, and the size of an installation. Whole processes, in turn."""

from __future__ import annotations

import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measuring import figures

ROOT = Path(__file__).resolve().parents[1]
GROUP = "process"
LIBRARIES = ("lumbre", "torch")
ROUNDS = 5

FIRST_STEP = """
net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
torch.nn.functional.mse_loss(net(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
optimizer.step()
"""
DIGITS = """
net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
optimizer = torch.optim.Adam(net.parameters())
for _ in range(20):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(torch.randn(64, 784)), torch.randint(0, 10, (64,))).backward()
    optimizer.step()
"""
IMAGES = """
net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(6272, 10))
optimizer = torch.optim.Adam(net.parameters())
for _ in range(20):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(torch.randn(64, 1, 28, 28)), torch.randint(0, 10, (64,))).backward()
    optimizer.step()
"""
PERCEPTRON = """
w, b = torch.zeros(1, 64, requires_grad=True), torch.zeros(1, requires_grad=True)
x, y = torch.randn(64), torch.ones(1)
for _ in range(20):
    torch.nn.functional.binary_cross_entropy(torch.sigmoid(w @ x + b), y).backward()
"""
POLICY = """
net = torch.nn.Sequential(
    torch.nn.Linear(4, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2)
)
with torch.no_grad():
    for _ in range(20):
        net(torch.randn(4))
"""
SEQUENCES = """
net = torch.nn.LSTM(32, 64, batch_first=True)
optimizer = torch.optim.Adam(net.parameters())
for _ in range(20):
    optimizer.zero_grad()
    net(torch.randn(16, 32, 32))[0].square().mean().backward()
    optimizer.step()
"""
ATTENTION = """
net = torch.nn.TransformerEncoderLayer(128, 4, batch_first=True)
optimizer = torch.optim.Adam(net.parameters())
for _ in range(20):
    optimizer.zero_grad()
    net(torch.randn(8, 64, 128)).square().mean().backward()
    optimizer.step()
"""
# The program after its import, and whether its time, its peak of memory or both are rows.
PROGRAMS = {
    "import": ("", "time, memory"),
    "import and a first step of 2-8-1": (FIRST_STEP, "time, memory"),
    "20 steps of 784-256-10": (DIGITS, "memory"),
    "20 steps of a CNN": (IMAGES, "memory"),
    "20 steps of a perceptron": (PERCEPTRON, "memory"),
    "a first step of 2-8-1 with Adam": (FIRST_STEP.replace("SGD", "Adam"), "memory"),
    "20 steps of a 4-64-64-2 policy, inference": (POLICY, "memory"),
    "20 steps of an LSTM": (SEQUENCES, "memory"),
    "20 steps of a transformer layer": (ATTENTION, "memory"),
    "a + b of 100 MB, ten times": (
        "a, b = torch.ones(25_000_000), torch.ones(25_000_000)\nfor _ in range(10): c = a + b",
        "memory",
    ),
}


def rows(word: str | None) -> Iterator[dict[str, Any]]:
    for name, (program, kinds) in PROGRAMS.items():
        for kind, unit, measure, rounds in (("time", "ns", seconds, ROUNDS), ("memory", "bytes", peak, 1)):
            if kind in kinds and (word is None or word in f"{GROUP}: {name}, {kind}"):
                runs = [{library: measure(library, program) for library in LIBRARIES} for _ in range(rounds)]
                yield row(f"{name}, {kind}", unit, {library: [one[library] for one in runs] for library in LIBRARIES})
    name = "installed size, with what it needs"
    if word is None or word in f"{GROUP}: {name}":
        yield row(name, "bytes", {"lumbre": [lumbre_size()], "torch": [installed_size("torch")]})


def row(name: str, unit: str, found: dict[str, list[float]]) -> dict[str, Any]:
    result = figures(found, 0, None)
    if unit == "bytes":
        for library in found:
            result[library]["value"] = statistics.median(found[library])
    return {"group": GROUP, "name": name, "unit": unit, "conditions": {"all threads": result}}


def seconds(library: str, program: str) -> float:
    """That a process of its own takes."""
    start = time.perf_counter()
    output(library, program)
    return time.perf_counter() - start


# A process's own peak: what wait4(2) tells includes that of the process which started it.
PEAK = """
import resource, sys
try:
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")) * 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak)
"""


def peak(library: str, program: str) -> float:
    """The most resident bytes that a process of its own has."""
    return float(output(library, program + PEAK))


def output(library: str, program: str) -> str:
    command = [sys.executable, "-c", f"import {library} as torch\n{program}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def lumbre_size() -> int:
    """The package as a wheel would hold it, and its dependencies."""
    package = ROOT / "lumbre"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    needed = re.search(r"^dependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert needed is not None
    names = re.findall(r'"([A-Za-z0-9_.-]+)', needed[1])
    return sum(path.stat().st_size for path in files) + sum(installed_size(name) for name in names)


def installed_size(name: str, seen: set[str] | None = None) -> int:
    """The files of an installed distribution, and of all that it requires."""
    seen = set() if seen is None else seen
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return 0
    seen.add(key)
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return 0  # required under a condition that does not hold here
    files = [
        path for file in distribution.files or () if ".pyc" not in file.name and (path := Path(file.locate())).is_file()
    ]
    needed = [
        re.split(r"[^A-Za-z0-9_.-]", text, maxsplit=1)[0]
        for text in distribution.requires or ()
        if "extra ==" not in text
    ]
    return sum(path.stat().st_size for path in files) + sum(installed_size(other, seen) for other in needed)
