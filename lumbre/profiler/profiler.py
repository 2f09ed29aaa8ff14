"""Profiles of chosen steps of a program, and the files they are written to."""

from __future__ import annotations

import gzip
import json
import os
from enum import Enum

from lumbre.autograd import profiler as autograd_profiler
from lumbre.autograd.profiler_util import EventList, chrome_events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip


class ProfilerActivity(Enum):
    """What may be watched; here it is the CPU."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What a profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """The CPU."""
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Steps to skip, to warm up in and to record, in turns; ``repeat`` 0 goes on for ever.

    >>> [torch.profiler.schedule(wait=1, warmup=0, active=1)(step).name for step in range(3)]
    ['NONE', 'RECORD_AND_SAVE', 'NONE']
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got {wait=} (need >= 0), {warmup=} (need >= 0), {active=} (need > 0), "
            f"{repeat=} (need >= 0), {skip_first=} (need >= 0)."
        )
    if warmup == 0:
        import warnings

        warnings.warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For ``on_trace_ready``: writes each trace to a file of a folder, where TensorBoard's plugin looks for it."""

    def write(profiler: profile) -> None:
        import socket
        import time

        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        profiler.export_chrome_trace(os.path.join(dir_name, name))

    return write


class profile:
    """Writes down which operators run inside the block, when, and inside which others.

    With a ``schedule`` only the steps it names are recorded, and ``step()`` tells where one ends; ``on_trace_ready``
    is called with the profiler whenever a turn of it is complete. Stacks, modules and counts of operations are not
    recorded: asking for them is a NotImplementedError.

    >>> with torch.profiler.profile() as found:
    ...     with torch.profiler.record_function("mine"):
    ...         _ = torch.ones(2) + 1
    >>> [(event.name, len(event.cpu_children)) for event in found.events()]
    [('mine', 2), ('aten::ones', 0), ('aten::add', 0)]
    """

    def __init__(
        self, *, activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None, on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False, profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
        with_modules: bool = False, experimental_config: Any = None, execution_trace_observer: Any = None,
        acc_events: bool = False, use_cuda: bool | None = None,
    ) -> None:  # fmt: skip
        self.activities = set(activities) if activities is not None else supported_activities()
        if not self.activities & supported_activities():
            raise AssertionError("No activities specified for the profiler")
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self._options = {"with_stack": with_stack, "with_flops": with_flops, "with_modules": with_modules}
        self.record_steps = schedule is not None
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.profiler: autograd_profiler.profile | None = None
        self._step: autograd_profiler.record_function | None = None
        self._metadata: dict[str, Any] = {}
        autograd_profiler._refuse(**self._options)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begins, as entering the block does."""
        if self.current_action in _RECORDING:
            self._record()
        self._begin_step()

    def stop(self) -> None:
        """Ends, as leaving the block does."""
        self._end_step()
        if self.current_action in _RECORDING:
            self._save()
        self.current_action = ProfilerAction.NONE

    def step(self) -> None:
        """The next step begins."""
        self._end_step()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        now = self.current_action in _RECORDING
        if before is ProfilerAction.RECORD_AND_SAVE or (before is ProfilerAction.RECORD and not now):
            if before is ProfilerAction.RECORD:
                import warnings

                warnings.warn("Incorrect schedule: RECORD followed by NONE", stacklevel=2)
            self._save()
            if now:
                self._record()
        elif now and before not in _RECORDING:
            self._record()
        self._begin_step()

    def _begin_step(self) -> None:
        if self.record_steps:
            self._step = autograd_profiler.record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def _record(self) -> None:
        self.profiler = autograd_profiler.profile(record_shapes=self.record_shapes, profile_memory=self.profile_memory)
        self.profiler.__enter__()

    def _save(self) -> None:
        assert self.profiler is not None
        self.profiler.__exit__()
        if self.on_trace_ready:
            self.on_trace_ready(self)

    def events(self) -> EventList:
        """The events of the last recording, in the order of their beginnings."""
        if self.profiler is None:
            raise AssertionError("Profiler must be initialized before accessing events")
        return self.profiler.function_events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """One average per name, or per name and shapes; print its ``table()``."""
        if self.profiler is None:
            raise AssertionError("Profiler must be initialized before getting key averages")
        return self.profiler.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the last recording for chrome://tracing and Perfetto; compressed where the name ends in ".gz"."""
        import socket

        trace = {
            "schemaVersion": 1,
            "deviceProperties": [],
            "record_shapes": int(self.record_shapes),
            "profile_memory": int(self.profile_memory),
            "host_name": socket.gethostname(),
            "displayTimeUnit": "ms",
            **self._metadata,
            "traceEvents": list(chrome_events(self.events())),
            "traceName": path,
        }
        text = json.dumps(trace)
        if path.endswith(".gz"):
            with gzip.open(path, "wt") as file:
                file.write(text)
        else:
            with open(path, "w") as file:
                file.write(text)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """AssertionError: stacks are not recorded."""
        raise AssertionError("export_stacks() requires with_stack=True")

    def add_metadata(self, key: str, value: str) -> None:
        """An entry of the trace file."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """An entry of the trace file, given as JSON."""
        self._metadata[key] = json.loads(value)
