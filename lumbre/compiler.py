"""``torch.compiler``: switches and questions around ``torch.compile``."""

from __future__ import annotations

from lumbre import _C
from lumbre._compiling import compile, config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "config", "cudagraph_mark_step_begin", "disable",
    "get_default_backend", "is_compiling", "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance",
    "substitute_in_graph",
]  # fmt: skip

_STANCES = (
    "default",
    "force_eager",
    "eager_on_recompile",
    "fail_on_recompile",
    "eager_then_compile",
    "aot_eager_then_compile",
)


def is_compiling() -> bool:
    """Whether a call is being recorded; what depends on it is repeated as it was then."""
    return _C._is_recording()


def is_dynamo_compiling() -> bool:
    """The same."""
    return _C._is_recording()


def is_exporting() -> bool:
    """False: Lumbre exports no graphs."""
    return False


def reset() -> None:
    """Forgets all recordings."""
    from lumbre._compiling.function import everything

    for function in list(everything):
        function.forget()


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The backends that compile; with ``exclude_tags=None`` also those that run programs as written."""
    from lumbre._compiling import _AS_WRITTEN

    return sorted(["inductor", *(() if exclude_tags else _AS_WRITTEN)])


def get_default_backend() -> str:
    """ "inductor"."""
    return "inductor"


def disable(fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """A function that runs as written: what is compiled around it cannot be recorded. Also a decorator.

    >>> @torch.compiler.disable
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor(2.))
    tensor(4.)
    """
    if fn is None:
        return lambda given: disable(given, recursive, reason=reason)
    if isinstance(fn, type):
        return fn
    from functools import wraps

    title = getattr(fn, "__qualname__", type(fn).__qualname__)

    @wraps(fn)
    def as_written(*args: Any, **kwargs: Any) -> Any:
        _C._refuse_recording(f"{title}() is not to be compiled (torch.compiler.disable)")
        return fn(*args, **kwargs)

    return as_written


class set_stance:
    """Whether compiled functions repeat recordings ("default") or run as written ("force_eager").

    At once, and as a context manager or decorator for a while.
    """

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None
    ) -> None:
        from lumbre._compiling import function

        if stance not in _STANCES:
            raise RuntimeError(f"invalid torch.compile stance DynamoStance(stance={stance!r})")
        self.stance = stance
        self._before = function.set_stance(stance)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        from lumbre._compiling import function

        function.set_stance(self._before)

    def __call__(self, decorated: Callable) -> Callable:
        from functools import wraps

        self.__exit__()
        stance = self.stance

        @wraps(decorated)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with set_stance(stance):
                return decorated(*args, **kwargs)

        return inside


def allow_in_graph(fn: Any) -> Any:
    """The function as it is: all of them may be recorded."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """The function as it is."""
    return fn


def substitute_in_graph(original_fn: Any, **options: Any) -> Callable:
    """A decorator that changes nothing: the original is recorded."""
    return lambda given: given


def cudagraph_mark_step_begin() -> None:
    """Changes nothing: there are no CUDA graphs."""
