"""What a profile is read as: events, their averages, and the table of them."""

from __future__ import annotations

import functools
from collections import defaultdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

__all__ = ["EventList", "FormattedTimesMixin", "FunctionEvent", "FunctionEventAvg", "Interval"]

MEMORY_EVENT_NAME = "[memory]"


def _format_time(microseconds: float, time_unit: str | None = None) -> str:
    if time_unit is None:
        time_unit = "s" if microseconds >= 1e6 else "ms" if microseconds >= 1e3 else "us"
    return f"{microseconds / {'s': 1e6, 'ms': 1e3, 'us': 1.0}[time_unit]:.3f}{time_unit}"


def _format_time_share(time: float, total: float) -> str:
    return "NaN" if total == 0 else f"{time * 100.0 / total:.2f}%"


def _format_memory(size: int) -> str:
    for power, unit in ((30, "GB"), (20, "MB"), (10, "KB")):
        if abs(size) >= 1 << power:
            return f"{size / (1 << power):.2f} {unit}"
    return f"{size} B"


class Interval:
    """From one time to another, in microseconds since the profile began."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def elapsed_us(self) -> float:
        """How long it is."""
        return self.end - self.start


def _formatted(name: str) -> property:
    return property(lambda self: _format_time(getattr(self, name)), doc=f"``{name}`` with its unit.")


class FormattedTimesMixin:
    """Averages, and times as text."""

    count: int
    cpu_time_total: float
    cpu_time_str = _formatted("cpu_time")
    cpu_time_total_str = _formatted("cpu_time_total")
    self_cpu_time_total_str = _formatted("self_cpu_time_total")
    device_time_str = _formatted("device_time")
    device_time_total_str = _formatted("device_time_total")
    self_device_time_total_str = _formatted("self_device_time_total")
    # There is the CPU only.
    device_time = device_time_total = self_device_time_total = 0.0
    cuda_time = cuda_time_total = self_cuda_time_total = 0.0
    device_memory_usage = self_device_memory_usage = 0
    is_async = is_remote = is_legacy = False
    node_id = -1
    flops = 0
    use_device = None
    overload_name = ""
    stack: list[str] = []

    @property
    def cpu_time(self) -> float:
        """The time of one call, its children's included, in microseconds."""
        return 0.0 if self.count == 0 else self.cpu_time_total / self.count


class FunctionEvent(FormattedTimesMixin):
    """One call: when, within what, and what it was given."""

    count = 1

    def __init__(
        self, id: int, name: str, thread: int, start_us: float, end_us: float, input_shapes: list | None = None,
        memory: int = 0, is_user_annotation: bool = False,
    ) -> None:  # fmt: skip
        self.id = id
        self.trace_name = name
        # Steps are averaged together; the trace tells them apart.
        self.name = self.key = "ProfilerStep*" if name.startswith("ProfilerStep#") else name
        self.thread = thread
        self.time_range = Interval(start_us, end_us)
        self.input_shapes = input_shapes or []
        self.cpu_memory_usage = memory
        self.is_user_annotation = is_user_annotation
        self.cpu_children: list[FunctionEvent] = []
        self.cpu_parent: FunctionEvent | None = None
        self.sequence_nr = -1

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """Its time, its children's included, in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:
        """Its time without its children's, in microseconds."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        """The bytes that it left allocated, less its children's."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} device_type=DeviceType.CPU cpu_time={self.cpu_time_str} "
            f"start_us={self.time_range.start:.3f} end_us={self.time_range.end:.3f} "
            f"cpu_children={[child.id for child in self.cpu_children]} thread={self.thread} "
            f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>"
        )


