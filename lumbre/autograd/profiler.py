"""``torch.autograd.profiler``: times of operators, of nodes of the backward run, and of ranges of one's own."""

from __future__ import annotations

from contextlib import ContextDecorator

from lumbre import _C
from lumbre.autograd.profiler_util import EventList, FunctionEvent, FunctionEventAvg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "EventList", "FunctionEvent", "FunctionEventAvg", "emit_itt", "emit_nvtx", "kineto_available", "profile",
    "record_function",
]  # fmt: skip


def kineto_available() -> bool:
    """Whether there is a tracer of devices: no, the engine writes its own times down."""
    return False


class record_function(ContextDecorator):
    """A named range of a profile, as a block or a decorator. Costs next to nothing where nothing is profiled."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self._open: list[int] = []

    def __enter__(self) -> record_function:
        self._open.append(_C._profiler_open(self.name))
        return self

    def __exit__(self, *exception: object) -> None:
        _C._profiler_close(self._open.pop())


def _refuse(**options: bool) -> None:
    for name, wanted in options.items():
        if wanted:
            raise NotImplementedError(f"Lumbre's profiler does not have {name}: leave it out")


class profile:
    """Writes down what runs inside the block, on this thread.

    >>> with torch.autograd.profiler.profile() as found:
    ...     _ = torch.ones(2) + 1
    >>> [event.name for event in found.function_events]
    ['aten::ones', 'aten::add']
    """

    def __init__(
        self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None, record_shapes: bool = False,
        with_flops: bool = False, profile_memory: bool = False, with_stack: bool = False, with_modules: bool = False,
        use_kineto: bool = False, use_cpu: bool = True, experimental_config: Any = None, acc_events: bool = False,
    ) -> None:  # fmt: skip
        if enabled and (use_cuda or use_device not in (None, "cpu")):
            import warnings

            warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
        if enabled:
            _refuse(with_flops=with_flops, with_stack=with_stack, with_modules=with_modules)
        self.enabled = enabled
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.entered = False
        self._events: EventList | None = None
        self._start_ns = 0

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        if _C._profiler_active():
            raise RuntimeError("Profiler is already enabled on this thread")
        self.entered = True
        from time import monotonic_ns

        self._start_ns = monotonic_ns()
        _C._profiler_start(bool(self.record_shapes))
        return self

    def __exit__(self, *exception: object) -> None:
        if self.enabled and self.entered:
            self._events = self._read(_C._profiler_stop())

    def _read(self, entries: list[tuple]) -> EventList:
        import threading

        thread = threading.get_native_id()
        events: list[FunctionEvent] = []
        for number, (name, begin, end, parent, memory, user, shapes) in enumerate(entries):
            event = FunctionEvent(
                number + 1, name, thread, (begin - self._start_ns) / 1e3, (end - self._start_ns) / 1e3, shapes, memory,
                user,
            )  # fmt: skip
            if parent >= 0:
                event.cpu_parent = events[parent]
                events[parent].cpu_children.append(event)
            events.append(event)
        return EventList(events, self.profile_memory)

    def _found(self) -> EventList:
        if self._events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self._events

    @property
    def function_events(self) -> EventList:
        """Every event, in the order of their beginnings."""
        return self._found()

    def __repr__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._events is None else repr(self._events)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._events is None else str(self._events)

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The events as a table; see ``EventList.table``."""
        return self._found().table(*args, **kwargs)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """One average per name, or per name and shapes."""
        return self._found().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """All events as one."""
        return self._found().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, each counted once, in microseconds."""
        return self._found().self_cpu_time_total

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events for chrome://tracing and for Perfetto."""
        self._found().export_chrome_trace(path)


class _Emitter:
    """A block that would mark ranges for a tool of a device's maker."""

    tool = ""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled
        self.record_shapes = record_shapes

    def __enter__(self) -> _Emitter:
        if self.enabled:
            raise RuntimeError(f"{self.tool} functions not installed: Lumbre has no tools of other devices")
        return self

    def __exit__(self, *exception: object) -> None:
        return None


class emit_nvtx(_Emitter):
    """RuntimeError where it is enabled: there is the CPU only."""

    tool = "NVTX"


class emit_itt(_Emitter):
    """RuntimeError where it is enabled: there is no VTune here."""

    tool = "ITT"
