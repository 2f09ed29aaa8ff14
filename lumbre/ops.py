"""``torch.ops``: operators by namespace and name. ``aten`` holds those of this package, the others what ``torch.library``
defined.

>>> torch.ops.aten.add.Tensor(torch.ones(1), torch.ones(1))
tensor([2.])
"""

from __future__ import annotations

import builtins
import sys
from types import ModuleType

from lumbre import _C, _absent, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

Tensor = _C.Tensor
# What programs name to refuse or to hand on tensors that Lumbre does not have.
_REFUSED = {
    "_pin_memory": "no device of Lumbre's reads pinned memory",
    "_sparse_addmm": _absent.REASONS["sparse"],
    "_sparse_mm_reduce_impl": _absent.REASONS["sparse"],
}


def alias(self: Tensor) -> Tensor:
    """The same tensor as a view."""
    return self.view_as(self)


def slice(self: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """The view that Python's slice of one dimension gives; RuntimeError for a step that is not positive."""
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    self.size(dim)  # IndexError where there is no such dimension
    return self[(*[builtins.slice(None)] * (dim % self.dim()), builtins.slice(start, end, step))]


def _to_copy(self: Tensor, *, dtype: Any = None, **options: Any) -> Tensor:
    """A copy, in another dtype where one is given."""
    return self.to(dtype or self.dtype, copy=True)


def index(self: Tensor, indices: Any) -> Tensor:
    """The elements at tensors of indices, one for each of the first dimensions; None takes all of one."""
    return self[tuple(builtins.slice(None) if each is None else each for each in indices)]


def sym_size(self: Tensor, dim: int) -> int:
    """The size of a dimension."""
    return self.size(dim)


_OWN = {function.__name__: function for function in (alias, index, slice, _to_copy, sym_size)}


class OpOverload:
    """One overload of an operator. Overloads are told apart by their arguments: each name runs the same function."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self._packet, self._overloadname = packet, overload
        self.namespace = packet._namespace
        self.__name__ = f"{packet.__name__}.{overload}"

    @property
    def overloadpacket(self) -> OpOverloadPacket:
        """The operator."""
        return self._packet

    @property
    def op(self) -> Callable:
        """The function that runs."""
        return self._packet._op

    def name(self) -> str:
        """Namespace, name and overload."""
        own = "" if self._overloadname == "default" else f".{self._overloadname}"
        return f"{self._packet._qualified_op_name}{own}"

    @property
    def _schema(self) -> Any:
        return getattr(self._packet._op, "_schema", self.name())

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._packet._op(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self.namespace}.{self.__name__}"

    def __repr__(self) -> str:
        packet = self._packet
        return f"<OpOverload(op='{self.namespace}.{packet.__name__}', overload='{self._overloadname}')>"


class OpOverloadPacket:
    """An operator by its namespace and name."""

    def __init__(self, namespace: str, name: str, function: Callable) -> None:
        self._namespace, self.__name__, self._op = namespace, name, function
        self._qualified_op_name = f"{namespace}::{name}"
        self._found: dict[str, OpOverload] = {}

    def __getattr__(self, name: str) -> OpOverload:
        # Lumbre's own tell overloads apart by arguments, so that PyTorch's names for them all lead to one function.
        if name.startswith("__") or (self._namespace != "aten" and name != "default"):
            raise AttributeError(f"The underlying op of '{self}' has no overload name '{name}'")
        return self._found.setdefault(name, OpOverload(self, name))

    def overloads(self) -> list[str]:
        """The names of the overloads that were asked for, and the default one."""
        return list(dict.fromkeys(["default", *self._found]))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._op(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self._namespace}.{self.__name__}"

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self}')>"


def _aten(name: str) -> Callable | None:
    import lumbre

    if name in _OWN:
        return _OWN[name]
    if name in _REFUSED:
        return _absent.refused_function(f"ops.aten.{name}", _REFUSED[name])
    for table in (_C._functions, _registry.functions):
        for prefix in ("", "nn.functional.", "special.", "linalg."):
            if prefix + name in table:
                return table[prefix + name]
    return getattr(lumbre, name, None) if name in lumbre.__all__ else getattr(Tensor, name, None)


class _OpNamespace(ModuleType):
    """The operators of one namespace."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{__name__}.{name}")
        self._space = name

    def __getattr__(self, name: str) -> OpOverloadPacket:
        function: Any = None
        if not name.startswith("__"):
            if self._space == "aten":
                function = _aten(name)
            else:
                from lumbre import library

                function = library._DEFINED.get(f"{self._space}::{name}")
        if not callable(function):
            raise AttributeError(f"'_OpNamespace' '{self._space}' object has no attribute '{name}'")
        made = OpOverloadPacket(self._space, name, function)
        if self._space == "aten":  # others may be defined anew
            setattr(self, name, made)
        return made


refused_libraries: list[str] = []


def load_library(path: Any) -> NoReturn:
    """OSError: libraries of operators are built for PyTorch's own engine."""
    refused_libraries.append(str(path))
    raise OSError(
        f"Could not load this library: {path}. It is built for PyTorch's engine, which Lumbre does not contain."
    )


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    made = globals()[name] = _OpNamespace(name)
    sys.modules[made.__name__] = made
    return made
