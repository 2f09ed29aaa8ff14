"""``torch.jit``: Python runs as Python; scripting and tracing give back what they were given."""

from __future__ import annotations

from lumbre import _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

from typing import Final, NamedTuple

_WHY = "Lumbre has no TorchScript: programs run as Python"
__all__ = [
    "Final", "annotate", "export", "freeze", "ignore", "is_scripting", "is_tracing", "load", "optimize_for_inference", "save", "script",
    "script_if_tracing", "trace", "trace_module", "unused",
]  # fmt: skip


class TracerWarning(Warning):
    """Never given: nothing is traced."""


class Attribute(NamedTuple):
    """A value and its type."""

    value: Any
    type: Any


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value as it is.

    >>> torch.jit.annotate(list[int], [])
    []
    """
    return the_value


def script(
    obj: Any, optimize: None = None, _frames_up: int = 0, _rcb: Callable | None = None, example_inputs: Any = None
) -> Any:
    """Returns the function, class or module as it is.

    >>> torch.jit.script(abs) is abs
    True
    """
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, example_kwarg_inputs: Any = None, **kwargs: Any) -> Any:
    """Calls the function or module once with the example, as tracing does, and returns it as it is."""
    if example_kwarg_inputs is not None:
        func(**example_kwarg_inputs)
    elif example_inputs is not None:
        func(*(example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)))
    return func


def trace_module(mod: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Calls each of the module's methods once with its example, as tracing does, and returns the module as it is."""
    for name, example in inputs.items():
        getattr(mod, name)(*(example if isinstance(example, tuple) else (example,)))
    return mod


def script_if_tracing(fn: Callable) -> Callable:
    """Returns the function as it is."""
    return fn


_script_if_tracing = script_if_tracing


def export(fn: Callable) -> Callable:
    """Returns the method as it is."""
    return fn


def unused(fn: Callable) -> Callable:
    """Returns the method as it is."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Returns the method as it is; also called with arguments."""
    return drop if callable(drop) else lambda fn: fn


def _overload(func: Callable) -> Callable:
    """Returns a declaration as it is; the definition after it takes its name."""
    return func


_overload_method = _overload


def freeze(mod: Any, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Any:
    """Returns the module as it is."""
    return mod


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """Returns the module as it is."""
    return mod


def is_scripting() -> bool:
    """False: nothing is scripted."""
    return False


def is_tracing() -> bool:
    """False: nothing is traced."""
    return False


def save(m: Any, f: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there is no TorchScript; save a state_dict instead."""
    raise RuntimeError("torch.jit.save: Lumbre has no TorchScript. Save module.state_dict() with torch.save instead.")


def load(f: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there is no TorchScript; load a state_dict instead."""
    raise RuntimeError(
        "torch.jit.load: Lumbre cannot run TorchScript archives. Export the model's state_dict with PyTorch and load that."
    )


def __getattr__(name: str) -> Any:
    if name in ("RecursiveScriptModule", "ScriptModule", "TopLevelTracedModule"):
        from lumbre.nn import Module

        made = globals()[name] = _absent.refused_class(f"jit.{name}", _WHY, Module)
        return made
    if name in ("CompilationUnit", "ScriptFunction"):
        made = globals()[name] = _absent.refused_class(f"jit.{name}", _WHY)
        return made
    raise AttributeError(f"module '{_identity.prefix()}jit' has no attribute '{name}'")
