"""The operators: those of the engine and those composed of others in Python, under one listing.

A composed operator is one decorated function::

    @operator("square_sum(input, dim=None, *, out=None)", method=True)
    def square_sum(input, dim=None):
        \"\"\"The sum of squares ...\"\"\"
        return (input * input).sum(dim)

From the signature come the ``out=`` form, and with ``inplace=True`` the ``square_sum_`` method; functions, methods,
stubs and tests walk the same listing.
"""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

Tensor = _C.Tensor
FUNCTION, METHOD, IN_PLACE, IN_PLACE_FUNCTION = 1, 2, 4, 8
_DERIVATIVES = ("unstated", "none", "refused", "composed", "formula")

_has_override = _C._has_override
functions: dict[str, Callable] = {}
_records: list[Record] = []


class Record:
    """One operator: what the engine's records and the decorated functions have in common."""

    __slots__ = ("aliases", "derivative", "doc", "forms", "name", "origin", "result", "signature")

    def __init__(
        self, signature: str, doc: str, forms: int, aliases: str, derivative: str, origin: str, result: str = "Any"
    ) -> None:
        self.name = signature.partition("(")[0]
        self.signature = signature
        self.doc = doc
        self.forms = forms
        self.aliases = tuple(aliases.split())
        self.derivative = derivative
        self.origin = origin
        self.result = result

    def __repr__(self) -> str:
        return f"<operator {self.signature}>"

    @property
    def has_out(self) -> bool:
        """Whether the operator takes ``out=``."""
        return "out=None" in self.signature


def records() -> list[Record]:
    """Every operator there is; overloads of one name are records of their own."""
    engine = [
        Record(signature, doc or "", forms, aliases or "", _DERIVATIVES[state], "engine", result)
        for signature, doc, forms, aliases, state, result in _C._records()
    ]
    return engine + _records


def has_override(arguments: Any, keywords: Any = None) -> bool:
    """Whether a mode is on, or an argument (or a member of a list of them) brings its own ``__torch_function__``."""
    return _C._has_override(tuple(arguments), keywords)


def call_override(function: Callable, arguments: tuple, keywords: dict) -> Any:
    """Hands a call over to the mode, or to the ``__torch_function__`` of its arguments, subclasses first."""
    return _C._call_override(function, (*arguments, *keywords.values()), arguments, keywords)


def give(target: Any, result: Any, in_place: bool) -> Any:
    """Writes results into their targets under PyTorch's rules of casting and resizing."""
    if isinstance(result, Tensor):
        if not isinstance(target, Tensor):
            raise TypeError(f"argument 'out' must be Tensor, not {type(target).__name__}")
        return _C._give(target, result, in_place)
    if not isinstance(target, (tuple, list)) or len(target) != len(result):
        raise TypeError(f"argument 'out' must be a tuple of {len(result)} Tensors, not {type(target).__name__}")
    for one, value in zip(target, result, strict=True):
        _C._give(one, value, in_place)
    return target


def _cast_leaves(value: Any, found: list[Tensor], made: Iterator[Tensor] | None) -> Any:
    """Gathers the tensors of a structure; or, given their casts, the same structure with those."""
    if isinstance(value, Tensor):
        if made is not None:
            return next(made)
        found.append(value)
    elif type(value) in (list, tuple):
        return type(value)([_cast_leaves(member, found, made) for member in value])
    elif type(value) is dict:
        return {key: _cast_leaves(member, found, made) for key, member in value.items()}
    return value


def with_autocast(compute: Callable, name: str) -> Callable:
    """A function as blocks of autocast call it, by the table of the engine; itself where they leave it alone."""
    policy = _C._autocast_policy(name)
    if not policy:
        return compute

    def cast_first(*args: Any, **kwargs: Any) -> Any:
        # With indices it is another operator, which is left alone.
        if not _C._autocast_enabled() or (name == "nn.functional.max_pool3d" and kwargs.get("return_indices")):
            return compute(*args, **kwargs)
        found: list[Tensor] = []
        _cast_leaves((args, kwargs), found, None)
        _C._autocast_enable(False)
        try:
            args, kwargs = _cast_leaves((args, kwargs), [], iter(_C._autocast_cast(policy, found)))
            return compute(*args, **kwargs)
        finally:
            _C._autocast_enable(True)

    return cast_first


def _make_function(compute: Callable, name: str, text: str, has_out: bool) -> Callable:
    written = compute
    compute = with_autocast(compute, name)
    if has_out:

        def function(*args: Any, out: Any = None, **kwargs: Any) -> Any:
            if _has_override(args, kwargs):
                if out is not None:
                    kwargs["out"] = out
                return call_override(function, args, kwargs)
            result = compute(*args, **kwargs)
            return result if out is None else give(out, result, False)

    else:

        def function(*args: Any, **kwargs: Any) -> Any:
            if _has_override(args, kwargs):
                return call_override(function, args, kwargs)
            return compute(*args, **kwargs)

    return _dressed(function, written, name, text)


def _make_in_place(compute: Callable, name: str, text: str) -> Callable:
    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _has_override((self, *args), kwargs):
            return call_override(function, (self, *args), kwargs)
        return give(self, compute(self, *args, **kwargs), True)

    return _dressed(function, compute, name, text)


def _dressed(function: Any, compute: Callable, name: str, text: str) -> Callable:
    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__module__ = compute.__module__
    function.__doc__ = f"{text}\n\n{compute.__doc__}"
    function.__wrapped__ = compute
    return function


def operator(
    signature: str,
    *,
    method: bool = True,
    function: bool = True,
    inplace: bool = False,
    out: bool | None = None,
    aliases: str = "",
    derivative: str = "composed",
) -> Callable[[Callable], Callable]:
    """Registers a composed operator; the decorated function computes the result from its parameters without ``out``.

    ``out`` says whether there is an ``out=`` form where the signature leaves it unsaid; ``derivative`` is "composed"
    (it follows from the parts) or "none". Names with a dot live in a submodule and have no methods.
    """
    if derivative not in ("composed", "none"):
        raise ValueError(f"a composed operator's derivative is 'composed' or 'none', not {derivative!r}")

    def register(compute: Callable) -> Callable:
        name = signature.partition("(")[0]
        has_out = "out=None" in signature if out is None else out
        forms = FUNCTION * function | METHOD * (method and "." not in name) | IN_PLACE * inplace
        record = Record(signature, compute.__doc__ or "", forms, aliases, derivative, "composed")
        _records.append(record)
        text = name.rpartition(".")[2] + signature[len(name) :]
        made = _make_function(compute, name, text, has_out)
        written = _make_in_place(compute, name + "_", text) if inplace else None
        for each in (name, *record.aliases):
            if function:
                functions[each] = made
            if "." in each:
                continue
            if method:
                setattr(Tensor, each, made)
            if written is not None:
                setattr(Tensor, each + "_", written)
        return made

    return register


def namespace(prefix: str) -> dict[str, Callable]:
    """The functions whose dotted names begin with a submodule's name: ``namespace("special")["expit"]``."""
    start = prefix + "."
    return {
        name[len(start) :]: function
        for table in (_C._functions, functions)
        for name, function in table.items()
        if name.startswith(start) and "." not in name[len(start) :]
    }
