"""Where the time of a small training step goes: ``python benchmarks/flame.py`` samples it and draws a flame graph.

It builds the extension with its functions' names into ``build-profile``, samples the 2-8-1 network's SGD step with ``perf``,
and writes ``docs/step.svg`` and the table between the marks of ``docs/performance.md``. Widths are shares of the samples;
an outer call stands below what it calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks.instructions import SETUP
from benchmarks.report import fill

BUILD = ROOT / "build-profile"
PACKAGE = BUILD / "package" / "lumbre"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- where a step's time goes: written by benchmarks/flame.py -->", "<!-- /where -->"
SECONDS, START, FREQUENCY = 10.0, 2.0, 2999
PROGRAM = f"""
import time
{SETUP}
end = time.perf_counter() + {SECONDS}
times = []
while time.perf_counter() < end:
    start = time.perf_counter()
    for _ in range(200):
        step()
    times.append((time.perf_counter() - start) / 200)
print(sorted(times)[len(times) // 2] * 1e9)
"""
Stack = tuple[str, ...]  # functions with their parts, outermost first

# Parts of a step, by the name of the function or of its library; the first that matches.
PARTS = {
    "Python's interpreter": r"\[libpython|\[python",
    "arguments, objects and bindings (core/python)": r"^python::",
    "recording and running the graph (core/autograd, core/ops/graph)": r"^autograd::|Node|History|Saved|Graph|recorded",
    "loops over memory (core/kernels, core/ops/pointwise)": r"^v[234]::",
    "operators: checks, shapes, formulas (core/ops)": r"^ops::|^op::|^detail::|invoke|Backward|gradient|pointwise",
    "tensors, memory, threads (core/tensor, core/base)": r"\[_C",
    "the C library": r"\[libc|\[ld-|\[libm",
    "OpenBLAS": r"openblas",
    "the kernel": r"\[kernel|\[unknown",
}
COLOURS = ("#9ecae1", "#fdae6b", "#e6550d", "#74c476", "#fdd0a2", "#bdbdbd", "#bcbddc", "#d9d9d9", "#eeeeee")


def build() -> None:
    """The extension with names, in a package of links to the rest of Lumbre's."""
    tools = Path(sys.executable).parent
    PACKAGE.mkdir(parents=True, exist_ok=True)
    configure = [tools / "cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
    settings = [
        "-DLUMBRE_SYMBOLS=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={PACKAGE}",
    ]
    with (BUILD / "cmake.log").open("w") as log:
        subprocess.run([*configure, *settings], check=True, stdout=log)
        subprocess.run([tools / "cmake", "--build", BUILD, "-j", str(os.cpu_count())], check=True, stdout=log)
    for path in (ROOT / "lumbre").iterdir():
        link = PACKAGE / path.name
        if not path.name.startswith("_C.cpython") and path.name != "__pycache__" and not link.exists():
            link.symlink_to(path)


def sample() -> tuple[list[Stack], float]:
    """The stacks of the samples, and the nanoseconds of a step while nothing samples it."""
    where = {"cwd": PACKAGE.parent, "env": os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}}  # before any other lumbre
    python = [sys.executable, "-c", PROGRAM]
    undisturbed = subprocess.run(python, **where, check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "samples"
        record = [
            "perf",
            "record",
            "-q",
            "-D",
            str(int(START * 1000)),
            "-F",
            str(FREQUENCY),
            "--call-graph",
            "dwarf,8192",
        ]
        subprocess.run([*record, "-o", data, *python], **where, check=True, stdout=subprocess.DEVNULL)
        script = ["perf", "script", "-i", data, "--no-inline", "-F", "ip,sym,dso"]
        text = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    return list(stacks(text)), float(undisturbed.stdout)


def stacks(text: str) -> Iterator[Stack]:
    """The stacks of what ``perf script`` prints, without what starts Python."""
    for block in re.split(r"\n\s*\n", text):
        frames = re.findall(r"^\s*[0-9a-f]+ (.*) \((.*)\)$", block, re.MULTILINE)
        names = [f"{short(symbol)} [{Path(library).name.partition('.')[0]}]" for symbol, library in frames]
        start = next((place for place, name in enumerate(names) if name.startswith("PyEval_EvalCode ")), None)
        if start:
            yield tuple(reversed(names[:start]))


def short(symbol: str) -> str:
    """A function's name without its arguments, its offset and what is the same for all."""
    symbol = re.sub(r"\+0x.*|@@.*|\[abi:[^]]*\]|\(anonymous namespace\)::", "", symbol)
    while symbol != (shorter := re.sub(r"<[^<>]*>|\([^()]*\)", "", symbol)):
        symbol = shorter
    return symbol.removeprefix("lumbre::").removesuffix(" const").strip() or "?"


def part(name: str) -> int:
    return next((place for place, pattern in enumerate(PARTS.values()) if re.search(pattern, name)), len(PARTS))


def shares(found: list[Stack], nanoseconds: float) -> str:
    """A table of the parts, by the function that was running."""
    counts = Counter(part(stack[-1]) for stack in found)
    titles = [*PARTS, "others"]
    lines = ["| part | share | of a step |", "|---|---|---|"]
    for place, count in counts.most_common():
        share = count / len(found)
        lines.append(f"| {titles[place]} | {share:.0%} | {share * nanoseconds:,.0f} ns |")
    return "\n".join(lines)


# --- the graph --------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEAST = 1000, 15, 0.004


def graph(found: list[Stack]) -> str:
    """An SVG file's text."""
    deepest = 0
    boxes: list[str] = []

    def draw(members: list[Stack], depth: int, left: float) -> None:
        nonlocal deepest
        if not members:
            return
        children: dict[str, list[Stack]] = {}
        for stack in members:
            if len(stack) > depth:
                children.setdefault(stack[depth], []).append(stack)
        for name, stacks_of in sorted(children.items()):
            width = WIDTH * len(stacks_of) / len(found)
            if width >= LEAST * WIDTH:
                deepest = max(deepest, depth)
                boxes.append(box(name, depth, left, width, len(stacks_of) / len(found)))
                draw(stacks_of, depth + 1, left)
            left += width

    draw(found, 0, 0.0)
    height = (deepest + 1) * HEIGHT + 4
    style = "text{font:10px ui-monospace,monospace;fill:#1f2328}rect{stroke:#fff;stroke-width:.5}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"><style>{style}</style>'
    return "\n".join([head, f'<g transform="translate(0 {height}) ">', *boxes, "</g></svg>\n"])


def box(name: str, depth: int, left: float, width: float, share: float) -> str:
    y = -(depth + 1) * HEIGHT
    shown = name.partition(" [")[0]
    fits = int((width - 4) / 6.1)
    label = f'<text x="{left + 2:.1f}" y="{y + 11}">{escape(shown[:fits])}</text>' if fits > 2 else ""
    shape = f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" fill="{COLOURS[part(name)]}"/>'
    return f"<g><title>{escape(name)}: {share:.1%}</title>{shape}{label}</g>"


def write(found: list[Stack], nanoseconds: float) -> None:
    (ROOT / "docs" / "step.svg").write_text(graph(found), encoding="utf-8")
    fill(
        DOCUMENT,
        BEGIN,
        END,
        f"{shares(found, nanoseconds)}\n\n{len(found):,} samples; a step took {nanoseconds:,.0f} ns.",
    )


def main() -> int:
    if shutil.which("perf") is None:
        print("the samples are taken by perf, which is not installed", file=sys.stderr)
        return 2
    build()
    found, nanoseconds = sample()
    if not found:
        print("perf gave no samples of the step: may this user sample (kernel.perf_event_paranoid)?", file=sys.stderr)
        return 2
    write(found, nanoseconds)
    print(shares(found, nanoseconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
