"""The profiler: what it says happened did happen, in that order, inside one another, with times that add up."""

from __future__ import annotations

import gzip
import json
import time

import pytest

import lumbre as torch
from lumbre.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule


def step():
    net = torch.nn.Linear(4, 3)
    with record_function("forward"):
        loss = net(torch.ones(2, 4)).relu().sum()
    loss.backward()


def test_events_lie_inside_one_another():
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
        step()
    events = found.events()
    assert len({event.id for event in events}) == len(events)
    names = [event.name for event in events]
    forward = next(event for event in events if event.name == "forward")
    assert [child.name for child in forward.cpu_children] == ["aten::ones", "aten::linear", "aten::relu", "aten::sum"]
    assert forward.cpu_children[1].input_shapes == [[2, 4], [3, 4], [3]]
    assert "AddmmBackward0" in names
    outer = next(event for event in events if event.name == "autograd::engine::evaluate_function: AddmmBackward0")
    assert [child.name for child in outer.cpu_children] == ["AddmmBackward0"]
    for event in events:
        assert event.time_range.end >= event.time_range.start >= 0
        assert event.self_cpu_time_total >= 0
        if event.cpu_parent:
            assert event.cpu_parent.time_range.start <= event.time_range.start
            assert event.time_range.end <= event.cpu_parent.time_range.end
    top = sum(event.cpu_time_total for event in events if event.cpu_parent is None)
    assert events.self_cpu_time_total == pytest.approx(top)


def test_times_are_real():
    with profile() as found, record_function("slept"):
        time.sleep(0.02)
        torch.ones(1)
    event = found.events()[0]
    assert 0.019e6 < event.cpu_time_total < 2e6
    assert event.self_cpu_time_total < event.cpu_time_total


def test_averages_and_table():
    with profile(record_shapes=True, profile_memory=True) as found:
        for size in (2, 2, 3):
            torch.ones(size) + 1
    averages = {average.key: average for average in found.key_averages()}
    assert averages["aten::add"].count == 3
    assert averages["aten::ones"].cpu_memory_usage == (2 + 2 + 3) * 4
    by_shape = [(a.key, a.input_shapes, a.count) for a in found.key_averages(group_by_input_shape=True)]
    assert ("aten::add", [[2], [], []], 2) in by_shape
    assert ("aten::add", [[3], [], []], 1) in by_shape
    table = found.key_averages(group_by_input_shape=True).table(sort_by="self_cpu_time_total", row_limit=2)
    lines = table.splitlines()
    assert lines[1].split() == (
        [
            "Name",
            "Self",
            "CPU",
            "%",
            "Self",
            "CPU",
            "CPU",
            "total",
            "%",
            "CPU",
            "total",
            "CPU",
            "time",
            "avg",
            "CPU",
            "Mem",
            "Self",
            "CPU",
            "Mem",
            "#",
            "of",
            "Calls",
            "Input",
            "Shapes",
        ]
    )
    assert len(lines) == 3 + 2 + 2
    assert lines[-1].startswith("Self CPU time total: ")
    assert len(set(map(len, lines[:-1]))) == 1
    with pytest.raises(AttributeError):
        found.key_averages().table(sort_by="nope")


def test_memory_is_that_of_tensors():
    with profile(profile_memory=True) as found:
        kept = torch.zeros(1000)
        with record_function("freed"):
            torch.ones(500)
    made, freed, ones = found.events()
    assert made.cpu_memory_usage == kept.nbytes == 4000
    assert (freed.cpu_memory_usage, ones.cpu_memory_usage) == (0, 2000)
    assert freed.self_cpu_memory_usage == -2000


def test_table_is_laid_out_as_pytorchs():
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")

    def layout(library):
        with library.profiler.profile() as found, library.profiler.record_function("a range"):
            pass
        averages = found.key_averages()
        texts = [averages.table(), averages.table(header="h", top_level_events_only=True), str(averages)]
        texts.append(averages.table(sort_by="cpu_time", row_limit=0, max_name_column_width=5))
        return ["".join("9" if c.isdigit() else c for c in text) for text in texts], repr(averages[0])[:26]

    ours, theirs = layout(torch), layout(reference)
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert [line[:22] for line in a.splitlines()] == [line[:22] for line in b.splitlines()]
        assert [len(line) for line in a.splitlines()[:-1]] == [len(line) for line in b.splitlines()[:-1]]
    assert ours[1] == theirs[1]


