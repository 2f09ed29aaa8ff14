"""A compiled function: learns what runs, records a run, and from then on repeats it without Python."""

from __future__ import annotations

import gc
import sys
from copyreg import pickle
from weakref import WeakSet

from lumbre import _C
from lumbre._compiling.state import State
from lumbre._compiling.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

Tensor = _C.Tensor

# Values that a result may hold as they are: they cannot change.
_CONSTANTS = (
    type(None), bool, int, float, complex, str, bytes, type(...), slice, range, _C.dtype, _C.layout, _C.memory_format, _C.Size,
)  # fmt: skip
# Runs in a row whose state was another afterwards, or whose code was new, before the function is left alone.
_PATIENCE = 3


everything: WeakSet[Function] = WeakSet()


class CannotRecord(Exception):
    """A run that cannot be repeated; the message says why."""


class Function:
    """What stands behind a compiled callable: answers the calls that no recording matches."""

    def __init__(
        self, function: Callable, *, fullgraph: bool = False, limit: int | None = None, as_written: bool = False
    ) -> None:
        self.function = function
        self.as_written = as_written
        self.fullgraph = fullgraph
        self.limit = limit
        self.codes: set[CodeType] = set()
        self.learned = False
        self.restless = 0
        self.reason: str | None = None
        self.at_work = False
        self.callable = _C._Compiled(self.answer, function)
        everything.add(self)

    @property
    def name(self) -> str:
        """What warnings call it."""
        return getattr(self.function, "__qualname__", None) or type(self.function).__qualname__

    def answer(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function as written, and records the run where that may be of use."""
        from lumbre._compiling import config

        idle = self.as_written or self.reason is not None or self.at_work or config.disable or _stance == "force_eager"
        if idle or _C._is_recording() or _C._is_watched() or sys.getprofile() is not None:
            return self.function(*args, **kwargs)
        self.at_work = True
        try:
            return self._record(args, kwargs)
        finally:
            self.at_work = False

    def forget(self) -> None:
        """As on the first day."""
        self.callable._forget()
        self.codes.clear()
        self.learned, self.restless, self.reason = False, 0, None

    # --- one run ------------------------------------------------------------------------------------------------------

    def _record(self, args: tuple, kwargs: dict) -> Any:
        learning = not self.learned
        recorder = _C._Recorder(learning)
        before = None
        if not learning:
            before = self._state(args, kwargs)
            for tensor in before.tensors:
                recorder.outside(tensor)
            recorder.arguments(args, kwargs)
        given = _flat(kwargs, _flat(args, []))
        watch = Watch(Function._record.__code__)
        # What a collection of cycles would run is no part of the program.
        collects = gc.isenabled()
        gc.disable()
        sys.setprofile(watch)
        recorder.start()
        try:
            result = self.function(*args, **kwargs)
        finally:
            recorder.stop()
            sys.setprofile(None)
            if collects:
                gc.enable()
        new = watch.codes.keys() - self.codes
        self.codes.update(new)
        self.learned = True
        try:
            self._check(watch, recorder)
            if before is None:
                return result
            if new:
                self._wait("other code runs at every call")
                return result
            change = self._change(before, args, kwargs, given)
            if change:
                self._wait(f"{change} at every call")
                return result
            self._check_state(before, watch)
            self._check_limit()
            description = _describe(result, recorder, before)
            recorder.finish(self.callable, before.guards, description)
            self.restless = 0
        except CannotRecord as why:
            self._give_up(str(why))
        return result

    def _state(self, args: tuple, kwargs: dict) -> State:
        roots = [(self.function, self.name)]
        for value in _flat(kwargs, _flat(args, [])):
            if not isinstance(value, (Tensor, tuple, list, dict)):
                roots.append((value, "an argument"))
        return State(self.codes, roots)

    def _change(self, before: State, args: tuple, kwargs: dict, given: list) -> str | None:
        after = _flat(kwargs, _flat(args, []))
        if len(after) != len(given) or any(a is not b for a, b in zip(after, given, strict=True)):
            return "a container among its arguments changes"
        return before.change(self._state(args, kwargs))

    def _check(self, watch: Watch, recorder: Any) -> None:
        reason = recorder.refusal or watch.reason
        if reason:
            raise CannotRecord(reason)

    def _check_state(self, state: State, watch: Watch) -> None:
        if state.opaque:
            raise CannotRecord(state.opaque)
        code = state.unknown_code(watch.codes)
        if code is not None:
            raise CannotRecord(f"it is not known how it comes to {code.co_qualname}()")

    def _check_limit(self) -> None:
        from lumbre._compiling import config

        limit = config.recompile_limit if self.limit is None else self.limit
        if self.callable._recordings >= limit:
            raise CannotRecord(f"it was recorded {limit} times already (recompile_limit)")

    def _wait(self, reason: str) -> None:
        self.restless += 1
        if self.restless >= _PATIENCE:
            raise CannotRecord(reason)

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        message = f"torch.compile: {self.name} runs as written, because {reason}"
        if self.fullgraph:
            from lumbre._dynamo.exc import Unsupported

            raise Unsupported(message)
        from warnings import warn

        warn(message, stacklevel=4)


def _reduce(made: Any) -> Any:
    """Copies and pickles of a compiled function: its name where that leads to it, else the function compiled again."""
    function = made.__wrapped__
    name = getattr(function, "__qualname__", "")
    if getattr(sys.modules.get(getattr(function, "__module__", "")), name, None) is made:
        return name
    from lumbre import compile

    return compile, (function,)


pickle(_C._Compiled, _reduce)


def _flat(value: Any, found: list) -> list:
    """The leaves and containers of arguments, in order."""
    found.append(value)
    if type(value) in (tuple, list):
        for part in value:
            _flat(part, found)
    elif type(value) is dict:
        for key, part in value.items():
            found.append(key)
            _flat(part, found)
    return found


def _describe(value: Any, recorder: Any, state: State) -> tuple:
    """How the engine makes a result anew."""
    kind = type(value)
    if isinstance(value, Tensor):
        slot = recorder.slot(value)
        if slot is None:
            raise CannotRecord("it returns a tensor whose origin is not known")
        if id(value) not in state.reached and (kind is not Tensor or getattr(value, "__dict__", None)):
            raise CannotRecord("it returns a tensor with a class or attributes of its own")
        return ("slot", slot)
    if kind in _CONSTANTS or id(value) in state.reached or value.__class__.__module__ == "lumbre._device":
        return ("value", value)
    if kind in (tuple, list):
        return (kind.__name__, [_describe(part, recorder, state) for part in value])
    if kind is dict:
        return ("dict", list(value), [_describe(part, recorder, state) for part in value.values()])
    if isinstance(value, tuple) and hasattr(kind, "_make"):
        return ("call", kind._make, [_describe(part, recorder, state) for part in value])
    if isinstance(value, tuple) and hasattr(kind, "n_sequence_fields"):
        return ("call", kind, [_describe(part, recorder, state) for part in value])
    raise CannotRecord(f"it returns an object of type {kind.__qualname__}")


_stance = "default"


def set_stance(stance: str) -> str:
    """Whether calls are recorded and repeated, or run as written ("force_eager"); gives what it was."""
    global _stance
    before, _stance = _stance, stance
    _C._repeat(stance != "force_eager")
    return before
