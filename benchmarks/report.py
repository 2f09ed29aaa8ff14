"""What is made of the figures: the table, the summary, the comparison with the last run, the lines of the READMEs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Result = dict[str, Any]
BEHIND = 0.95
PEERS = {
    "torch": "PyTorch",
    "lumbre.before": "the other tree",
    "torch.compile": "torch.compile",
    "lumbre.compile": "Lumbre compiled",
    "numpy": "NumPy",
    "jax": "JAX",
}
ALL, ONE, BUSY = "all threads", "one thread", "busy"


def identity(row: Result) -> str:
    return f"{row['group']}: {row['name']}"


def ratio(row: Result, condition: str = ALL, peer: str = "torch") -> float | None:
    return row["conditions"].get(condition, {}).get(peer, {}).get("ratio")


def ratios(rows: Iterable[Result], condition: str = ALL, peer: str = "torch") -> list[float]:
    return [found for row in rows if (found := ratio(row, condition, peer)) is not None]


def geometric_mean(numbers: list[float]) -> float:
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else math.nan


def amount(value: float | None, unit: str) -> str:
    """Nanoseconds or bytes as people write them."""
    if value is None:
        return ""
    steps = (
        (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1))
        if unit == "ns"
        else (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1))
    )
    name, size = next((step for step in steps if value >= step[1]), steps[-1])
    return f"{value / size:.3g} {name}"


def figure(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}" if number < 10 else f"{number:.3g}"


def groups(rows: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for row in rows:
        found.setdefault(row["group"], []).append(row)
    return found


# --- the table --------------------------------------------------------------------------------------------------------


def table(rows: list[Result]) -> str:
    """Every row; a peer that none of them has takes no column."""
    peers = [peer for peer in PEERS if any(ratio(row, ALL, peer) is not None for row in rows)]
    titles = [
        "row",
        "Lumbre",
        "PyTorch",
        *(f"× {PEERS[peer]}" for peer in peers),
        "quartiles",
        "one thread",
        "busy",
        "of the limit",
        "remarks",
    ]
    lines = [line(titles), line(["---"] * len(titles))]
    for row in rows:
        first, unit = row["conditions"].get(ALL, {}), row["unit"]
        torch = first.get("torch", {})
        limit, machine = first.get("limit"), first.get("machine")
        cells = [
            identity(row).replace("|", "\\|"),
            amount(first.get("lumbre", {}).get("value"), unit),
            amount(torch.get("value"), unit),
        ]
        cells += [figure(ratio(row, ALL, peer)) for peer in peers]
        cells += [f"{figure(torch['low'])} to {figure(torch['high'])}" if torch else ""]
        cells += [
            figure(ratio(row, ONE)),
            figure(ratio(row, BUSY)),
            share(limit, machine),
            remarks(row),
        ]
        lines.append(line(cells))
    return "\n".join(lines)


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def share(limit: Result | None, machine: Result | None) -> str:
    if machine:
        return f"{machine['rate']:.3g} {machine['unit']}"
    return f"{limit['share']:.0%}" if limit else ""


def remarks(row: Result) -> str:
    missing = [f"{PEERS.get(peer, peer)} lacks it: {error}" for peer, error in row.get("missing", {}).items()]
    differing = [
        f"{PEERS.get(peer, peer)} gives something else: {what}" for peer, what in row.get("differs", {}).items()
    ]
    return "; ".join(missing + differing).replace("|", "\\|")


# --- the summary ------------------------------------------------------------------------------------------------------

SUMMARIES = {
    "all rows": lambda row: True,
    "small tensors": lambda row: row["group"].startswith("small ") and row["group"] != "small steps",
    "small steps": lambda row: row["group"] == "small steps",
    "1,000 x 1,000": lambda row: row["group"].startswith("medium"),
    "100 MB": lambda row: row["group"].startswith("large"),
    "products": lambda row: row["group"].startswith("product"),
    "steps of networks": lambda row: row["group"] == "network steps",
    "data, files, processes": lambda row: row["group"].startswith(("data", "saving", "process")),
}


def summary(rows: list[Result]) -> str:
    lines = ["| rows | condition | rows | geometric mean | least | behind (under 0.95) |", "|---|---|---|---|---|---|"]
    for title, belongs in SUMMARIES.items():
        chosen = [row for row in rows if belongs(row)]
        for condition in (ALL, ONE, BUSY):
            numbers = ratios(chosen, condition)
            if numbers:
                cells = [title, condition, str(len(numbers)), figure(geometric_mean(numbers)), figure(min(numbers))]
                lines.append(line([*cells, str(sum(number < BEHIND for number in numbers))]))
    return "\n".join(lines)


def with_neighbours(rows: list[Result]) -> str:
    """How much longer Lumbre's small steps take beside busy neighbours than in quiet."""
    times = [
        [row["conditions"].get(condition, {}).get("lumbre", {}).get("value") for condition in (ALL, BUSY)]
        for row in rows
        if SUMMARIES["small steps"](row)
    ]
    slower = [busy / quiet for quiet, busy in times if quiet and busy]
    if not slower:
        return ""
    return (
        f"Beside busy neighbours the {len(slower)} rows of small steps take {figure(geometric_mean(slower))} times their quiet "
        f"time, at most {figure(max(slower))} times."
    )


