"""Writes the type stubs from the registry: ``lumbre/_C.pyi`` and ``lumbre/__init__.pyi``.

Run it after a change of operators (``make stubs``); ``--check`` fails where the files are not what it would write.
"""

from __future__ import annotations

import argparse
import inspect
import keyword
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import lumbre
from lumbre import _C, _registry

HEADER = '"""Written by tools/make_stubs.py from the registry: do not edit."""\n'
KINDS = {
    "Tensor": "Tensor",
    "Tensor | Number": "Tensor | Number",
    "Number": "Number",
    "int": "builtins.int",
    "float": "builtins.float",
    "bool": "builtins.bool",
    "tuple of ints": "builtins.int | Sequence[builtins.int]",
    "torch.dtype": "_dtype",
    "tuple of Tensors": "Sequence[Tensor]",
    "str": "str",
    "torch.memory_format": "_memory_format",
    "torch.Generator": "Generator",
}
SIDES = {
    "out": "Tensor | Sequence[Tensor] | None",
    "device": "Any",
    "layout": "Any",
    "pin_memory": "builtins.bool | None",
    "requires_grad": "builtins.bool",
}


def parameter_text(name: str, kind: str, optional: bool, has_default: bool, variadic: bool) -> str:
    """One parameter as a stub writes it."""
    annotation = SIDES[name] if kind == "side" else KINDS[kind]
    if variadic:
        return f"*{name}: builtins.int | Sequence[builtins.int]"
    if optional and "None" not in annotation:
        annotation += " | None"
    return f"{name}: {annotation}" + (" = ..." if has_default else "")


RESULTS = {
    "int": "builtins.int",
    "float": "builtins.float",
    "bool": "builtins.bool",
    "dtype": "_dtype",
    "tuple of ints": "tuple[builtins.int, ...]",
    "tuple of Tensors": "tuple[Tensor, ...]",
}


def engine_signatures(name: str, method: bool, result: str | None = None) -> list[tuple[str, str]]:
    """The parameter lists of an engine operator's overloads, each with the type of its result."""
    signatures = []
    for parameters, record in zip(_C._parameters(name), ENGINE[name], strict=True):
        parts = []
        starred = False
        for place, (label, kind, optional, keyword_only, has_default, variadic) in enumerate(parameters):
            if method and place == 0:
                parts.append("self")
                continue
            if method and label == "out":
                continue
            if keyword_only and not starred:
                starred = True
                parts.append("*")
            starred = starred or bool(variadic)
            label = label + "_" if keyword.iskeyword(label) else label
            parts.append(parameter_text(label, kind, optional, has_default, variadic))
        if parts and parts[-1] == "*":
            parts.pop()
        returned = "_Fields" if " -> (" in record.signature else RESULTS.get(record.result, record.result)
        signatures.append((", ".join(parts), result or returned))
    return list(dict.fromkeys(signatures))


def engine_records() -> dict[str, list[_registry.Record]]:
    """The engine's records by name and alias, overloads in the order in which they are tried."""
    table = defaultdict(list)
    for record in _registry.records():
        if record.origin == "engine":
            for name in (record.name, *record.aliases):
                table[name].append(record)
    return table


ENGINE = engine_records()


