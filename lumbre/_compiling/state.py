"""What of a program's state a run may have read: the tensors that it finds by itself, and guards on everything else.

The walk begins at a function and its arguments and follows the names in the code that ran: globals, closures, defaults,
attributes; containers are followed whole. What it does not understand is opaque, and refuses the recording.
"""

from __future__ import annotations

import builtins
import sys
from collections import OrderedDict, defaultdict
from dis import get_instructions, opmap
from functools import partial
from types import (
    BuiltinFunctionType,
    BuiltinMethodType,
    CellType,
    CodeType,
    FunctionType,
    GenericAlias,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

Tensor = _C.Tensor
absent = _C._absent

DICT, LIST, SET, TYPE, CELL, FUNCTION, ATTRIBUTE, WHOLE = range(8)

# Values without parts that could change.
ATOMS = frozenset(
    (
        type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented), CodeType, property,
        BuiltinFunctionType, BuiltinMethodType, GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType,
        WrapperDescriptorType, type(dict.fromkeys), type(dict.__dict__["fromkeys"]), GenericAlias, type(int | str),
        _C.dtype, _C.layout, _C.memory_format, _C.Generator, type(_C._functions["relu"]), type(Tensor.relu),
        type(absent),
    )
)  # fmt: skip
# Types of the interpreter whose objects compute from their arguments alone.
PURE_TYPES = frozenset(
    (
        bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range, slice, enumerate, zip, map, filter,
        reversed, super, object, type, property, staticmethod, classmethod, OrderedDict, defaultdict, partial, type(None),
        ModuleType, FunctionType, MethodType, _C.Size, _C.dtype, _C.layout, _C.memory_format, Tensor, _C.ModuleBase,
        type(_C._functions["relu"]), type(Tensor.relu), _C.Generator, MappingProxyType, _C._Compiled,
    )
)  # fmt: skip
# With these a program reaches attributes whose names are not in its code.
REFLECTION = frozenset(
    ("getattr", "setattr", "delattr", "hasattr", "vars", "dir", "globals", "locals", "eval", "exec", "__dict__",
     "__getattribute__", "attrgetter", "methodcaller", "__getattr__")
)  # fmt: skip
_IMPORT = opmap["IMPORT_NAME"]
_MODULE_PARTS = ("_parameters", "_buffers", "_modules", "training", "_hooked", "forward")
_PACKAGE = __name__.partition(".")[0]
_HOME = __file__.rpartition("_compiling")[0]


def is_own(code: CodeType) -> bool:
    """Whether code is the package's, or what makes a named tuple."""
    return code.co_filename.startswith(_HOME) or (code.co_filename, code.co_names) == ("<string>", ("_tuple_new",))


def nested(code: CodeType) -> Iterable[CodeType]:
    """A code object and those of the functions that are written inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def function_of(value: Any) -> Any:
    """The function behind a class's entry, if there is one."""
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return value


