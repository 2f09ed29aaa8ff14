"""Times the rows under Lumbre and its peers, and writes a table, a picture and a record of the figures.

``python benchmarks/run.py [--rows word]``. Every library runs in a process of its own and in turn; a figure is the median
of the ratios of neighbouring times. A row whose results differ from PyTorch's ends the run with a status of 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks import footprint, report
from benchmarks.measuring import CONDITIONS, Bench
from benchmarks.picture import picture
from benchmarks.processes import Failed, Neighbours, Peer
from benchmarks.rows import chosen

NAME = "benchmarks"
SECONDS_PER_ROW = 1.2  # where there are fewer left, rows are measured in fewer rounds


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", help="only rows whose 'group: name' contains this")
    parser.add_argument(
        "--peers", default="torch,numpy,torch.compile,lumbre.compile,machine", help="what to compare with (also: jax)"
    )
    parser.add_argument("--conditions", default=",".join(c.name for c in CONDITIONS), help="of the measurements")
    parser.add_argument("--jax", metavar="PYTHON", help="an interpreter that has JAX, as another peer")
    parser.add_argument("--against", type=Path, metavar="TREE", help="another built tree of Lumbre, as another peer")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="of that tree's environment"
    )
    parser.add_argument("--minutes", type=float, default=17.0, help="for the rows: fewer rounds where a run is late")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    parser.add_argument("--compare", type=Path, help="an earlier benchmarks.json; otherwise the last one of --out")
    parser.add_argument(
        "--readme", action="store_true", help="write the summary and the picture into the READMEs and docs"
    )
    wanted = parser.parse_args()
    if wanted.readme and wanted.rows:
        parser.error("the READMEs take their figures from a whole run: --readme without --rows")
    return wanted


def started(wanted: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, Peer]:
    names = ["lumbre", *(name for name in wanted.peers.split(",") if name)]
    peers = {name: Peer(name) for name in names if name != "jax" or not wanted.jax}
    if wanted.jax:
        peers["jax"] = Peer("jax", wanted.jax)
    if wanted.against:
        peers["lumbre.before"] = Peer("lumbre.before", tree=wanted.against.resolve(), settings=tuple(wanted.setting))
    for peer in peers.values():
        stack.callback(peer.close)
    return peers


def measured(wanted: argparse.Namespace) -> dict[str, Any]:
    """The run's record: what it ran on, and the figures of each row."""
    conditions = tuple(c for c in CONDITIONS if c.name in wanted.conditions.split(","))
    rows = chosen(wanted.rows)
    results = []
    with contextlib.ExitStack() as stack:
        neighbours = Neighbours()
        stack.callback(neighbours.close)
        peers = started(wanted, stack)
        versions = {name: peer.ask("version") for name, peer in peers.items()}
        bench = Bench(peers, neighbours, conditions)
        if "machine" in peers and wanted.rows in (None, "machine"):
            results += bench.limits()
        end = time.monotonic() + 60 * wanted.minutes
        for number, row in enumerate(rows):
            left = (end - time.monotonic()) / (len(rows) - number)
            bench.haste = min(1.0, max(0.1, left / SECONDS_PER_ROW))
            results.append(bench.measure(row))
            say(results[-1])
    for result in footprint.rows(wanted.rows):
        results.append(result)
        say(result)
    about = {
        "machine": machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
        "selection": wanted.rows,
    }
    return {"about": about, "rows": results}


def say(result: dict[str, Any]) -> None:
    first = result["conditions"].get(report.ALL, {})
    ours = report.amount(first.get("lumbre", {}).get("value"), result["unit"])
    others = " ".join(
        report.figure(report.ratio(result, condition)) or "-" for condition in (report.ALL, report.ONE, report.BUSY)
    )
    before = report.ratio(result, report.ALL, "lumbre.before")
    others += f", against the other tree {report.figure(before)}" if before else ""
    print(f"{report.identity(result)}: {ours}, ratio {others} {report.remarks(result)}", flush=True)


def machine() -> str:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return model


def write(record: dict[str, Any], wanted: argparse.Namespace) -> None:
    rows, out = record["rows"], wanted.out
    out.mkdir(parents=True, exist_ok=True)
    limit = report.near_the_limit(rows)
    versions = ", ".join(f"{name} {version}" for name, version in record["about"]["versions"].items())
    parts = [
        "# Benchmarks",
        f"{record['about']['machine']}, {record['about']['processors']} processors; Python {record['about']['python']}; {versions}. A ratio above 1 means that Lumbre is faster.",
        f"## Summary\n\n{report.summary(rows)}",
        *([neighbours] if (neighbours := report.with_neighbours(rows)) else []),
        *([f"## Near the limit\n\n{limit}"] if limit else []),
        f"## Rows\n\n{report.table(rows)}\n",
    ]
    name = NAME if wanted.rows is None else f"{NAME}-part"  # a part does not take the place of a whole run
    (out / f"{name}.md").write_text("\n\n".join(parts), encoding="utf-8")
    (out / f"{name}.svg").write_text(picture(rows), encoding="utf-8")
    last = out / f"{name}.json"
    if last.exists():
        last.replace(out / f"{name}.previous.json")
    last.write_text(json.dumps(record, indent=1), encoding="utf-8")
    print(f"written to {out / name}.md, .svg and .json")
    if wanted.readme:
        (ROOT / "docs" / "benchmarks.svg").write_text(picture(rows), encoding="utf-8")
        for name in report.WORDS:
            report.write_readme(ROOT / name, record)


def conclude(record: dict[str, Any], before: dict[str, Any] | None, minutes: float) -> int:
    rows = record["rows"]
    print(f"\n{report.summary(rows)}\n\n{report.with_neighbours(rows)}\n\n{report.near_the_limit(rows)}\n")
    for number, name in report.behind(rows):
        print(f"behind: {name}: {report.figure(number)}")
    if before is not None:
        for text in report.changes(before["rows"], rows, whole=record["about"]["selection"] is None):
            print(f"changed: {text}")
    failures = list(report.failures(rows))
    for text in failures:
        print(f"failed: {text}")
    print(f"{len(rows)} rows in {minutes:.1f} minutes, {len(failures)} failed")
    return 1 if failures else 0


def main() -> int:
    wanted = options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the other processes end with this one
    start = time.monotonic()
    earlier = wanted.compare or wanted.out / f"{NAME}.json"
    before = json.loads(earlier.read_text()) if earlier.exists() else None
    try:
        record = measured(wanted)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 2
    if not record["rows"]:
        print(f"no row contains {wanted.rows!r}", file=sys.stderr)
        return 2
    write(record, wanted)
    return conclude(record, before, (time.monotonic() - start) / 60)


if __name__ == "__main__":
    sys.exit(main())