def behind(rows: list[Result], condition: str = ALL) -> list[tuple[float, str]]:
    found = [
        (number, identity(row)) for row in rows if (number := ratio(row, condition)) is not None and number < BEHIND
    ]
    return sorted(found)


def near_the_limit(rows: list[Result]) -> str:
    """Large pointwise operations against a copy, products against the best library, convolutions against the peak."""
    limits = [(row, row["conditions"][ALL]["limit"]) for row in rows if "limit" in row["conditions"].get(ALL, {})]
    lines = ["| rows | held against | reached there | rows | geometric mean | least |", "|---|---|---|---|---|---|"]

    def add(title: str, against: str, rate: str, shares: list[float]) -> None:
        if shares:
            lines.append(
                line([title, against, rate, str(len(shares)), f"{geometric_mean(shares):.0%}", f"{min(shares):.0%}"])
            )

    for kind, title, against, unit in (
        ("copy", "large pointwise operations", "a copy of memory", "GB/s"),
        ("float32", "convolutions", "fused multiply-adds", "GFLOP/s"),
    ):
        found = [limit for row, limit in limits if limit["kind"] == kind and not row["group"].startswith("product")]
        if found:
            rates = sorted(limit["rate"] for limit in found)
            add(title, against, f"{rates[len(rates) // 2] / 1e9:.3g} {unit}", [limit["share"] for limit in found])
    for dtype in ("float32", "float64"):
        products = [row for row in rows if row["group"] == f"product {dtype}" and int(row["name"].split()[0]) >= 512]
        found = [limit for row, limit in limits if row in products]
        if found:
            rates = sorted(limit["rate"] for limit in found)
            add(
                f"{dtype} products from 512",
                "fused multiply-adds",
                f"{rates[-1] / 1e9:.3g} GFLOP/s",
                [limit["share"] for limit in found],
            )
        shares = [min([1.0, *(number for peer in PEERS if (number := ratio(row, ALL, peer)))]) for row in products]
        add(f"{dtype} products from 512", "the best library here", "", shares)
    return "\n".join(lines) if len(lines) > 2 else ""


# --- against the last run ---------------------------------------------------------------------------------------------


def changes(before: list[Result], now: list[Result], whole: bool = True) -> list[str]:
    """Rows whose ratio to PyTorch left the noise: quartiles that do not meet, and a tenth of difference. Of a whole run
    also the rows that went."""
    known = {identity(row): row for row in before}
    found = []
    for row in now:
        old, new = (
            one["conditions"].get(ALL, {}).get("torch") if one else None for one in (known.get(identity(row)), row)
        )
        if old and new and (new["low"] > old["high"] or new["high"] < old["low"]):
            change = new["ratio"] / old["ratio"]
            if not 1 / 1.1 < change < 1.1:
                found.append((change, f"{identity(row)}: {figure(old['ratio'])} → {figure(new['ratio'])}"))
    gone = [f"{name}: no longer there" for name in known.keys() - {identity(row) for row in now}] if whole else []
    return [text for _, text in sorted(found)] + sorted(gone)


# --- the READMEs ------------------------------------------------------------------------------------------------------

