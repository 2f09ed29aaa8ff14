"""``torch.overrides``: classes that say themselves what operators do on their objects (``__torch_function__``).

A call of an operator asks the innermost ``TorchFunctionMode``, then the types of its arguments, subclasses before
their bases; the first that does not return NotImplemented answers.
"""

from __future__ import annotations

import functools
import warnings
from contextlib import contextmanager

from lumbre import _C, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "BaseTorchFunctionMode", "TorchFunctionMode", "enable_reentrant_dispatch", "get_default_nowrap_functions",
    "get_ignored_functions", "get_overridable_functions", "get_testing_overrides", "handle_torch_function",
    "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "is_tensor_like",
    "is_tensor_method_or_property", "redispatch_function", "resolve_name", "wrap_torch_function",
]  # fmt: skip


# --- functions of one's own that can be overridden --------------------------------------------------------------------


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments, or a mode, answers in the place of a function."""
    return _C._has_override(tuple(relevant_args), None, True)


def has_torch_function_unary(relevant_arg: Any) -> bool:
    """``has_torch_function`` of one argument."""
    return _C._has_override((relevant_arg,), None, True)


def has_torch_function_variadic(*relevant_args: Any) -> bool:
    """``has_torch_function`` of the arguments given."""
    return _C._has_override(relevant_args, None, True)


def handle_torch_function(public_api: Callable, relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Has the mode or the arguments' classes answer for ``public_api(*args, **kwargs)``; TypeError where none does.

    >>> class Seven:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         return 7
    >>> torch.overrides.handle_torch_function(torch.add, (Seven(),), Seven(), 1)
    7
    """
    return _C._call_override(public_api, tuple(relevant_args), args, kwargs)


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[Callable], Callable]:
    """Makes a function overridable by the arguments that ``dispatcher(*args, **kwargs)`` gives."""

    def inner(func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant_args = dispatcher(*args, **kwargs)
            if has_torch_function(relevant_args):
                return handle_torch_function(wrapped, relevant_args, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return inner


def _get_overloaded_args(relevant_args: Iterable[Any], get_type_fn: Callable[[Any], type] | None = None) -> list[Any]:
    """One argument of each class that overrides, subclasses before their bases."""
    return _C._overloaded_arguments(tuple(relevant_args))


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor or has ``__torch_function__``."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def get_default_nowrap_functions() -> set[Callable]:
    """What gives a tensor as it was stored, not as an object of the subclass it is asked of."""
    return {Tensor._base.__get__, Tensor.grad.__get__}


def redispatch_function(func: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """Calls on with what is left of modes."""
    return func(*args, **(kwargs or {}))


@contextmanager
def enable_reentrant_dispatch() -> Iterator[None]:
    """A block in which subclasses and modes are asked although the call that is being answered had turned that off."""
    subclasses, everything = _C._torch_function_off(0, 0)
    _C._torch_function_off(-subclasses, -everything)
    try:
        yield
    finally:
        _C._torch_function_off(subclasses, everything)


# --- modes ------------------------------------------------------------------------------------------------------------


class TorchFunctionMode:
    """A block in which every call of an operator goes to ``__torch_function__`` of the mode; inside it, to the next.

    >>> class Names(torch.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return func(*args, **(kwargs or {}))
    >>> with Names():
    ...     _ = torch.ones(2) + 1
    ones
    add
    """

    inner: TorchFunctionMode

    def __torch_function__(
        self, func: Callable, types: tuple, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        raise NotImplementedError

    def __enter__(self) -> TorchFunctionMode:
        _push_mode(self)
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        _pop_mode()

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> TorchFunctionMode:
        """The older spelling of ``cls(...)``."""
        warnings.warn(
            "`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`",
            stacklevel=2,
        )
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(
        self, func: Callable, types: tuple, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


def _get_current_function_mode() -> TorchFunctionMode | None:
    count = _C._len_torch_function_stack()
    return _C._get_function_stack_at(count - 1) if count else None


def _get_current_function_mode_stack() -> list[TorchFunctionMode]:
    return [_C._get_function_stack_at(i) for i in range(_C._len_torch_function_stack())]


def _push_mode(mode: TorchFunctionMode) -> None:
    _C._push_on_torch_function_stack(mode)


def _pop_mode() -> TorchFunctionMode:
    return _C._pop_torch_function_stack()


@contextmanager
def _pop_mode_temporarily() -> Iterator[TorchFunctionMode]:
    mode = _pop_mode()
    try:
        yield mode
    finally:
        _push_mode(mode)


# --- which functions there are ----------------------------------------------------------------------------------------


def _spaces() -> list[tuple[str, Any]]:
    import lumbre
    from lumbre import functional, linalg, nn, special

    return [
        ("torch", lumbre), ("torch.functional", functional), ("torch.nn.functional", nn.functional),
        ("torch.linalg", linalg), ("torch.special", special),
    ]  # fmt: skip


@functools.cache
def _listing() -> tuple[dict[Any, list[Callable]], dict[Callable, str]]:
    """The overridable functions by where they are, and the name of each."""
    operators: dict[str, Callable] = {**_C._functions, **_registry.functions}
    known = set(operators.values())
    found: dict[Any, list[Callable]] = {}
    names: dict[Callable, str] = {}
    for prefix, module in _spaces():
        for name in sorted(getattr(module, "__all__", ())):
            function = getattr(module, name, None)
            if callable(function) and not isinstance(function, type) and function in known:
                found.setdefault(module, []).append(function)
                names.setdefault(function, f"{prefix}.{name}")
    for name, value in sorted(vars(Tensor).items()):
        if name in ("__new__", "__torch_function__", "__dict__", "__doc__", "__weakref__", "__hash__") or not (
            callable(value) or hasattr(value, "__get__")
        ):
            continue
        if type(value).__name__ == "getset_descriptor":
            for part in ("__get__", "__set__"):
                names[getattr(value, part)] = f"torch.Tensor.{name}.{part}"
            found.setdefault(value, []).append(value.__get__)
        elif not isinstance(value, (staticmethod, classmethod)):
            found.setdefault(Tensor, []).append(value)
            names.setdefault(value, f"torch.Tensor.{name}")
    return found, names


def get_overridable_functions() -> dict[Any, list[Callable]]:
    """The functions that can be overridden, by the module or class where they are."""
    return {where: list(functions) for where, functions in _listing()[0].items()}


def get_ignored_functions() -> set[Callable]:
    """Public functions that are never overridden: they take no tensors, or make the first."""
    import lumbre

    overridable = {each for functions in _listing()[0].values() for each in functions}
    return {
        value
        for name in lumbre.__all__
        if callable(value := getattr(lumbre, name)) and not isinstance(value, type) and value not in overridable
    }


def get_testing_overrides() -> dict[Callable, Callable]:
    """For each function that can be overridden, one of the same parameters that gives -1."""
    signatures: dict[Callable, str] = {}
    for record in _registry.records():
        for name in (record.name, *record.aliases):
            function = _C._functions.get(name) or _registry.functions.get(name)
            method = vars(Tensor).get(name)
            for each in (function, method):
                if each is not None:
                    signatures.setdefault(each, record.signature[len(record.name) :].partition(" ->")[0])
    made: dict[Callable, Callable] = {}
    for functions in _listing()[0].values():
        for function in functions:
            text = signatures.get(function)
            made[function] = _dummy(text) if text else lambda *args, **kwargs: -1
    return made


def _dummy(signature: str) -> Callable:
    try:
        return eval(f"lambda {signature[1:-1]}: -1", {"__builtins__": {}})
    except (SyntaxError, NameError):
        return lambda *args, **kwargs: -1


def resolve_name(f: Callable) -> str | None:
    """Where a function is: "torch.add", "torch.Tensor.add", "torch.Tensor.shape.__get__"; None where it is unknown."""
    if isinstance(f, str):
        return f
    return _listing()[1].get(f)


def is_tensor_method_or_property(func: Callable) -> bool:
    """Whether a function is a method of Tensor, or reads or writes one of its properties."""
    return func in _listing()[0].get(Tensor, ()) or getattr(func, "__name__", "") in ("__get__", "__set__")
