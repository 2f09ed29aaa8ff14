"""Pickles under PyTorch's names: a writer, a reader that runs nothing from the file, and one that trusts it."""

from __future__ import annotations

import io
import pickle
import pickletools
from importlib import import_module
from pickle import whichmodule  # type: ignore[attr-defined]  # not in the stubs of the library

from lumbre import _C, _legacy, _utils

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

_PACKAGE = "lumbre"
# The one that is written in Python: its parts, which the library's stubs do not show, can be replaced.
_Pickler: Any = pickle._Pickler
# Classes that stand in files of other names than PyTorch's.
_PYTORCH_FILES = {
    "Flatten": "flatten", "Unflatten": "flatten", "ChannelShuffle": "channelshuffle", "PixelShuffle": "pixelshuffle",
    "PixelUnshuffle": "pixelshuffle",
}  # fmt: skip


def _pytorch_name(module: str, name: str) -> tuple[str, str]:
    """The place in PyTorch of what stands at a place here."""
    if module in ("lumbre._C", "lumbre", "torch", "torch._C", "lumbre.storage") and name.rpartition(".")[0] == "":
        return ("torch.storage", name) if name in ("TypedStorage", "UntypedStorage") else ("torch", name)
    if module == "lumbre.nn.parameter" or module == "torch.nn.parameter":
        return "torch.nn.parameter", name
    if module == _PACKAGE or module.startswith(_PACKAGE + "."):
        module = "torch" + module[len(_PACKAGE) :]
    if module.startswith("torch.nn.modules.") and name in _PYTORCH_FILES:
        module = "torch.nn.modules." + _PYTORCH_FILES[name]
    return module, name


def _written_name(module: str, name: str) -> tuple[str, str]:
    """The place that a file gives to what stands at a place here."""
    if name.endswith("Storage") and module.partition(".")[0] in (_PACKAGE, "torch"):
        return ("torch.storage" if name in ("UntypedStorage", "TypedStorage") else "torch"), name
    return _pytorch_name(module, name)


def pickled(obj: Any, protocol: int, reference: Callable) -> bytes:
    """A pickle whose globals have PyTorch's names; ``reference`` gives the persistent ids of storages."""
    file = io.BytesIO()
    if protocol not in (2, 3):
        _TextWriter(file, protocol, reference).dump(obj)
        return file.getvalue()
    _Writer(file, protocol, reference).dump(obj)
    return _C._rename_globals(file.getbuffer(), _written_name)


class _Writer(pickle.Pickler):
    def __init__(self, file: IO[bytes], protocol: int, reference: Callable) -> None:
        super().__init__(file, protocol=protocol)
        self.persistent_id = reference  # type: ignore[method-assign]


class _TextWriter(_Pickler):
    """For the protocols whose globals are not opcodes of their own, or are text like the rest."""

    def __init__(self, file: IO[bytes], protocol: int, reference: Callable) -> None:
        super().__init__(file, protocol=protocol)
        self.persistent_id = reference

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if isinstance(obj, _C.dtype):
            name = str(obj).rpartition(".")[2]
        name = name or getattr(obj, "__qualname__", None) or obj.__name__
        module = getattr(obj, "__module__", None) or whichmodule(obj, name)
        module, name = ("torch", name) if isinstance(obj, _C.dtype) else _written_name(module, name)
        if module.split(".")[0] != "torch":
            super().save_global(obj, name)
            return
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    # dtypes are names in torch; functions and classes too.
    dispatch = {
        **_Pickler.dispatch,
        _C.dtype: save_global,
        type(_pytorch_name): save_global,
    }


def _found(module: str, name: str) -> Any:
    """What PyTorch has at a place, here."""
    target = _PACKAGE + module[len("torch") :] if module == "torch" or module.startswith("torch.") else module
    if name.endswith("Storage") and module in ("torch", "torch.storage"):
        return getattr(import_module("lumbre"), name)
    try:
        value: Any = import_module(target)
        for part in name.split("."):
            value = getattr(value, part)
        return value
    except (ImportError, AttributeError):
        if module.startswith("torch.nn.modules"):
            return getattr(import_module("lumbre.nn"), name)
        raise


