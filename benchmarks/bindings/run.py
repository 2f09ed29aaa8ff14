"""What a binding layer costs: one class with an addition, bound by nanobind and with the bare C API, timed in turn.

``python benchmarks/bindings/run.py`` needs ``nanobind`` and ``cmake``; it builds both modules into a temporary
directory. Beside them stand Lumbre's own addition of three numbers, which does a tensor's work, and an empty loop, whose
time is taken off every figure. A figure is the least of the rounds, which other work on the machine disturbs least.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import lumbre

ROUNDS = 300
CALLS = 5_000  # short rounds: some of them are interrupted by nothing


def build(into: str) -> None:
    cmake = [sys.executable, "-m", "cmake"]
    python = f"-DPython_EXECUTABLE={sys.executable}"
    subprocess.run([*cmake, "-S", HERE, "-B", into, python], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*cmake, "--build", into], check=True, stdout=subprocess.DEVNULL)
    sys.path.insert(0, into)


def loop(statement: str, **names: Any) -> Any:
    """A function that runs the statement ``count`` times and gives the nanoseconds of one."""
    scope = {"clock": time.perf_counter_ns}
    arguments = ", ".join(f"{name}=names[{name!r}]" for name in names)
    source = (
        f"def run(count, {arguments}):\n start = clock()\n for _ in range(count): {statement}\n"
        " return (clock() - start) / count"
    )
    exec(source, scope | {"names": names}, scope)
    return scope["run"]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        build(directory)
        import with_c_api
        import with_nanobind

        rows = {"empty loop": loop("pass")}
        for name, module in (("nanobind", with_nanobind), ("C API", with_c_api)):
            a, b = module.Vector(1.0, 2.0, 3.0), module.Vector(4.0, 5.0, 6.0)
            assert list((a + b).tolist()) == list(module.add(a, b).tolist()) == [5.0, 7.0, 9.0]
            rows[f"{name}: a + b"] = loop("a + b", a=a, b=b)
            rows[f"{name}: add(a, b)"] = loop("add(a, b)", a=a, b=b, add=module.add)
        a, b = lumbre.tensor([1.0, 2.0, 3.0]), lumbre.tensor([4.0, 5.0, 6.0])
        rows["Lumbre: a + b"] = loop("a + b", a=a, b=b)
        rows["Lumbre: add(a, b)"] = loop("add(a, b)", a=a, b=b, add=lumbre.add)
        times: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, run in rows.items():
                times[name].append(run(CALLS))
        nothing = min(times.pop("empty loop"))
        for name, found in times.items():
            print(f"{name:22}{min(found) - nothing:8.1f} ns")


if __name__ == "__main__":
    main()
