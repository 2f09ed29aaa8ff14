"""``torch.library``: operators that programs define, called through ``torch.ops`` or by what defined them.

>>> @torch.library.custom_op("example::double", mutates_args=())
... def double(x: torch.Tensor) -> torch.Tensor:
...     return x + x
>>> torch.ops.example.double(torch.ones(2))
tensor([2., 2.])
"""

from __future__ import annotations

import inspect
from typing import Any

from lumbre import _C, _absent, _identity
from lumbre.autograd.function import Function
from lumbre.utils import _pytree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Tensor = _C.Tensor
__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "get_kernel", "impl", "infer_schema", "opcheck", "register_autocast",
    "register_autograd", "register_fake", "register_kernel", "register_torch_dispatch", "register_vmap", "triton_op",
    "wrap_triton",
]  # fmt: skip
_DEFINED: dict[str, CustomOpDef] = {}
get_kernel, opcheck, register_torch_dispatch, register_vmap, triton_op, wrap_triton = (
    _absent.refused_function(f"library.{name}", _absent._GRAPHS)
    for name in ("get_kernel", "opcheck", "register_torch_dispatch", "register_vmap", "triton_op", "wrap_triton")
)


# --- schemas ----------------------------------------------------------------------------------------------------------

_TYPES = {Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", _C.dtype: "ScalarType"}


def _type_text(annotation: Any) -> str | None:
    """An annotation as a schema writes it; None where a schema cannot."""
    from types import NoneType, UnionType
    from typing import Union, get_args, get_origin

    if isinstance(annotation, type) and annotation in _TYPES:
        return _TYPES[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        others = [part for part in parts if part is not NoneType]
        if set(others) == {int, float} or set(others) == {int, float, bool}:
            return "Scalar" + "?" * (len(others) < len(parts))
        inner = _type_text(others[0]) if len(others) == 1 and len(parts) == 2 else None
        return inner and inner + "?"
    if origin is not None and hasattr(origin, "__iter__") and origin is not tuple and len(parts) == 1:
        inner = _type_text(parts[0])
        return inner and inner + "[]"
    return None


def infer_schema(prototype_function: Callable, /, *, mutates_args: Any, op_name: str | None = None) -> str:
    """The schema of a function with annotations. ValueError where one is missing or has no place in a schema.

    >>> def scale(x: torch.Tensor, factor: float = 2.0) -> torch.Tensor: ...
    >>> torch.library.infer_schema(scale, mutates_args=())
    '(Tensor x, float factor=2.) -> Tensor'
    """
    signature = inspect.signature(prototype_function, eval_str=True)

    def fail(what: str) -> ValueError:
        return ValueError(f"infer_schema(func): {what} Got func with signature {signature})")

    parts = []
    starred = False
    for place, (name, parameter) in enumerate(signature.parameters.items()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise fail("We do not support positional-only args, varargs, or varkwargs.")
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            parts.append("*")
        if parameter.annotation is parameter.empty:
            raise fail(f"Parameter {name} must have a type annotation.")
        text = _type_text(parameter.annotation)
        if text is None:
            raise fail(f"Parameter {name} has unsupported type {parameter.annotation}.")
        if mutates_args == "unknown" or name in mutates_args:
            if not text.startswith("Tensor"):
                raise fail(
                    f"Parameter {name} is in mutable_args but only Tensors or collections of Tensors can be mutated"
                )
            text = f"Tensor(a{place}!){text[6:]}"
        default = "" if parameter.default is parameter.empty else f"={_default_text(parameter.default)}"
        parts.append(f"{text} {name}{default}")
    if mutates_args != "unknown" and (unknown := set(mutates_args) - set(signature.parameters)):
        raise fail(f"{unknown} in mutates_args were not found in the custom op's signature.")
    result = _result_text(signature.return_annotation)
    if result is None:
        raise fail(f"Return has unsupported type {signature.return_annotation}.")
    return f"{op_name or ''}({', '.join(parts)}) -> {result}"


def _default_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{int(value)}."
    return f'"{value}"' if isinstance(value, str) else str(value)


def _result_text(annotation: Any) -> str | None:
    from typing import get_args, get_origin

    if annotation is None or annotation is type(None):
        return "()"
    if get_origin(annotation) is tuple:
        parts = [_type_text(part) for part in get_args(annotation)]
        return None if None in parts else f"({', '.join(map(str, parts))})"
    return _type_text(annotation)


class _Argument:
    """A parameter of a schema."""

    def __init__(self, text: str, keyword_only: bool) -> None:
        declared, _, default = text.partition("=")
        self.type, _, self.name = declared.strip().rpartition(" ")
        self.default = default
        self.keyword_only = keyword_only

    def takes(self, value: Any) -> bool:
        """Whether a value may stand here."""
        kind = self.type.partition("(")[0].rstrip("?[]")
        if value is None:
            return self.type.endswith("?")
        if "[" in self.type:
            return isinstance(value, (list, tuple))
        return not kind.startswith("Tensor") or isinstance(value, Tensor)


def _arguments(schema: str) -> list[_Argument]:
    inside, depth, parts = "", 0, []
    for character in schema[schema.index("(") + 1 : schema.rindex("->")].rstrip()[:-1] + ",":
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(inside.strip())
            inside = ""
        else:
            inside += character
    starred = False
    found = []
    for part in filter(None, parts):
        if part == "*":
            starred = True
        else:
            found.append(_Argument(part, starred))
    return found


# --- operators --------------------------------------------------------------------------------------------------------


class CustomOpDef:
    """An operator that a program defined: it is called like the function that it was made of."""

    def __init__(self, qualname: str, schema: str, fn: Callable | None) -> None:
        self._qualname = qualname
        self._namespace, _, self._name = qualname.partition("::")
        self._schema = f"{qualname}{schema[schema.index('(') :]}"
        self._arguments = _arguments(self._schema)
        self._init_fn = fn
        self._function: type[Function] | None = None
        self._backward: Callable | None = None
        self._setup: Callable | None = None
        self.__name__ = self._name
        self.__doc__ = getattr(fn, "__doc__", None)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def _bound(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        positional = [each for each in self._arguments if not each.keyword_only]
        if len(args) > len(positional):
            raise RuntimeError(
                f"{self._qualname}() expected at most {len(positional)} argument(s) but received {len(args)} argument(s). "
                f"Declaration: {self._schema}"
            )
        names = {each.name for each in self._arguments}
        for name in kwargs:
            if name not in names:
                raise RuntimeError(
                    f"Unknown keyword argument '{name}' for operator '{self._qualname}'. Schema: {self._schema}"
                )
        given = {**dict(zip((each.name for each in positional), args, strict=False)), **kwargs}
        for place, argument in enumerate(self._arguments):
            if argument.name not in given:
                if not argument.default:
                    raise RuntimeError(
                        f"{self._qualname}() is missing value for argument '{argument.name}'. Declaration: {self._schema}"
                    )
            elif not argument.takes(given[argument.name]):
                value = given[argument.name]
                raise RuntimeError(
                    f"{self._qualname}() Expected a value of type '{argument.type}' for argument '{argument.name}' but "
                    f"instead found type '{type(value).__name__}'.\nPosition: {place}\nDeclaration: {self._schema}"
                )
        return self._with_defaults(given)

    def _with_defaults(self, given: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        assert self._init_fn is not None
        bound = inspect.signature(self._init_fn).bind_partial()
        parameters = list(bound.signature.parameters.values())
        ordered, named = [], {}
        for argument, parameter in zip(self._arguments, parameters, strict=True):
            value = given.get(argument.name, parameter.default)
            if argument.keyword_only:
                named[parameter.name] = value
            else:
                ordered.append(value)
        return tuple(ordered), named

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function; where a gradient is wanted, the formula that ``register_autograd`` gave comes with it."""
        if self._init_fn is None:
            raise NotImplementedError(f"There is no implementation of {self._qualname}: register one with impl")
        ordered, named = self._bound(args, kwargs)
        leaves, spec = _pytree.tree_flatten((ordered, named))
        if _C.is_grad_enabled() and any(isinstance(each, Tensor) and each.requires_grad for each in leaves):
            if self._function is None:
                self._function = _recorded(self)
            return self._function.apply(spec, *leaves)
        return self._run(ordered, named)

    def _run(self, ordered: tuple, named: dict[str, Any]) -> Any:
        assert self._init_fn is not None
        result = self._init_fn(*ordered, **named)
        given = {id(each) for each in _pytree.tree_iter((ordered, named)) if isinstance(each, Tensor)}
        if any(id(each) in given for each in _pytree.tree_iter(result)):
            raise RuntimeError(
                f"{self._name} (with implementation in {self._init_fn.__module__}): The output of this custom operator (1) "
                "must not also be an input to this custom operator and (2) may not alias any inputs to this custom "
                "operator or other returns. Return a clone of it."
            )
        return result

    def register_fake(self, fn: Callable, /) -> Callable:
        """Accepted: shapes are found by running the function."""
        return fn

    def register_kernel(self, device_types: Any, fn: Callable | None = None, /) -> Callable:
        """Makes a function what runs on a device type; only "cpu" (or None: all) ever does."""
        kinds = [device_types] if isinstance(device_types, str) or device_types is None else list(device_types)

        def register(function: Callable) -> Callable:
            if any(kind in ("cpu", None) for kind in kinds):
                self._init_fn = function
            return function

        return register if fn is None else register(fn)

    def register_autograd(self, backward: Callable, /, *, setup_context: Callable | None = None) -> None:
        """``backward(ctx, *gradients)`` gives the inputs' gradients; ``setup_context(ctx, inputs, output)`` saves for it."""
        self._backward, self._setup = backward, setup_context


def _recorded(op: CustomOpDef) -> type[Function]:
    """The ``autograd.Function`` of an operator."""
    label = f"{op._namespace}.{op._name}.default"

    class Recorded(Function):
        @staticmethod
        def forward(ctx: Any, spec: _pytree.TreeSpec, *leaves: Any) -> Any:
            ordered, named = spec.unflatten(leaves)
            ctx._spec = spec
            result = op._run(ordered, named)
            if op._setup is not None:
                more = {"keyword_only_inputs": named} if named else {}
                op._setup(ctx, inputs=ordered, output=result, **more)
            return tuple(result) if isinstance(result, list) else result

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            if op._backward is None:
                raise RuntimeError(
                    f"Trying to backward through {label} but no autograd formula was registered. Please use "
                    "register_autograd to add one."
                )
            given = op._backward(ctx, *gradients)
            given = given if isinstance(given, tuple) else (given,)
            shapes = ctx._spec.child(0).children()
            if len(given) != len(shapes):
                raise RuntimeError(
                    f"{label}: expected {len(shapes)} gradients, one for each input, but got {len(given)}"
                )
            flat = [None]
            for one, shape in zip(given, shapes, strict=True):
                flat += [None] * shape.num_leaves if one is None else shape.flatten_up_to(one)
            return (*flat, *[None] * ctx._spec.child(1).num_leaves)

    Recorded.__name__ = Recorded.__qualname__ = f"GeneratedBackwardFor_{op._namespace}_{op._name}_default"
    return Recorded


def _defined(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    name = op.name() if hasattr(op, "overloadpacket") else str(op)
    space, _, rest = name.partition("::")
    found = _DEFINED.get(f"{space}::{rest.partition('.')[0]}")
    if found is None:
        raise AttributeError(f"'_OpNamespace' '{space}' object has no attribute '{rest}'")
    return found


def custom_op(
    name: str,
    fn: Callable | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: str | Sequence[str] | None = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Makes a function the operator ``namespace::name``, whole to the autograd engine. ``mutates_args`` names what it
    writes to. ValueError where the name or the annotations are not whole.
    """

    def make(function: Callable) -> CustomOpDef:
        text = infer_schema(function, mutates_args=mutates_args) if schema is None else schema
        if name.count("::") != 1:
            raise ValueError(f"Expected a qualified name of the form 'namespace::name', got {name!r}")
        made = _DEFINED[name] = CustomOpDef(name, text, function)
        return made

    return make if fn is None else make(fn)


def register_autograd(
    op: Any, backward: Callable, /, *, setup_context: Callable | None = None, lib: Any = None
) -> None:
    """``backward(ctx, *gradients)`` gives the inputs' gradients; ``setup_context(ctx, inputs, output)`` saves for it."""
    _defined(op).register_autograd(backward, setup_context=setup_context)


def register_fake(op: Any, func: Callable | None = None, /, *, lib: Any = None, **more: Any) -> Any:
    """Accepted: shapes are found by running the function. So they are for operators of a library that was refused."""
    from lumbre.ops import refused_libraries

    try:
        _defined(op)
    except AttributeError:
        if not refused_libraries:
            raise RuntimeError(f"operator {op} does not exist") from None
    return func if func is not None else lambda fn: fn


def register_kernel(op: Any, device_types: Any, func: Callable | None = None, /, *, lib: Any = None) -> Any:
    """Makes a function what runs on a device type; only "cpu" (or None: all) ever does."""
    return _defined(op).register_kernel(device_types, func)


def register_autocast(op: Any, device_type: str, cast_inputs: Any, /, *, lib: Any = None) -> None:
    """NotImplementedError: what programs define computes in the dtypes that it is given."""
    raise NotImplementedError("torch.library.register_autocast: cast the arguments inside the operator")


class Library:
    """A namespace of operators: ``define`` gives one a schema, ``impl`` the function that runs."""

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("DEF", "IMPL", "FRAGMENT"):
            raise ValueError("Unsupported library type: ", kind)
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Makes the operator of a schema, as yet without an implementation; its name."""
        name = schema[: schema.index("(")].strip()
        _DEFINED[f"{self.ns}::{name}"] = CustomOpDef(f"{self.ns}::{name}", schema, None)
        return name

    def impl(self, op_name: Any, fn: Callable, dispatch_key: str = "", **more: Any) -> None:
        """Makes a function what runs, where the dispatch key is one of a CPU's."""
        name = str(op_name) if "::" in str(op_name) else f"{self.ns}::{op_name}"
        op = _defined(name)
        if (dispatch_key or self.dispatch_key) in ("", "CPU", "CompositeExplicitAutograd", "CompositeImplicitAutograd"):
            op._init_fn = fn


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = ()) -> None:
    """Makes the operator ``namespace::name`` of a schema, as yet without an implementation."""
    if qualname.count("::") != 1:
        raise ValueError(f"define(qualname, schema): expected namespace::name, got {qualname!r}")
    _DEFINED[qualname] = CustomOpDef(qualname, schema, None)


def impl(qualname: str, types: Any, func: Callable | None = None, *, lib: Any = None) -> Any:
    """Makes a function what runs on a device type; only "cpu" (or "default") ever does."""
    kinds = [types] if isinstance(types, str) else list(types)
    return _defined(qualname).register_kernel("cpu" if {"cpu", "default"} & set(kinds) else "other", func)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}library' has no attribute '{name}'")
