"""``torch._dynamo``: what programs use of it beside ``torch.compile``."""

from __future__ import annotations

from lumbre._compiling import config
from lumbre._dynamo import eval_frame, exc
from lumbre._dynamo.eval_frame import OptimizedModule, optimize, optimize_assert
from lumbre.compiler import (
    allow_in_graph,
    assume_constant_result,
    disable,
    is_compiling,
    list_backends,
    reset,
    set_stance,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "eval_frame", "exc", "graph_break",
    "is_compiling", "is_dynamo_supported", "is_inductor_supported", "list_backends", "mark_dynamic", "mark_static",
    "mark_static_address", "maybe_mark_dynamic", "optimize", "optimize_assert", "reset", "set_stance",
]  # fmt: skip


def graph_break(msg: str = "") -> None:
    """A call that cannot be recorded: what contains it runs as written."""
    from lumbre import _C

    _C._refuse_recording(f"it asks for a break in the graph ({msg})" if msg else "it asks for a break in the graph")


def is_dynamo_supported() -> bool:
    """True."""
    return True


def is_inductor_supported() -> bool:
    """True: ``backend="inductor"`` is the recorder."""
    return True


def mark_dynamic(t: Any, index: Any, **options: Any) -> None:
    """Changes nothing: other sizes are recorded anew."""


def maybe_mark_dynamic(t: Any, index: Any) -> None:
    """Changes nothing: other sizes are recorded anew."""


def mark_static(t: Any, index: Any = None) -> None:
    """Changes nothing: a recording is of the sizes that it saw."""


def mark_static_address(t: Any, guard: bool = True) -> None:
    """Changes nothing."""
