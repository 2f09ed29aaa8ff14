"""``torch.compile``: one call is recorded and repeated, without Python between operators."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable | None = None,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """A function (or module) whose calls are recorded once and then repeated, with the same results.

    >>> @torch.compile(fullgraph=True)
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor(2.))
    tensor(4.)
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    from lumbre._compiling.function import Function

    def make(function):
        made = Function(function, fullgraph=fullgraph, limit=recompile_limit).callable
        made.__wrapped__ = function
        return made

    return make if model is None else make(model)
