"""The figures: what is compared, how it is summed up, and that nothing vanishes from the report."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import report
from benchmarks.measuring import Bench, Condition, differences, figures, quartiles
from benchmarks.picture import picture
from benchmarks.processes import Failed, Neighbours, Peer
from benchmarks.rows import find

ROOT = Path(__file__).resolve().parents[2]


def result(name: str, ratio: float, spread: float = 0.01, **more: object) -> dict:
    torch = {"value": 100 * ratio, "ratio": ratio, "low": ratio - spread, "high": ratio + spread}
    conditions = {
        condition: {"lumbre": {"value": 100}, "torch": torch} for condition in (report.ALL, report.ONE, report.BUSY)
    }
    return {"group": "small pointwise", "name": name, "unit": "ns", "conditions": conditions, **more}


def test_differences() -> None:
    a = np.array([1.0, 2.0, np.nan, np.inf], np.float32)
    assert differences([a], [a.copy()], 0) is None
    assert "shapes" in differences([a], [a[:3]], 1)
    assert "results" in differences([a], [a, a], 1)
    b = a.copy()
    b[1] = 2.001
    assert differences([a], [b], 1e-3) is None
    assert "differ" in differences([a], [b], 1e-4)
    b[2] = 0
    assert "differ" in differences([a], [b], 1)
    near_zero = np.array([1e-9, 1.0])  # cancellation: judged by the size of its neighbours
    assert differences([near_zero], [np.array([2e-9, 1.0])], 1e-6) is None
    assert differences([np.array([1, 2])], [np.array([1, 3])], 1e-3) is not None
    assert differences([np.array([True, False])], [np.array([True, True])], 1e-3) is not None


def test_figures_are_of_pairs() -> None:
    found = figures({"lumbre": [1.0, 2.0, 4.0], "torch": [3.0, 6.0, 16.0]}, 0, None)
    assert found["torch"]["ratio"] == 3.0 and found["lumbre"]["value"] == 2e9
    assert quartiles([5.0]) == (5.0, 5.0, 5.0)


def test_summary_and_behind() -> None:
    rows = [result("a", 4.0), result("b", 1.0), result("c", 0.5)]
    assert report.behind(rows) == [(0.5, "small pointwise: c")]
    line = next(line for line in report.summary(rows).splitlines() if line.startswith("| small tensors | all"))
    assert line == "| small tensors | all threads | 3 | 1.26 | 0.50 | 1 |"
    drawn = ElementTree.fromstring(picture(rows))
    assert [dot.get("class") for dot in drawn.iter("{http://www.w3.org/2000/svg}circle")] == ["behind", "dot", "dot"]


def test_neighbours_are_compared_with_quiet() -> None:
    rows = [result("a", 4.0), result("b", 1.0)]
    assert report.with_neighbours(rows) == ""  # no small steps
    for row, busy in zip(rows, (200, 800), strict=True):
        row["group"] = "small steps"
        row["conditions"][report.BUSY] = {"lumbre": {"value": busy}}
    text = report.with_neighbours(rows)
    assert "2 rows" in text and "4.00 times their quiet time, at most 8.00 times" in text
    del rows[1]["conditions"][report.BUSY]
    assert "1 rows" in report.with_neighbours(rows)


def test_changes_are_beyond_the_noise() -> None:
    before = [result("a", 4.0), result("b", 1.0, spread=0.5), result("c", 1.0)]
    now = [result("a", 2.0), result("b", 1.3, spread=0.5)]
    assert report.changes(before, now) == ["small pointwise: a: 4.00 → 2.00", "small pointwise: c: no longer there"]
    assert report.changes(before, now, whole=False) == ["small pointwise: a: 4.00 → 2.00"]


def test_readme_block(tmp_path: Path) -> None:
    about = {"machine": "M", "processors": 2, "python": "3", "versions": {"torch": "2"}}
    record = {"about": about, "rows": [result("a + b", 4.0)]}
    path = tmp_path / "README.es.md"
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_readme(path, record)
    text = path.read_text()
    assert (
        text.startswith("before\n")
        and text.endswith("after\n")
        and "| tensores pequeños | 1 | 4,00 |" in text
        and "| `a + b`, tres números | 100 ns | 400 ns | 4,00 |" in text
        and "old" not in text
    )
    path.write_text("no place for it")
    with pytest.raises(ValueError, match="0 places"):
        report.write_readme(path, record)


@pytest.fixture(scope="module")
def bench():
    neighbours = Neighbours()
    peers = {name: Peer(name) for name in ("lumbre", "numpy")}
    conditions = (
        Condition("all threads", None, False, (1, 1), 1e-4, 0.1),
        Condition("busy", None, True, (1, 1), 1e-4, 0.1),
    )
    yield Bench(peers, neighbours, conditions)
    for one in (*peers.values(), neighbours):
        one.close()


def test_a_row_is_measured(bench: Bench) -> None:
    found = bench.measure(find("small pointwise: a + b"))
    first = found["conditions"]["all threads"]
    assert first["lumbre"]["value"] > 0 and first["numpy"]["low"] <= first["numpy"]["ratio"] <= first["numpy"]["high"]
    assert found["conditions"].keys() == {"all threads", "busy"}
    assert "missing" not in found and "differs" not in found


def test_missing_and_differing_rows_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = bench.peers["numpy"]
    asked = []
    wrong_answers = {"prepare": [((3,), "<f4", 0)], "arrays": [np.zeros(3)], "time": 1e-3}
    monkeypatch.setattr(peer, "tell", lambda command, *arguments: asked.append(command))
    monkeypatch.setattr(peer, "answer", lambda: wrong_answers.get(asked[-1]))
    wrong = bench.measure(find("small pointwise: a + b"))
    assert "differ" in wrong["differs"]["numpy"]

    def fail() -> None:
        raise Failed("numpy", "AttributeError: no such name")

    monkeypatch.setattr(peer, "answer", fail)
    monkeypatch.setattr(peer, "tell", lambda *arguments: None)
    lacking = bench.measure(find("small pointwise: a + b"))
    assert lacking["missing"] == {"numpy": "AttributeError: no such name"}
    told = list(report.failures([wrong, lacking, result("a", 1.0, missing={"torch": "it"}), result("b", 1.0)]))
    assert [text.split(":")[1] for text in told] == [" a + b", " a"]
    assert "lacks it" in report.table([lacking])


def test_a_worker_tells_its_error_and_is_replaced() -> None:
    peer = Peer("numpy")
    with pytest.raises(Failed, match="KeyError") as caught:
        peer.ask("prepare", "no such row")
    assert caught.value.peer == "numpy" and not peer.start_again()
    peer.process.kill()
    with pytest.raises(Failed, match="ended with status -9"):
        peer.ask("version")
    assert peer.start_again()
    assert peer.ask("version") == np.__version__
    peer.close()


def test_neighbours_are_busy_when_they_are_told_to() -> None:
    neighbours = Neighbours()

    def used() -> float:
        return sum(time.clock_gettime((~process.pid << 3) | 2) for process in neighbours.processes)

    with neighbours.busy():
        before, end = used(), time.monotonic() + 30
        while used() < before + 0.05 and time.monotonic() < end:
            time.sleep(0.01)
        assert used() >= before + 0.05
    time.sleep(0.5)
    before = used()
    time.sleep(0.2)
    assert used() - before < 0.01
    neighbours.close()
    assert [process.returncode for process in neighbours.processes] == [0] * len(neighbours.processes)


def test_a_whole_run(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "benchmarks/run.py",
        "--rows",
        "small views: v.T",
        "--peers",
        "numpy",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "benchmarks-part.json").read_text())
    assert [report.identity(row) for row in record["rows"]] == ["small views: v.T"]
    assert "small views: v.T" in (tmp_path / "benchmarks-part.md").read_text()
    assert (
        subprocess.run([*command[:3], "no such row", "--peers", "", "--out", str(tmp_path)], cwd=ROOT).returncode == 2
    )
