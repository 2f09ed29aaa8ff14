"""``torch.utils.benchmark``: how long a statement takes, measured fairly, and tables of such measurements."""

from __future__ import annotations

from lumbre.utils.benchmark.compare import Compare
from lumbre.utils.benchmark.measurement import (
    Measurement,
    TaskSpec,
    ordered_unique,
    select_unit,
    set_torch_threads,
    trim_sigfig,
    unit_to_english,
)
from lumbre.utils.benchmark.timer import Language, Timer, timer

__all__ = [
    "Compare", "Language", "Measurement", "TaskSpec", "Timer", "ordered_unique", "select_unit", "set_torch_threads",
    "timer", "trim_sigfig", "unit_to_english",
]  # fmt: skip
