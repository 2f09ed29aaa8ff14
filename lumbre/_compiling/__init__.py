"""``torch.compile``: one call is recorded and repeated, without Python between operators."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")
# Backends of PyTorch's that run programs as they are written.
_AS_WRITTEN = (
    "aot_eager", "aot_eager_decomp_partition", "aot_eager_default_partitioner", "cudagraphs", "eager", "eager_debug",
    "eager_noexcept", "pre_dispatch_eager",
)  # fmt: skip


def _check(backend: Any, mode: Any, options: Any) -> None:
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if callable(backend):
        raise NotImplementedError(
            "Lumbre records calls and makes no graph that a backend of the program's could compile"
        )
    if backend not in (None, "inductor", *_AS_WRITTEN):
        from lumbre._dynamo.exc import InvalidBackend

        raise InvalidBackend(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available backends."
        )
    if mode is not None and mode not in _MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES)}")


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
    """A function or module that computes the same with less Python; also a decorator, with and without arguments.

    The first call learns what runs, the second is recorded, later ones repeat the recording: buffers, gradients and
    optimizer steps included. Other shapes, dtypes or settings are recorded anew. What cannot be recorded (elements of
    tensors that decide what is computed, effects on Python's objects) runs as written and says so in a warning;
    ``fullgraph=True`` raises ``torch._dynamo.exc.Unsupported`` instead. The other options change nothing.

    >>> @torch.compile(fullgraph=True)
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor(2.))
    tensor(4.)
    """
    _check(backend, mode, options)

    def make(given: Any) -> Any:
        if not callable(given):
            raise AssertionError(f"A callable function is expected, but {type(given)} is provided.")
        if disable or isinstance(given, type):
            return given
        return _compiled(given, fullgraph, recompile_limit, backend in _AS_WRITTEN)

    return make if model is None else make(model)


def _compiled(given: Any, fullgraph: bool, limit: int | None, as_written: bool) -> Any:
    from functools import update_wrapper

    from lumbre import _C
    from lumbre._compiling.function import Function

    if isinstance(given, _C._Compiled):
        return given
    if isinstance(given, _C.ModuleBase):
        from lumbre._dynamo.eval_frame import OptimizedModule

        return OptimizedModule(given, fullgraph, limit, as_written)  # type: ignore[arg-type]
    made = Function(given, fullgraph=fullgraph, limit=limit, as_written=as_written).callable
    return update_wrapper(made, given)
