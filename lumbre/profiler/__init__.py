"""``torch.profiler``: where a program's time goes, operator by operator."""

from __future__ import annotations

from lumbre.autograd.profiler import kineto_available, record_function
from lumbre.profiler.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = [
    "ProfilerAction", "ProfilerActivity", "kineto_available", "profile", "record_function", "schedule",
    "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip
