"""What was measured, and how sure it is."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections import defaultdict
from contextlib import contextmanager
from functools import cached_property

from lumbre import get_num_threads, set_num_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

_MAX_FIGURES = 4
# A timer's own noise, in seconds.
_SMALLEST_INTERVAL = 25e-9
_IQR_WARNS, _IQR_WARNS_LOUDLY = 0.1, 0.25


def select_unit(t: float) -> tuple[str, float]:
    """The unit for a time in seconds, and how many seconds it is.

    >>> torch.utils.benchmark.select_unit(0.0005)[0]
    'us'
    """
    unit = {-3: "ns", -2: "us", -1: "ms"}.get(int(math.log10(t) // 3), "s")
    return unit, {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def unit_to_english(u: str) -> str:
    """ "microsecond" for "us"."""
    return {"ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second"}[u]


def trim_sigfig(x: float, n: int) -> float:
    """A number with n significant figures."""
    magnitude = math.ceil(math.log10(abs(x))) if x else 0
    scale = 10 ** (magnitude - n)
    return float(round(x / scale) * scale)


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    """Each element once, in the order of first appearance."""
    return list(dict.fromkeys(elements))


@contextmanager
def set_torch_threads(n: int) -> Iterator[None]:
    """A block with another number of threads."""
    before = get_num_threads()
    try:
        set_num_threads(n)
        yield
    finally:
        set_num_threads(before)


@dataclasses.dataclass(init=True, repr=False, eq=True, frozen=True)
class TaskSpec:
    """What is measured."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or the statement where there is none."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        if "\n" not in self.stmt:
            return self.stmt + (f": {self.sub_label}" if self.sub_label else "")
        sub = f" ({self.sub_label})" if self.sub_label else ""
        return f"stmt:{sub}\n{textwrap.indent(self.stmt, '  ')}"

    def setup_str(self) -> str:
        """The preparation, where there is one."""
        if self.setup == "pass" or not self.setup:
            return ""
        if "\n" in self.setup:
            return f"setup:\n{textwrap.indent(self.setup, '  ')}"
        return f"setup: {self.setup}"

    def summarize(self) -> str:
        """The title, the description, the environment and the preparation."""
        parts = [self.title, self.description or "", f"environment: {self.env}" if self.env else "", self.setup_str()]
        return "\n".join(f"{part}\n" if "\n" in part else part for part in parts if part)


def _quantile(values: list[float], q: float) -> float:
    """Of sorted values, linear between two."""
    place = q * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


@dataclasses.dataclass(init=True, repr=False)
class Measurement:
    """Times of several runs of one statement."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # What describes the statement is the task's.
        if name in ("stmt", "setup", "label", "sub_label", "description", "env", "num_threads", "title"):
            return getattr(self.task_spec, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @cached_property
    def _sorted_times(self) -> list[float]:
        return sorted(self.times)

    @cached_property
    def times(self) -> list[float]:
        """Seconds per run of the statement."""
        return [time / self.number_per_run for time in self.raw_times]

    @cached_property
    def median(self) -> float:
        """The middle time."""
        return _quantile(self._sorted_times, 0.5)

    @cached_property
    def mean(self) -> float:
        """The average time."""
        return math.fsum(self.times) / len(self.times)

    @cached_property
    def _p25(self) -> float:
        return _quantile(self._sorted_times, 0.25)

    @cached_property
    def _p75(self) -> float:
        return _quantile(self._sorted_times, 0.75)

    @property
    def iqr(self) -> float:
        """From the first quarter of the times to the last."""
        return self._p75 - self._p25

    @property
    def significant_figures(self) -> int:
        """How many figures of the median mean something, from the spread of the middle half."""
        count = len(self._sorted_times)
        middle = self._sorted_times[count // 4 : math.ceil(3 * count / 4)]
        average = sum(middle) / len(middle)
        deviation = math.sqrt(sum((time - average) ** 2 for time in middle) / len(middle))
        interval = max(1.645 * deviation / math.sqrt(len(middle)), _SMALLEST_INTERVAL)
        return min(max(math.floor(math.log10(self.median / interval)), 1), _MAX_FIGURES)

    @property
    def has_warnings(self) -> bool:
        """Whether the times differ so much that something else ran beside."""
        return self.iqr / self.median > _IQR_WARNS

    def meets_confidence(self, threshold: float = _IQR_WARNS) -> bool:
        """Whether the spread is below a part of the median."""
        return self.iqr / self.median < threshold

    @property
    def as_row_name(self) -> str:
        """What a table calls it."""
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        count = len(self.raw_times)
        lines = [object.__repr__(self), self.task_spec.summarize()]
        if count == 1:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        else:
            lines.append(f"  Median: {self.median / scale:.2f} {unit}")
        if count >= 4:
            lines.append(
                f"  IQR:    {self.iqr / scale:.2f} {unit} ({self._p25 / scale:.2f} to {self._p75 / scale:.2f})"
            )
        per = "per measurement," if count > 1 else ","
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        lines.append(f"  {count} measurement{'s' if count > 1 else ''}, {self.number_per_run} runs {per} {threads}")
        share = self.iqr / self.median
        if count >= 4 and share > _IQR_WARNS:
            lines.append(f"  WARNING: Interquartile range is {share * 100:.1f}% of the median measurement.")
            degree = "significant" if share > _IQR_WARNS_LOUDLY else "could indicate system fluctuation."
            lines.append(
                "           This suggests significant environmental influence." if share > _IQR_WARNS_LOUDLY
                else f"           This {degree}"
            )  # fmt: skip
        return "\n".join(lines)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """The measurements of one task together."""
        groups: dict[TaskSpec, list[Measurement]] = defaultdict(list)
        for each in measurements:
            groups[each.task_spec].append(each)
        return [
            Measurement(1, [time for each in group for time in each.times], task, None)
            for task, group in groups.items()
        ]
