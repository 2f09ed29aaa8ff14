"""Runs a statement often enough to know how long it takes."""

from __future__ import annotations

import enum
import textwrap
import timeit

from lumbre.utils.benchmark.measurement import Measurement, TaskSpec, set_torch_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

timer = timeit.default_timer


class Language(enum.Enum):
    """What statements are written in; here Python alone."""

    PYTHON = 0
    CPP = 1


class Timer:
    """Times a statement after a warm-up, with one thread unless told otherwise.

    ``timeit`` runs it a given number of times, ``blocked_autorange`` in blocks long enough that the clock does not
    matter, ``adaptive_autorange`` until the spread is small.

    >>> torch.utils.benchmark.Timer("x + 1", globals={"x": torch.ones(2)}).timeit(10).number_per_run
    10
    """

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "", timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None, label: str | None = None, sub_label: str | None = None,
        description: str | None = None, env: str | None = None, num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language not in (Language.PYTHON, "py", "python"):
            raise NotImplementedError("Lumbre's Timer times Python statements only, not C++")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply be moved to `setup`."
            )
        # The statement's own names are not to leak into the caller's.
        self._globals = dict(globals or {})
        stmt, setup = textwrap.dedent(stmt).strip(), textwrap.dedent(setup).strip()
        self._task_spec = TaskSpec(
            stmt=stmt, setup=setup, label=label, sub_label=sub_label, description=description, env=env,
            num_threads=num_threads,
        )  # fmt: skip
        if "torch" not in self._globals:
            import lumbre

            self._globals["torch"] = lumbre
        self._timer = timeit.Timer(stmt, setup, timer, self._globals)

    def _time(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def timeit(self, number: int = 1000000) -> Measurement:
        """The time of ``number`` runs, after a hundredth as many."""
        with set_torch_threads(self._task_spec.num_threads):
            self._time(max(int(number // 100), 2))
            return Measurement(number, [self._time(number)], self._task_spec)

    def _block_size(self, min_run_time: float) -> int:
        """Runs that together take a thousandth of the time, so that reading the clock does not matter."""
        with set_torch_threads(self._task_spec.num_threads):
            overhead = sorted(self._time(0) for _ in range(5))[2]
            number = 1
            while True:
                taken = self._time(number)
                if overhead / taken <= 1e-4 and taken >= min_run_time / 1000:
                    return number
                if taken > min_run_time:
                    return number
                number *= 10

    def _measure(
        self, number: int, stop: Callable[[list[float]], bool], min_run_time: float, max_run_time: float,
        callback: Callable[[int, float], Any] | None,
    ) -> Measurement:  # fmt: skip
        times: list[float] = []
        total = 0.0
        with set_torch_threads(self._task_spec.num_threads):
            while total < min_run_time or (total < max_run_time and not stop(times)):
                times.append(self._time(number))
                total += times[-1]
                if callback:
                    callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Times of blocks, until they have taken ``min_run_time`` seconds together."""
        return self._measure(self._block_size(min_run_time), lambda times: True, min_run_time, min_run_time, callback)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Times of blocks, until their spread is below a part of the median or ``max_run_time`` seconds are over."""
        number = self._block_size(0.05)

        def steady(times: list[float]) -> bool:
            return len(times) > 3 and Measurement(number, times, self._task_spec).meets_confidence(threshold)

        return self._measure(number, steady, min_run_time, max_run_time, callback)

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> NoReturn:
        """NotImplementedError: instructions are not counted."""
        raise NotImplementedError("Lumbre's Timer does not count instructions with Callgrind")