def definitions(name: str, signatures: list[tuple[str, str]], indent: str) -> list[str]:
    """The lines that define a function or method, with its overloads."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return []
    lines = []
    for text, result in signatures:
        if len(signatures) > 1:
            lines.append(f"{indent}@overload")
        lines.append(f"{indent}def {name}({text}) -> {result}: ...")
    return lines


def composed_parameters(function: object, method: bool) -> str:
    """The parameters of a composed operator or of a plain Python function."""
    parts = []
    starred = False
    for place, parameter in enumerate(inspect.signature(function).parameters.values()):
        if method and place == 0:
            parts.append("self")
        elif parameter.kind is parameter.VAR_POSITIONAL:
            parts.append(f"*{parameter.name}: Any")
            starred = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            parts.append(f"**{parameter.name}: Any")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not starred:
                parts.append("*")
                starred = True
            parts.append(f"{parameter.name}: Any" + ("" if parameter.default is parameter.empty else " = ..."))
    return ", ".join(parts)


def tensor_class() -> list[str]:
    """The stub of Tensor."""
    lines = ["class Tensor:"]
    for name, value in sorted(vars(_C.Tensor).items()):
        if name in ("__doc__", "__module__", "__dict__", "__weakref__", "__new__"):
            continue
        if type(value).__name__ == "method":
            in_place = name not in ENGINE
            base = name.removesuffix("_") if in_place else name
            lines += definitions(name, engine_signatures(base, True, "Tensor" if in_place else None), "    ")
        elif inspect.isfunction(value):
            lines += definitions(name, [(composed_parameters(value, True), "Any")], "    ")
        elif isinstance(value, property) or inspect.isgetsetdescriptor(value):
            kind = {"shape": "Size", "dtype": "_dtype", "ndim": "builtins.int"}.get(name, "Any")
            lines += [f"    @property\n    def {name}(self) -> {kind}: ..."]
            if name in ("grad", "data", "requires_grad"):
                lines += [f"    @{name}.setter\n    def {name}(self, value: Any) -> None: ..."]
        elif callable(value) and not isinstance(value, (classmethod, staticmethod)):
            if name in ("__eq__", "__ne__"):
                lines.append(f"    def {name}(self, other: object) -> Any: ...  # type: ignore[override]")
            elif name in ("__hash__", "__len__", "__index__", "__int__"):
                lines.append(f"    def {name}(self) -> builtins.int: ...")
            elif name == "__bool__":
                lines.append("    def __bool__(self) -> builtins.bool: ...")
            elif name == "__float__":
                lines.append("    def __float__(self) -> builtins.float: ...")
            elif name not in ("__getattribute__", "__setattr__", "__delattr__"):
                lines.append(f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ...")
    lines.append("    def __init__(self, *args: Any, **kwargs: Any) -> None: ...")
    lines.append("    def __getattr__(self, name: str) -> Any: ...")
    return lines


def plain_class(name: str, cls: type) -> list[str]:
    """The stub of another class of the engine."""
    lines = [f"class {name}({'tuple[builtins.int, ...]' if issubclass(cls, tuple) else ''}):".replace("()", "")]
    for member, value in sorted(vars(cls).items()):
        if member.startswith("__") and not inspect.isfunction(value) and member != "__len__":
            continue
        if member in ("__init__", "__dict__") or (member == "is_cuda" and isinstance(value, bool)):
            continue
        if inspect.isgetsetdescriptor(value) or isinstance(value, property):
            lines += [f"    @property\n    def {member}(self) -> Any: ..."]
        elif isinstance(value, classmethod):
            lines.append(f"    @classmethod\n    def {member}(cls, *args: Any, **kwargs: Any) -> Any: ...")
        elif callable(value):
            lines.append(f"    def {member}(self, *args: Any, **kwargs: Any) -> Any: ...")
    if issubclass(cls, tuple):
        lines.append("    @overload\n    def __getitem__(self, key: SupportsIndex, /) -> builtins.int: ...")
        lines.append(f"    @overload\n    def __getitem__(self, key: slice, /) -> {name}: ...")
    if not issubclass(cls, tuple):
        lines.append("    def __init__(self, *args: Any, **kwargs: Any) -> None: ...")
    if "__call__" in vars(cls):
        lines.append("    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...")
    if "__dict__" in vars(cls):  # attributes that a program sets
        lines.append("    def __getattr__(self, name: str) -> Any: ...")
        lines.append("    def __setattr__(self, name: str, value: Any) -> None: ...")
    return lines if len(lines) > 1 else [f"{lines[0]} ..."]


def imports() -> list[str]:
    """What both stubs begin with."""
    return [
        HEADER,
        "import builtins",
        "from collections.abc import Sequence",
        "from typing import Any, SupportsIndex, overload",
        "",
        "Number = builtins.int | builtins.float | builtins.bool",
        "",
    ]


# What has named fields (``values``, ``indices``): a tuple of tensors with attributes of the same kind.
FIELDS = ["", "class _Fields(tuple[Tensor, ...]):", "    def __getattr__(self, name: str) -> Tensor: ...", ""]


def engine_stub() -> str:
    """The text of ``lumbre/_C.pyi``."""
    import lumbre.storage  # noqa: F401 - completes UntypedStorage

    lines = [*imports(), "_dtype = dtype", "_memory_format = memory_format", *FIELDS]
    constants = []
    for name, value in sorted(vars(_C).items()):
        if name.startswith("__") or name == "Tensor":
            continue
        if value is _C.DisableTorchFunctionSubclass:
            constants.append(f"{name}: Any")
        elif isinstance(value, type):
            lines += ["", *plain_class(name, value)]
        elif callable(value):
            constants.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        elif isinstance(value, dict):
            constants.append(f"{name}: dict[str, Any]")
        else:
            constants.append(f"{name}: {type(value).__name__}")
    return "\n".join([*lines, "", *tensor_class(), "", *constants]) + "\n"


def package_stub() -> str:
    """The text of ``lumbre/__init__.pyi``."""
    lines = imports()
    classes = sorted(name for name in lumbre.__all__ if isinstance(getattr(_C, name, None), type))
    lines += [f"from lumbre._C import {name} as {name}" for name in classes]
    lines += ["from lumbre._C import _Fields", "from lumbre._C import dtype as _dtype"]
    lines += ["from lumbre._C import memory_format as _memory_format"]
    lines += ["from lumbre._device import device as device", "", "__version__: str"]
    for name in sorted(set(lumbre.__all__) - set(classes) - {"device"}):
        value = getattr(lumbre, name, None)
        if name in _C._functions:
            in_place = name not in ENGINE
            base = name.removesuffix("_") if in_place else name
            lines += definitions(name, engine_signatures(base, False, "Tensor" if in_place else None), "")
        elif isinstance(value, type):
            lines.append(f"{name}: Any")
        elif inspect.isfunction(value):
            lines += definitions(name, [(composed_parameters(value, False), "Any")], "")
        elif callable(value):
            lines.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        else:
            kinds = {"dtype", "layout", "memory_format", "Generator"}
            kind = type(value).__name__
            lines.append(f"{name}: {kind if kind in kinds else 'builtins.float' if kind == 'float' else 'Any'}")
    return "\n".join([*lines, "", "def __getattr__(name: str) -> Any: ..."]) + "\n"


def main() -> int:
    """Writes the stubs, or with ``--check`` compares them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a stub is out of date")
    check = parser.parse_args().check
    stale = []
    for path, text in ((ROOT / "lumbre/_C.pyi", engine_stub()), (ROOT / "lumbre/__init__.pyi", package_stub())):
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(path.name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date, run tools/make_stubs.py: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