# The READMEs' words: for sums of rows, and for rows that are shown by themselves.
WORDS = {
    "README.md": {
        "lead": "Measured by `make bench` on {machine} with {processors} processors, Python {python}, against PyTorch {torch}, in turn in one run: geometric means "
        "of ratios.",
        "titles": "| rows | how many | times as fast as PyTorch | least | one thread | busy neighbours |",
        "row": "| a row by itself | Lumbre | PyTorch | ratio |",
        "picture": "Each dot is a row: how many times as fast as PyTorch",
        "point": ".",
    },
    "README.es.md": {
        "lead": "Medido con `make bench` en {machine} con {processors} procesadores, con Python {python} y por turnos con PyTorch {torch} en una misma ejecución: "
        "medias geométricas de las razones.",
        "titles": "| filas | cuántas | veces tan rápido como PyTorch | mínimo | un hilo | vecinos ocupados |",
        "row": "| una fila por sí sola | Lumbre | PyTorch | razón |",
        "picture": "Cada punto es una fila: cuántas veces tan rápido como PyTorch",
        "point": ",",
    },
}
AREAS = {
    "all rows": ("all", "todas"),
    "small tensors": ("small tensors", "tensores pequeños"),
    "small steps": ("steps of small networks", "pasos de redes pequeñas"),
    "1,000 x 1,000": ("1,000 × 1,000", "1000 × 1000"),
    "100 MB": ("100 MB", "100 MB"),
    "products": ("matrix products", "productos de matrices"),
    "steps of networks": ("steps of larger networks", "pasos de redes mayores"),
}
SHOWN = {
    "small pointwise: a + b": ("`a + b`, three floats", "`a + b`, tres números"),
    "small creation: torch.tensor([1.0, 2.0, 3.0])": ("`tensor([1.0, 2.0, 3.0])`",) * 2,
    "small steps: 2-8-1, SGD, training": ("a step of 2-8-1, SGD", "un paso de 2-8-1, SGD"),
    "network steps: 784-256-10, training": ("a step of 784-256-10, Adam", "un paso de 784-256-10, Adam"),
    "large binary: a + b": ("`a + b`, 100 MB",) * 2,
    "product float32: 1024 x 1024": ("1024 × 1024 `@` 1024 × 1024",) * 2,
    "process: import, time": ("`import`, whole process", "`import`, proceso entero"),
    "process: import, memory": ("`import`, resident memory", "`import`, memoria residente"),
    "process: installed size, with what it needs": ("installed, with what it needs", "instalado, con lo que necesita"),
}
BEGIN, END = "<!-- benchmarks: written by benchmarks/run.py --readme -->", "<!-- /benchmarks -->"


def readme_block(name: str, record: Result) -> str:
    words, about = WORDS[name], record["about"]
    language = list(WORDS).index(name)
    lead = words["lead"].format(**about, torch=about["versions"]["torch"])
    tables = []
    for titles, lines in ((words["titles"], areas(record["rows"])), (words["row"], shown(record["rows"]))):
        texts = [
            line([names[language], *(cell.replace(".", words["point"]) for cell in cells)]) for names, cells in lines
        ]
        tables.append("\n".join([titles, line(["---"] * (titles.count("|") - 1)), *texts]))
    return "\n\n".join([lead, *tables, f"![{words['picture']}](docs/benchmarks.svg)"])


def areas(rows: list[Result]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    for area, names in AREAS.items():
        chosen = [row for row in rows if SUMMARIES[area](row)]
        if numbers := ratios(chosen):
            others = [geometric_mean(found) if (found := ratios(chosen, c)) else None for c in (ONE, BUSY)]
            yield names, [str(len(numbers)), *map(figure, [geometric_mean(numbers), min(numbers), *others])]


def shown(rows: list[Result]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    for row in rows:
        if (names := SHOWN.get(identity(row))) and (found := ratio(row)):
            first = row["conditions"][ALL]
            yield (
                names,
                [*(amount(first[library]["value"], row["unit"]) for library in ("lumbre", "torch")), figure(found)],
            )


def fill(path: Path, begin: str, end: str, content: str) -> None:
    """Puts text between the two marks of a document; one without them is refused."""
    text = path.read_text(encoding="utf-8")
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    written, count = re.subn(pattern, lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{path.name} has {count} places between {begin} and {end}; one is wanted")
    path.write_text(written, encoding="utf-8")


def write_readme(path: Path, record: Result) -> None:
    fill(path, BEGIN, END, readme_block(path.name, record))


def failures(rows: list[Result]) -> Iterator[str]:
    """Rows that Lumbre or PyTorch lacks, and rows on which a peer gives something else."""
    for row in rows:
        serious = {
            peer: text for peer, text in row.get("missing", {}).items() if peer in ("lumbre", "torch", "machine")
        }
        if serious or row.get("differs"):
            yield f"{identity(row)}: {remarks(row)}"
