"""``torch.compile``: there is nothing to compile, so a function stays as it is."""

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
    """Returns the function or module as it is: operations run when they are called, whatever the options say.

    Also a decorator, with and without arguments.

    >>> @torch.compile(fullgraph=True)
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor(2.))
    tensor(4.)
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    return (lambda given: given) if model is None else model
