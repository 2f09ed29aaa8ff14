"""How a row is measured: the same work by each library in turn, again and again, and the ratios of neighbouring times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.processes import Failed, Neighbours, Peer
from benchmarks.suite import Row

Result = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    name: str
    threads: int | None  # None: as many as the libraries choose
    busy: bool
    rounds: tuple[int, int]  # at least, while there is time, and at most, while the ratios spread
    seconds: float  # of one measurement, at least one execution
    budget: float  # seconds for a row


CONDITIONS = (
    Condition("all threads", None, False, (5, 11), 0.005, 1.2),
    Condition("one thread", 1, False, (3, 5), 0.005, 0.6),
    Condition("busy", None, True, (3, 7), 0.008, 0.9),
)
LIMITS = {
    "copy": "copy of memory",
    "float32": "fused multiply-adds, float32",
    "float64": "fused multiply-adds, float64",
}
SPREAD = 0.04  # of the quartiles around the median: enough rounds
TOLERANCE = {"float32": 2e-4, "float64": 1e-9, "float16": 2e-2, "bfloat16": 2e-2}


def differences(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> str | None:
    """What differs between two answers, or None."""
    if len(ours) != len(theirs):
        return f"{len(ours)} results and {len(theirs)}"
    for mine, other in zip(ours, theirs, strict=True):
        if mine.shape != other.shape:
            return f"shapes {mine.shape} and {other.shape}"
        if mine.size and not np.array_equal(mine, other):
            found = largest_difference(mine.ravel(), other.ravel())
            if not found <= tolerance:
                return f"values differ by {found:.2g}"
    return None


def largest_difference(ours: np.ndarray, theirs: np.ndarray, block: int = 1 << 16) -> float:
    """The largest difference, relative to the larger of the number itself and a tenth of the largest number."""
    finite = np.abs(theirs[np.isfinite(theirs)]) if theirs.dtype.kind == "f" else np.abs(theirs.astype(np.float64))
    floor = 0.1 * float(finite.max(initial=0)) or 1.0
    worst = 0.0
    for start in range(0, len(ours), block):
        a, b = (array[start : start + block].astype(np.float64) for array in (ours, theirs))
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        if not same.all():
            with np.errstate(invalid="ignore"):
                found = (np.abs(a - b) / np.maximum(np.abs(b), floor))[~same]
            worst = max(worst, float(np.nan_to_num(found, nan=np.inf).max()))
    return worst


class Bench:
    """The peers of a run; Lumbre is the first."""

    def __init__(
        self, peers: Mapping[str, Peer], neighbours: Neighbours | None, conditions: tuple[Condition, ...] = CONDITIONS
    ) -> None:
        self.peers, self.neighbours, self.conditions = peers, neighbours, conditions
        self.threads: dict[str, int | None] = dict.fromkeys(peers)
        self.haste = 1.0  # of a row's budgets, where a run is late

    def measure(self, row: Row) -> Result:
        result: Result = {
            "group": row.group,
            "name": row.name,
            "unit": "ns",
            "conditions": {},
            "missing": {},
            "differs": {},
        }
        able = self.prepare(row, result)
        rates: dict[str, float] = {}
        try:
            for condition in self.conditions if "lumbre" in able else ():
                result["conditions"][condition.name] = self.under(condition, row, able, rates)
            for peer in able.values():
                peer.ask("release")
        except Failed as failure:
            result["missing"][failure.peer] = str(failure)
        for name, peer in self.concerned(row).items():
            if peer.start_again():
                self.threads[name] = None
        return {key: value for key, value in result.items() if value or key == "conditions"}

    def limits(self) -> Iterator[Result]:
        """Rows of the machine itself: what it copies, multiplies and adds in a second."""
        peer = self.peers["machine"]
        for kind, name in LIMITS.items():
            peer.ask("prepare_limit", kind)
            result: Result = {"group": "machine", "name": name, "unit": "ns", "conditions": {}}
            for condition in self.conditions:
                if not condition.busy:
                    self.set_threads("machine", condition.threads)
                    seconds = statistics.median(
                        self.seconds(self.peers, "machine", 1) for _ in range(2 * condition.rounds[0])
                    )
                    rate = peer.ask("limit_amount", kind) / seconds / 1e9
                    result["conditions"][condition.name] = {
                        "machine": {
                            "value": seconds * 1e9,
                            "rate": rate,
                            "unit": "GB/s" if kind == "copy" else "GFLOP/s",
                        }
                    }
            yield result

    def concerned(self, row: Row) -> dict[str, Peer]:
        """The libraries that the row is for."""
        wanted = {"lumbre", "lumbre.before", "torch"}
        wanted |= {"numpy", "jax"} if row.numpy else set()
        wanted |= {"torch.compile"} if row.compiled else set()
        wanted |= {"machine"} if row.limit else set()
        return {name: peer for name, peer in self.peers.items() if name in wanted}

    def prepare(self, row: Row, result: Result) -> dict[str, Peer]:
        """The peers that can do the row, and in the result what is missing and what differs."""
        able, answers = {}, {}
        for step in ("tell", "answer"):  # all of them prepare at a time
            for name, peer in self.concerned(row).items():
                try:
                    if step == "tell":
                        peer.tell("prepare", row.id)
                    elif name not in result["missing"]:
                        answers[name] = peer.answer()
                        able[name] = peer
                except Failed as failure:
                    result["missing"][name] = str(failure)
        tolerance = next((value for dtype, value in TOLERANCE.items() if dtype in row.group), TOLERANCE["float32"])
        for name, answer in answers.items():
            if (
                name == "lumbre"
                or answer is None
                or answers.get("lumbre") is None
                or (row.random and name in ("numpy", "jax"))
            ):
                continue
            if found := differences(answers["lumbre"], answer, tolerance):
                result["differs"][name] = found
        return able

    def under(self, condition: Condition, row: Row, able: Mapping[str, Peer], rates: dict[str, float]) -> Result:
        """The row's figures under one condition; peers other than PyTorch are measured under the first only."""
        first = condition is self.conditions[0]
        peers = {name: peer for name, peer in able.items() if first or name in ("lumbre", "lumbre.before", "torch")}
        for name in peers:
            self.set_threads(name, condition.threads)
        if not condition.busy:
            return self.rounds(condition, row, peers, rates)
        assert self.neighbours is not None
        with self.neighbours.busy():
            return self.rounds(condition, row, peers, rates)

    def set_threads(self, name: str, threads: int | None) -> None:
        if self.threads[name] != threads:
            self.peers[name].ask("set_threads", threads)
            self.threads[name] = threads

    def rounds(self, condition: Condition, row: Row, peers: Mapping[str, Peer], rates: dict[str, float]) -> Result:
        """``rates`` are executions per second, found under the first condition."""
        end = time.monotonic() + condition.budget * self.haste
        for name in peers.keys() - rates.keys():
            rates[name] = self.rate(peers, name, condition.seconds)
        counts = {name: max(1, round(rates[name] * condition.seconds)) for name in peers}
        times: dict[str, list[float]] = {name: [] for name in peers}
        least, most = condition.rounds
        for number in range(most):
            order = list(peers) if number % 2 == 0 else list(reversed(peers))
            for name in order:
                times[name].append(self.seconds(peers, name, counts[name]) / counts[name])
            late = time.monotonic() > end
            if (late and (number or condition is not self.conditions[0])) or (number + 1 >= least and steady(times)):
                break
        return figures(
            times, peers["machine"].ask("limit_amount", row.limit.kind) if "machine" in peers and row.limit else 0, row
        )

    def rate(self, peers: Mapping[str, Peer], name: str, wanted: float) -> float:
        """Executions per second, by one measurement that takes a good part of the wanted time."""
        count = 1
        while True:
            seconds = self.seconds(peers, name, count)
            if seconds > wanted / 4 or count >= 1_000_000:
                return count / seconds
            count = min(count * 10, max(count + 1, round(count * wanted / max(seconds, 1e-7))))

    def seconds(self, peers: Mapping[str, Peer], name: str, count: int) -> float:
        for other, peer in peers.items():
            if other != name:
                peer.rest()
        return peers[name].ask("time", count)