def test_schedules_are_pytorchs():
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")
    for options in (
        {"wait": 1, "warmup": 1, "active": 2, "repeat": 2}, {"wait": 0, "warmup": 1, "active": 1},
        {"wait": 2, "warmup": 1, "active": 3, "skip_first": 4, "repeat": 1},
        {"wait": 2, "warmup": 1, "active": 1, "skip_first": 1, "skip_first_wait": 1},
    ):  # fmt: skip
        ours, theirs = schedule(**options), reference.profiler.schedule(**options)
        assert [ours(i).name for i in range(24)] == [theirs(i).name for i in range(24)]
    with pytest.raises(AssertionError, match="Invalid profiler schedule arguments"):
        schedule(wait=1, warmup=0, active=0)


def test_steps():
    def run(library, seen):
        def ready(found):
            seen.append((found.step_num, sorted({e.key for e in found.events() if e.key.startswith("ProfilerStep")})))

        plan = library.profiler.schedule(wait=1, warmup=1, active=2, repeat=2)
        with library.profiler.profile(schedule=plan, on_trace_ready=ready) as found:
            for _ in range(10):
                library.ones(1) + 1
                found.step()
        return seen

    ours = run(torch, [])
    assert ours == [(4, ["ProfilerStep*"]), (8, ["ProfilerStep*"])]
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")
    assert ours == run(reference, [])


def test_files(tmp_path):
    with profile(
        record_shapes=True, on_trace_ready=torch.profiler.tensorboard_trace_handler(str(tmp_path / "log"), "me", True)
    ) as found:
        step()
    found.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    (linear,) = [event for event in trace["traceEvents"] if event["name"] == "aten::linear"]
    assert linear["ph"] == "X"
    assert linear["dur"] > 0
    assert linear["args"]["Input Dims"] == [[2, 4], [3, 4], [3]]
    (written,) = (tmp_path / "log").iterdir()
    assert written.name.startswith("me.")
    assert written.name.endswith(".pt.trace.json.gz")
    assert json.loads(gzip.decompress(written.read_bytes()))["traceEvents"]


def test_nothing_is_written_down_outside():
    with profile() as found:
        pass
    torch.ones(1)
    with record_function("later"):
        pass
    assert len(found.events()) == 0
    assert found.key_averages().table() == ""
    with profile() as found:

        @record_function("decorated")
        def double(x):
            return double(x - 1) if x.item() > 0 else x

        double(torch.tensor(1.0))
    assert [event.name for event in found.events() if event.is_user_annotation] == ["decorated"] * 2


def test_older_profiler_and_refusals():
    with torch.autograd.profiler.profile() as found:
        torch.ones(1) + 1
    assert "aten::add" in str(found)
    assert found.total_average().count == 2
    with torch.autograd.profiler.profile(enabled=False) as found:
        assert found is None
    with profile(), pytest.raises(RuntimeError, match="already enabled"), profile():
        pass
    for option in ("with_stack", "with_flops", "with_modules"):
        with pytest.raises(NotImplementedError, match=option):
            profile(**{option: True})
    with pytest.raises(AssertionError, match="No activities specified"):
        profile(activities=[ProfilerActivity.CUDA])
    with pytest.raises(AssertionError, match="must be initialized"):
        profile(schedule=lambda step: ProfilerAction.NONE).events()
    with pytest.raises(RuntimeError, match="NVTX"), torch.autograd.profiler.emit_nvtx():
        pass


def test_an_error_inside_closes_its_events():
    with profile() as found:
        with pytest.raises(RuntimeError):
            torch.ones(2, 3) @ torch.ones(2, 3)
        torch.ones(1)
    matmul, last = found.events()[2:]
    assert matmul.name == "aten::matmul"
    assert last.cpu_parent is None
