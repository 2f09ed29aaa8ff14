"""What each technique brings: Lumbre against itself without it, in turn, on the rows that it is for.

``python benchmarks/ablation.py [--only word]`` copies the tree to ``build-ablation``, changes a line at a time, and writes the
table between the marks of ``docs/performance.md``. A change whose line is no longer there ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks.measuring import Bench, Condition
from benchmarks.processes import Peer
from benchmarks.report import fill, geometric_mean
from benchmarks.rows import chosen

BUILD = ROOT / "build-ablation"
TREE = BUILD / "tree"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- what each technique brings: written by benchmarks/ablation.py -->", "<!-- /brings -->"
CONDITION = Condition("all threads", None, False, (9, 25), 0.005, 3.0)


@dataclass(frozen=True)
class Technique:
    name: str
    rows: str  # a word of the rows that it is for
    file: str = ""
    line: str = ""
    without: str = ""  # what stands there without the technique
    setting: str = ""  # or the environment in which Lumbre does without it


TECHNIQUES = (
    Technique("large blocks are kept and used again", "large binary: a ", "core/base/memory.cc",
              "return std::min(ram / 8, size_t{1} << 30);", "return ram * 0;"),
    Technique("large blocks lie on huge pages", "large binary: a ", "core/base/memory.cc",
              "madvise(reinterpret_cast<void*>(aligned), bytes, MADV_HUGEPAGE);", ""),
    Technique("blocks up to 1 MB are kept and used again", "medium layers", "core/base/memory.cc",
              "kIdlePerClass = size_t{4} << 20", "kIdlePerClass = 0"),
    Technique("data up to 64 bytes lie inside their storage", "small pointwise", "core/tensor/storage.cc",
              "if (bytes > kInlineBytes) data", "if (bytes > 0) data"),
    Technique("nodes of the graph come from free lists", "small gradients", "core/autograd/node.cc",
              "kMaxIdle = 2048", "kMaxIdle = 0"),
    Technique("waiting threads spin before they sleep", "medium unary", "core/base/threads.cc", "kSpins = 4000", "kSpins = 0"),
    Technique("a thread has the same chunks each time", "medium in-place", "core/base/threads.cc",
              "count_(std::min(threads, kMaxShares))", "count_(1)"),
    Technique("two threads instead of one", "medium unary", setting="OMP_NUM_THREADS=1"),
    Technique("AVX-512 instead of AVX2", "medium unary", setting="LUMBRE_LEVEL=v3"),
    Technique("AVX2 instead of SSE4.2", "medium unary", setting="LUMBRE_LEVEL=v2"),
    Technique("AVX-512 instead of AVX2", "product float32", setting="LUMBRE_LEVEL=v3"),
    Technique("small linear maps multiply where the matrices lie", "small steps", "core/ops/products.cc",
              "kSmallLinear = 1 << 15", "kSmallLinear = 0"),
    Technique("the left matrix is read where it lies, not packed", "product float32", "core/ops/gemm.cc",
              "const bool contiguous = layout_a.column == 1;", "const bool contiguous = false;"),
    Technique("Adam is one call into the engine", "Adam, training", "lumbre/optim/adam.py",
              'if group["differentiable"] or group["capturable"]:\n            return False', "return False"),
)  # fmt: skip


def copied() -> None:
    """The sources as they are, where they may be changed."""
    BUILD.mkdir(exist_ok=True)
    for name in ("core", "lumbre", "CMakeLists.txt", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_C*.so")
            shutil.copytree(source, TREE / name, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy2(source, TREE / name)


def build() -> None:
    tools = Path(sys.executable).parent
    configure = [tools / "cmake", "-S", TREE, "-B", BUILD / "objects", "-G", "Ninja"]
    settings = [f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", f"-DPython_EXECUTABLE={sys.executable}"]
    output = f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={TREE / 'lumbre'}"
    with (BUILD / "build.log").open("w") as log:
        subprocess.run([*configure, *settings, output], check=True, stdout=log)
        jobs = str(os.cpu_count())
        subprocess.run([tools / "cmake", "--build", BUILD / "objects", "-j", jobs], check=True, stdout=log)


@contextlib.contextmanager
def without(technique: Technique) -> Iterator[None]:
    """The copied tree, built without the technique."""
    if not technique.file:
        yield
        return
    path = TREE / technique.file
    text = path.read_text(encoding="utf-8")
    if text.count(technique.line) != 1:
        raise ValueError(f"{technique.file} has {text.count(technique.line)} times what makes {technique.name!r}")
    path.write_text(text.replace(technique.line, technique.without), encoding="utf-8")
    try:
        build()
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        build()


def measured(technique: Technique) -> str:
    """A line of the table: how many times as fast Lumbre is with the technique."""
    rows = chosen(technique.rows)
    with contextlib.ExitStack() as stack:
        settings = (technique.setting,) if technique.setting else ()
        stack.enter_context(without(technique))
        peers = {"lumbre": Peer("lumbre"), "lumbre.before": Peer("lumbre.before", tree=TREE, settings=settings)}
        for peer in peers.values():
            stack.callback(peer.close)
        bench = Bench(peers, None, (CONDITION,))
        results = [bench.measure(row) for row in rows]
    failed = [result for result in results if "missing" in result or "differs" in result]
    if failed:
        raise ValueError(f"without {technique.name!r}: {failed}")
    found = {result["name"]: result["conditions"][CONDITION.name]["lumbre.before"]["ratio"] for result in results}
    most = max(found, key=lambda name: found[name])
    mean = geometric_mean(list(found.values()))
    return f"| {technique.name} | {technique.rows} | {len(found)} | {mean:.2f} | {found[most]:.2f}: `{most}` |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="techniques whose name contains this; the document stays as it is")
    options = parser.parse_args()
    copied()
    build()
    lines = ["| technique | rows | how many | times as fast with it | most |", "|---|---|---|---|---|"]
    for technique in TECHNIQUES:
        if options.only in technique.name:
            lines.append(measured(technique))
            print(lines[-1], flush=True)
    if not options.only:
        fill(DOCUMENT, BEGIN, END, "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