class TrustingUnpickler(pickle.Unpickler):
    """Runs whatever the file says."""

    def __init__(self, file: IO[bytes], storage: Callable, encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self._storage = storage

    def persistent_load(self, reference: Any) -> Any:
        return self._storage(reference)

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" or module.startswith("torch."):
            return _found(module, name)
        return super().find_class(module, name)


# --- allowed classes --------------------------------------------------------------------------------------------------

_user_globals: dict[str, Any] = {}


def _full_name(value: Any) -> str:
    module, name = _pytorch_name(value.__module__, value.__qualname__)
    return f"{module}.{name}"


def add_safe_globals(allowed: list[Any]) -> None:
    """Allows classes and functions (or (value, "full.name") pairs) in files that are loaded with ``weights_only``."""
    for entry in allowed:
        value, name = entry if isinstance(entry, tuple) else (entry, _full_name(entry))
        _user_globals[name] = value


def get_safe_globals() -> list[Any]:
    """What the program has allowed."""
    return list(_user_globals.values())


def clear_safe_globals() -> None:
    """Allows only what is always allowed."""
    _user_globals.clear()


class safe_globals:
    """A block in which classes are allowed."""

    def __init__(self, allowed: list[Any]) -> None:
        self.allowed = allowed

    def __enter__(self) -> None:
        self.before = dict(_user_globals)
        add_safe_globals(self.allowed)

    def __exit__(self, *exception: object) -> None:
        _user_globals.clear()
        _user_globals.update(self.before)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How protocol 2 writes bytes: only the one encoding that it uses."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError("_codecs.encode is allowed for latin1 only")
    return text.encode("latin1")


def _allowed() -> dict[str, Any]:
    from collections import Counter, OrderedDict

    import lumbre

    always = {
        "collections.OrderedDict": OrderedDict, "collections.Counter": Counter, "builtins.set": set, "__builtin__.set": set,
        "builtins.bytearray": bytearray, "builtins.complex": complex, "_codecs.encode": _encode, "torch.Size": _C.Size,
        "torch.device": lumbre.device, "torch.Tensor": _C.Tensor, "torch.serialization._get_layout": _layout,
    }  # fmt: skip
    for name in (
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state",
    ):  # fmt: skip
        always[f"torch._utils.{name}"] = getattr(_utils, name)
    always["torch._tensor._rebuild_from_type_v2"] = _utils._rebuild_from_type_v2
    always["torch._utils._rebuild_from_type_v2"] = _utils._rebuild_from_type_v2
    for name in ("Parameter", "Buffer"):
        always[f"torch.nn.parameter.{name}"] = getattr(import_module("lumbre.nn.parameter"), name)
    for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"):
        always[f"torch.{kind}Storage"] = getattr(lumbre, f"{kind}Storage")
        always[f"torch.{kind}Tensor"] = getattr(_legacy, f"{kind}Tensor", None) or getattr(lumbre, f"{kind}Tensor")
    always["torch.storage.UntypedStorage"] = _C.UntypedStorage
    always["torch.UntypedStorage"] = _C.UntypedStorage
    always["torch.storage.TypedStorage"] = lumbre.TypedStorage
    for name in (
        "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "strided",
        "contiguous_format", "preserve_format",
    ):  # fmt: skip
        always[f"torch.{name}"] = getattr(_C, name)
    return always


def _layout(name: str) -> Any:
    if name != "torch.strided":
        raise pickle.UnpicklingError(f"Lumbre has no layout {name}")
    return _C.strided


_always: dict[str, Any] = {}


class RestrictedUnpickler(pickle.Unpickler):
    """Makes tensors, containers and allowed classes; names nothing else, and so runs nothing else."""

    def __init__(self, file: IO[bytes], storage: Callable | None, encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self._storage = storage

    def persistent_load(self, reference: Any) -> Any:
        if self._storage is None:
            raise pickle.UnpicklingError("a persistent id in a place that has none")
        return self._storage(reference)

    def find_class(self, module: str, name: str) -> Any:
        if not _always:
            _always.update(_allowed())
        full = f"{module}.{name}"
        if full in _user_globals:
            return _user_globals[full]
        if full in _always:
            return _always[full]
        if module.split(".")[0] in ("os", "sys", "posix", "nt", "subprocess", "runpy"):
            raise pickle.UnpicklingError(
                f"Trying to load unsupported GLOBAL {full} whose module {module.split('.')[0]} is blocked."
            )
        raise pickle.UnpicklingError(
            f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` context "
            "manager to allowlist this global if you trust this class/function."
        )


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names in a file that ``weights_only`` would refuse."""
    import zipfile

    if not _always:
        _always.update(_allowed())
    with zipfile.ZipFile(f) as archive:
        entry = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        data = archive.read(entry)
    names = []
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            names.append(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            names.append(".".join(texts[-2:]))
        elif isinstance(argument, str):
            texts.append(argument)
    return [name for name in dict.fromkeys(names) if name not in _always and name not in _user_globals]
