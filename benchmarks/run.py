"""Times the rows under Lumbre, PyTorch and NumPy in turn, in one process, and writes a table and a picture.

``python benchmarks/run.py [--rows word]`` writes ``out/benchmarks.md``, ``.json`` and ``.png``. A figure is the median of
the ratios of neighbouring measurements, so that a machine whose speed drifts does not decide it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np
import torch
from rows import rows

import lumbre

try:
    import jax
    import jax.numpy
except ImportError:
    jax = None

ROUNDS = 7
SECONDS = 0.02  # of one measurement, at least one call
SETTLE = 0.01  # until the other library's threads have stopped spinning on the second core


def measure(call: Any) -> float:
    """Seconds per call."""
    time.sleep(SETTLE)
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    count = max(1, min(100_000, int(SECONDS / max(once, 1e-7))))
    loop = range(count)
    start = time.perf_counter()
    for _ in loop:
        call()
    return (time.perf_counter() - start) / count


def agree(ours: Any, theirs: Any) -> bool:
    """Whether both computed the same, before they are timed."""
    if isinstance(theirs, torch.Tensor):
        return np.allclose(ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-3, equal_nan=True)
    if isinstance(theirs, tuple | list) and theirs and isinstance(theirs[0], torch.Tensor):
        return agree(ours[0], theirs[0])
    return True


def blocked(call: Any) -> Any:
    return jax.block_until_ready(call())


def compare(group: str, name: str, work: Any) -> dict[str, Any]:
    result: dict[str, Any] = {"group": group, "name": name}
    peers: list[tuple[str, ModuleType]] = [("torch", torch), ("numpy", np)]
    try:
        ours = work(lumbre)
        ours()
    except (AttributeError, NotImplementedError) as error:
        return result | {"missing": str(error)}
    if jax is not None:
        peers.append(("jax", jax.numpy))
    for peer, module in peers:
        try:
            theirs = work(module)
            if peer == "jax":  # it returns before it has computed
                theirs = functools.partial(blocked, theirs)
            first = theirs()
        except (AttributeError, TypeError, ValueError):
            continue
        if peer == "torch" and not name.startswith("rand") and not agree(ours(), first):
            raise AssertionError(f"{group}: {name}: the results differ")
        pairs = [(measure(ours), measure(theirs)) for _ in range(ROUNDS)]
        result.setdefault("lumbre_ns", statistics.median(ours for ours, _ in pairs) * 1e9)
        result[f"{peer}_ns"] = statistics.median(theirs for _, theirs in pairs) * 1e9
        result[f"{peer}_ratio"] = statistics.median(theirs / ours for ours, theirs in pairs)
    return result


def start_up() -> list[dict[str, Any]]:
    """Import time as whole processes, less that of Python itself; and what an installation weighs."""

    def seconds(code: str) -> float:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        times = []
        for _ in range(9):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    bare, ours, theirs = seconds("pass"), seconds("import lumbre"), seconds("import torch")
    extension = next((ROOT / "lumbre").glob("_C*.so")).stat().st_size
    package = sum(
        file.stat().st_size
        for file in (ROOT / "lumbre").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )
    blas = Path(
        subprocess.check_output(
            [sys.executable, "-c", "import scipy_openblas32 as b; print(b.__path__[0])"], text=True
        ).strip()
    )
    installed = package + sum(file.stat().st_size for file in blas.rglob("*") if file.is_file())
    return [
        {"group": "start", "name": "import, whole process", "lumbre_ns": ours * 1e9, "torch_ns": theirs * 1e9, "torch_ratio": theirs / ours},
        {"group": "start", "name": "import, less Python's own start", "lumbre_ns": (ours - bare) * 1e9, "torch_ns": (theirs - bare) * 1e9,
         "torch_ratio": (theirs - bare) / max(ours - bare, 1e-9)},
        {"group": "start", "name": f"extension {extension / 1e6:.1f} MB, installed {installed / 1e6:.1f} MB"},
    ]  # fmt: skip


def duration(nanoseconds: float | None) -> str:
    if nanoseconds is None:
        return ""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def table(results: list[dict[str, Any]]) -> str:
    lines = ["| row | Lumbre | PyTorch | ratio | NumPy | ratio | JAX ratio |", "|---|---|---|---|---|---|---|"]
    for r in results:
        if "missing" in r:
            lines.append(f"| {r['group']}: {r['name']} | missing: {r['missing']} | | | | | |")
            continue
        ratio = f"{r['torch_ratio']:.2f}" if "torch_ratio" in r else ""
        other = f"{r['numpy_ratio']:.2f}" if "numpy_ratio" in r else ""
        third = f"{r['jax_ratio']:.2f}" if "jax_ratio" in r else ""
        lines.append(
            f"| {r['group']}: {r['name']} | {duration(r.get('lumbre_ns'))} | {duration(r.get('torch_ns'))} | {ratio} | "
            f"{duration(r.get('numpy_ns'))} | {other} | {third} |"
        )
    return "\n".join(lines)


def picture(results: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [r for r in results if "torch_ratio" in r]
    if not shown:
        return
    groups = list(dict.fromkeys(r["group"] for r in shown))
    figure, axis = plt.subplots(figsize=(9, 0.19 * len(shown) + 1.5))
    colours = plt.get_cmap("tab10")
    axis.barh(
        range(len(shown)),
        [r["torch_ratio"] for r in shown],
        color=[colours(groups.index(r["group"])) for r in shown],
    )
    axis.axvline(1, color="black", linewidth=1)
    axis.set_yticks(range(len(shown)), [f"{r['group']}: {r['name']}" for r in shown], fontsize=6)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel("times as fast as PyTorch (log scale; right of the line: faster)")
    axis.margins(y=0.005)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", help="only rows whose 'group: name' contains this")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = [] if options.rows else start_up()
    for group, name, work in rows(options.rows):
        results.append(compare(group, name, work))
        r = results[-1]
        print(
            f"{group}: {name}: {duration(r.get('lumbre_ns'))}, ratio {r.get('torch_ratio', float('nan')):.2f} {r.get('missing', '')}",
            flush=True,
        )
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
    text = f"# Benchmarks\n\nMeasured on {machine}; {torch.get_num_threads()} threads. A ratio above 1 means that Lumbre is faster.\n\n{table(results)}\n"
    (options.out / "benchmarks.md").write_text(text)
    (options.out / "benchmarks.json").write_text(json.dumps({"machine": machine, "rows": results}, indent=1))
    picture(results, options.out / "benchmarks.png")
    behind = [r for r in results if r.get("torch_ratio", 1) < 0.95]
    print(
        f"{len(results)} rows, {len(behind)} behind PyTorch: {', '.join(r['group'] + ': ' + r['name'] for r in behind)}"
    )
    print(f"written to {options.out}/benchmarks.md, .json and .png")


if __name__ == "__main__":
    main()