class FunctionEventAvg(FormattedTimesMixin):
    """The calls of one name (and shapes) together."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.input_shapes: Any = None
        self.is_user_annotation = False
        self.cpu_children: list[FunctionEvent] | None = None
        self.cpu_parent: FunctionEvent | None = None

    def add(self, other: Any) -> FunctionEventAvg:
        """Counts one more event, or the events of another average."""
        if self.key is None:
            self.key = other.key
            self.input_shapes = other.input_shapes
            self.is_user_annotation = other.is_user_annotation
            self.cpu_parent = other.cpu_parent
        for name in ("cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "count"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def __iadd__(self, other: Any) -> FunctionEventAvg:
        return self.add(other)

    def __repr__(self) -> str:
        shapes = self.input_shapes or ""
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
            f" self_cuda_time={self.self_device_time_total_str} cuda_time={self.device_time_str} input_shapes={shapes} "
            f"cpu_memory_usage={self.cpu_memory_usage} cuda_memory_usage={self.device_memory_usage}>"
        )


class EventList(list):
    """Events, or averages of them."""

    def __init__(self, events: Iterable = (), profile_memory: bool = False, with_flops: bool = False) -> None:
        super().__init__(events)
        self._profile_memory = profile_memory

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all of them, each counted once, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """One average per name, or per name and shapes of the inputs."""
        stats: dict[Any, FunctionEventAvg] = defaultdict(FunctionEventAvg)
        for event in self:
            stats[event.key, str(event.input_shapes) if group_by_input_shapes else ""].add(event)
        averages = EventList(stats.values(), self._profile_memory)
        if not group_by_input_shapes:
            for average in averages:
                average.input_shapes = ""
        return averages

    def total_average(self) -> FunctionEventAvg:
        """All of them as one."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = None
        total.key = "Total"
        total.input_shapes = ""
        return total

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80, header: str | None = None,
        top_level_events_only: bool = False, time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """The events as a table: "self" times are those without children's.

        ``sort_by`` is one of cpu_time, cpu_time_total, self_cpu_time_total, cpu_memory_usage, self_cpu_memory_usage,
        count; largest first.
        """
        if not self:
            return ""
        events = list(self)
        if sort_by is not None:
            key = sort_by.replace("cuda", "device")
            events.sort(key=lambda event: getattr(event, key), reverse=True)
        shapes = any(event.input_shapes for event in events)
        columns = _columns(self, self.self_cpu_time_total, self._profile_memory, time_unit)
        name_width = min(max(len(event.key) for event in events) + 4, max_name_column_width)
        widths = [name_width, *(max(12, len(title)) for title, _ in columns)]
        titles = ["Name", *(title for title, _ in columns)]
        if shapes:
            titles.append("Input Shapes")
            longest = max(len(str(event.input_shapes)) for event in events)
            widths.append(min(longest + 4, max_shapes_column_width))
        rule = "  ".join("-" * width for width in widths) + "  "
        lines = []
        if header is not None:
            lines += ["=" * (len(rule) - 2), header]
        if top_level_events_only:
            lines += ["=" * (len(rule) - 2), "This report only display top-level ops statistics"]
        lines += [rule, _row(titles, widths), rule]
        shown = (event for event in events if not top_level_events_only or event.cpu_parent is None)
        for _, event in zip(range(row_limit) if row_limit >= 0 else _endless(), shown, strict=False):
            cells = [_cut(event.key, max_name_column_width), *(cell(event) for _, cell in columns)]
            if shapes:
                cells.append(_cut(str(event.input_shapes), max_shapes_column_width))
            lines.append(_row(cells, widths))
        lines += [rule, f"Self CPU time total: {_format_time(self.self_cpu_time_total, time_unit)}", ""]
        return "\n".join(lines)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events for chrome://tracing and for Perfetto."""
        import json

        with open(path, "w") as file:
            json.dump({"traceEvents": list(chrome_events(self))}, file)


def chrome_events(events: EventList) -> Iterator[dict]:
    """The events as a trace file has them."""
    import os

    process = os.getpid()
    for event in events:
        arguments: dict[str, Any] = {"External id": event.id}
        if event.input_shapes:
            arguments["Input Dims"] = event.input_shapes
        yield {
            "ph": "X",
            "cat": "user_annotation" if event.is_user_annotation else "cpu_op",
            "name": event.trace_name,
            "pid": process,
            "tid": event.thread,
            "ts": event.time_range.start,
            "dur": event.time_range.elapsed_us(),
            "args": arguments,
        }


def _endless() -> Iterator[int]:
    import itertools

    return itertools.count()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width or width < 4 else text[: width - 3] + "..."


def _row(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{cell:>{width}}  " for cell, width in zip(cells, widths, strict=True))


def _columns(events: EventList, total: float, memory: bool, unit: str | None) -> list[tuple[str, Callable[[Any], str]]]:
    time = functools.partial(_format_time, time_unit=unit)
    columns: list[tuple[str, Callable[[Any], str]]] = [
        ("Self CPU %", lambda e: _format_time_share(e.self_cpu_time_total, total)),
        ("Self CPU", lambda e: time(e.self_cpu_time_total)),
        ("CPU total %", lambda e: _format_time_share(e.cpu_time_total, total)),
        ("CPU total", lambda e: time(e.cpu_time_total)),
        ("CPU time avg", lambda e: time(e.cpu_time)),
    ]
    if memory:
        columns += [
            ("CPU Mem", lambda e: _format_memory(e.cpu_memory_usage)),
            ("Self CPU Mem", lambda e: _format_memory(e.self_cpu_memory_usage)),
        ]
    return [*columns, ("# of Calls", lambda e: str(e.count))]