class State:
    """The state that code which ran can read, as it is now."""

    def __init__(self, codes: Iterable[CodeType], roots: Iterable[tuple[Any, str]]) -> None:
        self.codes = frozenset(codes)
        self.names: set[str] = set()
        self.reflects = False
        for code in self.codes:
            self._note_names(code)
        self.shared_names = tuple(sorted(self.names))
        self.tensors: list[Any] = []
        self.reached: dict[int, Any] = {}
        self.found: set[CodeType] = set()
        self.opaque: str | None = None
        self._guards: dict[tuple[int, int], tuple] = {}
        self._namespaces: dict[int, tuple[dict, set[str]]] = {}
        self._waiting: list[tuple[Any, str]] = list(roots)
        self._add_hooks()
        self._walk()
        self._guard_namespaces()

    def _note_names(self, code: CodeType) -> None:
        for part in nested(code):
            self.names.update(part.co_names)
            if not is_own(code):
                self.names.update(c for c in part.co_consts if isinstance(c, str) and c.isidentifier())
                self.reflects |= not REFLECTION.isdisjoint(part.co_names)

    # --- results ------------------------------------------------------------------------------------------------------

    @property
    def guards(self) -> list[tuple]:
        """(kind, subject, names, values) for each part that must stay as it is."""
        return list(self._guards.values())

    def unknown_code(self, ran: Iterable[CodeType]) -> CodeType | None:
        """Code that ran although the walk found no function of it."""
        known = {part for code in self.found for part in nested(code)}
        return next((code for code in ran if code not in known and not is_own(code)), None)

    def change(self, later: State) -> str | None:
        """What differs in a later state, in words."""
        for key, (_, subject, _, _) in later._guards.items():
            if key not in self._guards:
                return f"{_title(subject)} that it uses is another"
        for key, (kind, subject, names, values) in self._guards.items():
            other = later._guards.get(key)
            if other is None:
                return f"{_title(subject)} that it uses is another"
            if other[2] != names or len(other[3]) != len(values):
                return f"the size of {_title(subject)} changes"
            for i, (a, b) in enumerate(zip(values, other[3], strict=True)):
                if not (a == b if kind == SET else same(a, b)):
                    return _change_of(kind, subject, names, i)
        return None

    # --- the walk -----------------------------------------------------------------------------------------------------

    def _add_hooks(self) -> None:
        modules = sys.modules.get(f"{_PACKAGE}.nn.modules.module")
        if modules is not None:
            for name, value in vars(modules).items():
                if name.startswith("_global_forward"):
                    self._waiting.append((value, f"the hooks for all modules ({name})"))

    def _walk(self) -> None:
        while self._waiting:
            value, path = self._waiting.pop()
            if id(value) in self.reached:
                continue
            self.reached[id(value)] = value
            self._visit(value, path)

    def _later(self, value: Any, path: str) -> None:
        if type(value) not in ATOMS:
            self._waiting.append((value, path))

    def _guard(self, kind: int, subject: Any, names: Any, values: Iterable[Any]) -> None:
        self._guards[kind, id(subject)] = (kind, subject, names, tuple(values))

    def _visit(self, value: Any, path: str) -> None:
        kind = type(value)
        if kind in ATOMS:
            return
        if isinstance(value, Tensor):
            self.tensors.append(value)
            attributes = value.__dict__
            if attributes or self.reflects:
                self._instance(value, attributes, path)
        elif kind is tuple or isinstance(value, tuple):
            for i, part in enumerate(value):
                self._later(part, f"{path}[{i}]")
        elif kind in _CONTAINERS:
            _CONTAINERS[kind](self, value, path)
        elif isinstance(value, type):
            self._class(value, path)
        elif self._behaves(value, path):
            pass
        elif _is_plain(kind):
            self._object(value, path)
        elif _is_number(kind):
            pass
        else:
            self._note_opaque(path, kind)

    def _note_opaque(self, path: str, kind: type) -> None:
        if self.opaque is None:
            self.opaque = f"{path} is an object of type {kind.__qualname__}, whose state is not known"

    # --- containers

    def _dict(self, value: dict, path: str) -> None:
        if type(value) is OrderedDict and value:
            self._note_opaque(path, OrderedDict)
        self._guard(WHOLE, value, tuple(value), value.values())
        for key, part in value.items():
            self._later(key, f"a key of {path}")
            self._later(part, f"{path}[{key!r}]" if type(key) in (str, int) else f"an entry of {path}")

    def _list(self, value: list, path: str) -> None:
        self._guard(LIST, value, None, value)
        for i, part in enumerate(value):
            self._later(part, f"{path}[{i}]")

    def _set(self, value: Any, path: str) -> None:
        if type(value) is set:
            self._guard(SET, value, None, (frozenset(value),))
        for part in value:
            self._later(part, f"a member of {path}")

    def _cell(self, value: CellType, path: str) -> None:
        try:
            content = value.cell_contents
        except ValueError:
            content = absent
        self._guard(CELL, value, None, (content,))
        self._later(content, path)

    # --- what behaves

    def _behaves(self, value: Any, path: str) -> bool:
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._later(value.__func__, path)
            self._later(value.__self__, path)
        elif isinstance(value, ModuleType):
            self._namespace(value.__dict__, self.names, value.__name__)
        elif isinstance(value, _C._Compiled):
            self._later(value.__wrapped__, path)
        elif isinstance(value, (staticmethod, classmethod)):
            self._later(value.__func__, path)
        elif isinstance(value, partial):
            for part in (value.func, value.args, value.keywords):
                self._later(part, path)
        else:
            return False
        return True

    def _function(self, value: FunctionType) -> None:
        code = value.__code__
        if value.__dict__:
            self._instance(value, value.__dict__, value.__qualname__)
        if code not in self.codes:
            return  # it did not run
        self.found.add(code)
        self._guard(FUNCTION, value, None, (code, value.__defaults__, value.__kwdefaults__))
        name = value.__qualname__
        for parts in (value.__defaults__, value.__kwdefaults__):
            self._later(parts, f"the defaults of {name}()")
        for variable, cell in zip(code.co_freevars, value.__closure__ or (), strict=False):
            self._later(cell, variable)
        names = {name for part in nested(code) for name in part.co_names}
        self._namespace(value.__globals__, names, value.__module__ or "")
        self._namespace(builtins.__dict__, names, "builtins")
        if not is_own(code):
            for part in nested(code):
                self._imports(part)

    def _imports(self, code: CodeType) -> None:
        """Modules that the code names in import statements of its own."""
        if _IMPORT not in code.co_code[::2]:
            return
        for instruction in get_instructions(code):
            if instruction.opcode == _IMPORT and instruction.argval in sys.modules:
                self._later(sys.modules[instruction.argval], instruction.argval)

    def _namespace(self, namespace: dict, names: Iterable[str], where: str) -> None:
        _, known = self._namespaces.setdefault(id(namespace), (namespace, set()))
        own = where.partition(".")[0] == _PACKAGE
        for name in names:
            if name in known:
                continue
            known.add(name)
            value = namespace.get(name, absent)
            # The package's own objects are no state of the program's; its tables of hooks and settings are.
            if not own or type(value) in _CONTAINERS or isinstance(value, (FunctionType, type, ModuleType)):
                self._later(value, name if where in ("__main__", "builtins") else f"{where}.{name}")

    def _guard_namespaces(self) -> None:
        for namespace, names in self._namespaces.values():
            ordered = tuple(sorted(names))
            self._guard(DICT, namespace, ordered, [namespace.get(name, absent) for name in ordered])

    # --- objects

    def _object(self, value: Any, path: str) -> None:
        self._later(type(value), type(value).__qualname__)
        for kind in type(value).__mro__:
            for name in _slots(kind):
                if name in self.names or self.reflects:
                    part = getattr(value, name, absent)
                    if part is absent:
                        self._note_opaque(f"{path}.{name}", type(value))
                    self._guard_slot(value, name, part)
                    self._later(part, f"{path}.{name}")
        attributes = getattr(value, "__dict__", None)
        if attributes is not None:
            self._instance(value, attributes, path)

    def _guard_slot(self, value: Any, name: str, part: Any) -> None:
        _, _, names, parts = self._guards.get((ATTRIBUTE, id(value)), (ATTRIBUTE, value, (), ()))
        self._guard(ATTRIBUTE, value, (*names, name), (*parts, part))

    def _instance(self, value: Any, attributes: dict, path: str) -> None:
        names: Iterable[str] = self.shared_names
        if isinstance(value, _C.ModuleBase):
            names = dict.fromkeys((*names, *_MODULE_PARTS))
        if self.reflects:
            names = dict.fromkeys((*names, *attributes))
        names = tuple(names)
        self._guard(DICT, attributes, names, [attributes.get(name, absent) for name in names])
        for name in names:
            if name in attributes:
                self._later(attributes[name], f"{path}.{name}")

    def _class(self, value: type, path: str) -> None:
        if value in PURE_TYPES or issubclass(value, (BaseException, Tensor)):
            return
        if not _is_plain(value, PURE_TYPES):
            self._note_opaque(path, value)
            return
        kinds = [kind for kind in value.__mro__ if kind not in PURE_TYPES]
        # The type's version tells of a change between calls, its entries of one during a call.
        entries = [(name, entry) for kind in kinds for name, entry in kind.__dict__.items() if name[:2] != "__"]
        self._guard(TYPE, value, tuple(name for name, _ in entries), [entry for _, entry in entries])
        for kind in kinds:
            own = kind.__module__.partition(".")[0] == _PACKAGE
            for name, entry in kind.__dict__.items():
                function = function_of(entry)
                if isinstance(function, FunctionType):
                    self._later(function, f"{value.__qualname__}.{name}")
                elif isinstance(entry, property):
                    for part in (entry.fget, entry.fset):
                        self._later(part, f"{value.__qualname__}.{name}")
                elif name in self.names and not own and not name.startswith("__"):
                    self._later(entry, f"{value.__qualname__}.{name}")


_CONTAINERS: dict[type, Any] = {
    dict: State._dict, OrderedDict: State._dict, defaultdict: State._dict, list: State._list, set: State._set,
    frozenset: State._set, CellType: State._cell,
}  # fmt: skip


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _is_plain(kind: type, bases: frozenset[type] = frozenset((object,))) -> bool:
    """Whether a class is written in Python, over nothing but these bases and the package's own."""
    heap = 1 << 9
    return all(base.__flags__ & heap or base in bases for base in kind.__mro__)


def _is_number(kind: type) -> bool:
    """Whether it is one of NumPy's scalars, which cannot change."""
    return any(base.__name__ == "generic" and base.__module__ == "numpy" for base in kind.__mro__)


def same(a: Any, b: Any) -> bool:
    """As the engine's guards compare: numbers and text by value, everything else by identity."""
    return a is b or _C._same_value(a, b)


def _title(subject: Any) -> str:
    return f"a {type(subject).__name__}"


def _change_of(kind: int, subject: Any, names: Any, i: int) -> str:
    if kind in (DICT, WHOLE, ATTRIBUTE, TYPE):
        return f"{names[i]!r} changes"
    if kind == CELL:
        return "a variable of an enclosing function changes"
    return f"{_title(subject)} changes"