def ratios(times: Mapping[str, list[float]], name: str) -> list[float]:
    return [theirs / ours for ours, theirs in zip(times["lumbre"], times[name], strict=True)]


def quartiles(numbers: list[float]) -> tuple[float, float, float]:
    if len(numbers) == 1:
        return (numbers[0],) * 3
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return low, middle, high


def steady(times: Mapping[str, list[float]]) -> bool:
    spreads = [quartiles(ratios(times, name)) for name in ("torch", "lumbre.before") if name in times]
    return all(high - low < 2 * SPREAD * middle for low, middle, high in spreads)


def figures(times: Mapping[str, list[float]], reached: int, row: Row | None) -> Result:
    """Medians, and for each peer the ratio of its time to Lumbre's: quartiles of the rounds."""
    result: Result = {"rounds": len(times["lumbre"]), "lumbre": {"value": statistics.median(times["lumbre"]) * 1e9}}
    for name in times:
        if name == "lumbre":
            continue
        low, middle, high = quartiles(ratios(times, name))
        if name == "machine":
            assert row is not None and row.limit is not None
            share = row.limit.amount / reached  # of what the machine did in its time
            result["limit"] = {
                "kind": row.limit.kind,
                "share": middle * share,
                "rate": reached / statistics.median(times[name]),
            }
        else:
            value = statistics.median(times[name]) * 1e9
            result[name] = {"value": value, "ratio": middle, "low": low, "high": high}
    return result
