"""torch.utils.benchmark: what it prints is PyTorch's; what it measures is real."""

from __future__ import annotations

import time

import pytest

import lumbre
from lumbre.utils import benchmark


def printed(library, capsys):
    b = library.utils.benchmark
    spec = {"setup": "x = 1", "label": "L", "num_threads": 1}
    ms = [
        b.Measurement(
            1000, [1e-3, 1.1e-3, 1.05e-3, 1.2e-3], b.TaskSpec("x + 1", sub_label="s", description="d", **spec)
        ),
        b.Measurement(1000, [2e-3, 2.1e-3], b.TaskSpec("x + 2", sub_label="s", description="e", **spec)),
        b.Measurement(10, [2.0, 2.1], b.TaskSpec("x", "pass", label="L", sub_label="a longer name", description="e")),
        b.Measurement(1, [1.0], b.TaskSpec("a\nb", "c\nd")),
        b.Measurement(10, [0.01, 0.03, 0.02, 0.05], b.TaskSpec("a", "pass")),
        b.Measurement(10, [0.0102, 0.0101, 0.0105, 0.0104], b.TaskSpec("a", "pass", num_threads=4)),
    ]
    seen = [repr(m).partition("\n")[2] for m in ms]
    seen += [(m.title, m.as_row_name, m.significant_figures, m.has_warnings, m.meets_confidence()) for m in ms]
    seen += [repr(m).partition("\n")[2] for m in b.Measurement.merge([ms[0], ms[0], ms[1]])]
    for results in (ms[:3], ms[:2], ms[1:3]):
        table = b.Compare(results)
        table.print()
        table.trim_significant_figures()
        table.print()
    seen += [b.select_unit(0.0005), b.select_unit(3), b.unit_to_english("us"), b.trim_sigfig(1234.5, 2)]
    seen += [b.ordered_unique([1, 2, 1])]
    return seen, capsys.readouterr().out


def test_text_is_pytorchs(capsys):
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")
    import torch.utils.benchmark

    ours, theirs = printed(lumbre, capsys), printed(reference, capsys)
    for mine, other in zip(ours[0], theirs[0], strict=True):
        assert mine == other
    assert ours[1] == theirs[1]
    assert torch.utils.benchmark


def test_times_are_real():
    timer = benchmark.Timer("sleep(0.01)", globals={"sleep": time.sleep})
    assert 0.009 < timer.timeit(2).median < 0.2
    found = timer.blocked_autorange(min_run_time=0.05)
    assert 0.009 < found.median < 0.2
    assert sum(found.raw_times) >= 0.05
    quick = benchmark.Timer("x + 1", "x = torch.ones(2)").blocked_autorange(min_run_time=0.02)
    assert 1e-8 < quick.median < 1e-4
    assert quick.number_per_run > 1
    assert len(benchmark.Timer("pass").adaptive_autorange(max_run_time=0.1).times) > 3


def test_threads_and_refusals():
    seen = []
    before = lumbre.get_num_threads()
    benchmark.Timer("f()", globals={"f": lambda: seen.append(lumbre.get_num_threads())}, num_threads=1).timeit(1)
    assert set(seen) == {1}
    assert lumbre.get_num_threads() == before
    with pytest.raises(NotImplementedError, match="Callgrind"):
        benchmark.Timer().collect_callgrind()
    with pytest.raises(NotImplementedError, match="C"):
        benchmark.Timer(language="c++")
    with pytest.raises(ValueError, match="str"):
        benchmark.Timer(stmt=len)
    with pytest.raises(ValueError, match="Measurement"):
        benchmark.Compare([1])
