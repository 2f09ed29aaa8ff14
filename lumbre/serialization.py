"""``torch.save`` and ``torch.load``: PyTorch's files, both ways.

A file is a zip archive with a pickle and one record per storage. Files of PyTorch before 1.6 (pickles and raw bytes in a
row) can be read too, and written on demand. Reading runs no code from a file unless ``weights_only=False`` asks for it.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from contextlib import contextmanager

from lumbre import _C, _identity
from lumbre._archive import PIECE, ArchiveWriter
from lumbre._pickles import (
    RestrictedUnpickler,
    TrustingUnpickler,
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
    pickled,
    safe_globals,
)
from lumbre.storage import TypedStorage, UntypedStorage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any

__all__ = [
    "SourceChangeWarning", "add_safe_globals", "check_module_version_greater_or_equal",
    "clear_safe_globals", "default_restore_location", "get_default_load_endianness", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "location_tag", "register_package", "safe_globals", "save",
    "set_default_mmap_options",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


class SourceChangeWarning(Warning):
    """Kept for programs that filter it: sources are not compared."""


# --- writing ----------------------------------------------------------------------------------------------------------


def save(
    obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True, _disable_byteorder_record: bool = False,
) -> None:  # fmt: skip
    """Writes an object with its tensors to a path or a binary file, in PyTorch's format.

    Tensors that share memory share it again when they are loaded. A path is replaced only when the whole file was
    written: where the program fails or ends before, an old file stays as it was. (When the new file reaches the disk is
    the system's decision, as it is with PyTorch; ``os.sync()`` waits for it.)

    >>> buffer = io.BytesIO()
    >>> torch.save({"a": torch.tensor([1.])}, buffer)
    >>> buffer.seek(0); torch.load(buffer)
    0
    {'a': tensor([1.])}
    """
    if hasattr(pickle_module, "__name__") and pickle_module.__name__ == "dill":
        raise NotImplementedError("Lumbre saves with Python's pickle only, not with dill")
    with _target(f) as (file, name):
        if _use_new_zipfile_serialization and _tells(file):
            _save_zip(obj, file, name, pickle_protocol)
        elif _use_new_zipfile_serialization:
            whole = io.BytesIO()
            _save_zip(obj, whole, name, pickle_protocol)
            file.write(whole.getbuffer())
        else:
            _save_legacy(obj, file, pickle_protocol)


@contextmanager
def _target(f: Any) -> Iterator[tuple[IO[bytes], str]]:
    if not isinstance(f, (str, os.PathLike)):
        if not hasattr(f, "write"):
            raise AttributeError(
                f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}"
            )
        yield f, "archive"
        return
    import tempfile

    path = os.fspath(f)
    folder, name = os.path.split(path)
    if folder and not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe cannot be replaced.
        with open(path, "wb") as file:
            yield file, os.path.splitext(name)[0]
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, os.path.splitext(name)[0] or "archive"
        os.chmod(temporary, _mode_for(path))
        os.replace(temporary, os.path.realpath(path))
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _mode_for(path: str) -> int:
    """The permissions of the file that is there, or those that a new file gets."""
    if os.path.exists(path):
        return os.stat(path).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


class _Storages:
    """Numbers the storages that a pickle names."""

    def __init__(self) -> None:
        self.keys: dict[int, str] = {}
        self.kept: list[UntypedStorage] = []

    def reference(self, value: Any) -> Any:
        """The persistent id of a storage; None for anything else."""
        if isinstance(value, TypedStorage):
            memory, dtype = value.untyped(), value.dtype
        elif isinstance(value, UntypedStorage):
            memory, dtype = value, _C.uint8
        else:
            return None
        if memory._cdata not in self.keys:
            self.keys[memory._cdata] = str(len(self.kept))
            self.kept.append(memory)
        count = memory.nbytes() // dtype.itemsize
        kind = UntypedStorage if isinstance(value, UntypedStorage) else _storage_class(dtype)
        return ("storage", kind, self.keys[memory._cdata], "cpu", count)


def _storage_class(dtype: Any) -> Any:
    import lumbre

    names = {
        "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
        "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
    }  # fmt: skip
    return getattr(lumbre, names[str(dtype).rpartition(".")[2]] + "Storage")


def _tells(file: IO[bytes]) -> bool:
    """Whether a file says where it is, and can be gone back in: streams and members of archives do not."""
    try:
        file.seek(file.tell())
    except (AttributeError, OSError):
        return False
    return True


def _save_zip(obj: Any, file: IO[bytes], name: str, protocol: int) -> None:
    storages = _Storages()
    program = pickled(obj, protocol, storages.reference)
    archive = ArchiveWriter(file)

    def note(path: str, data: bytes) -> None:
        archive.record(f"{name}/{path}", len(data), [data])

    note("data.pkl", program)
    note("byteorder", sys.byteorder.encode())
    for i, memory in enumerate(storages.kept):
        archive.record(f"{name}/data/{i}", memory.nbytes(), _pieces(memory))
    note("version", b"3\n")
    note(".data/serialization_id", b"0" * 40)
    archive.end()


def _pieces(memory: UntypedStorage) -> Iterator[bytes]:
    for start in range(0, memory.nbytes(), PIECE):
        yield memory._bytes(start, start + PIECE)


def _filled(file: Any, size: int) -> UntypedStorage:
    """The next bytes of a file; EOFError where it has fewer."""
    memory = _C._functions["empty"]((size,), dtype=_C.uint8).untyped_storage()  # not cleared first
    place = 0
    while place < size:
        data = file.read(min(PIECE, size - place))
        if not data:
            raise EOFError("Ran out of input")
        memory._put(place, data)
        place += len(data)
    return memory


def _save_legacy(obj: Any, file: IO[bytes], protocol: int) -> None:
    storages = _Storages()

    def reference(value: Any) -> Any:
        found = storages.reference(value)
        return None if found is None else (*found, None)

    system = {
        "protocol_version": PROTOCOL_VERSION, "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }  # fmt: skip
    for value in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle.dump(value, file, protocol=protocol)
    dtypes: dict[str, int] = {}

    def noted(value: Any) -> Any:
        found = reference(value)
        if found is not None:
            dtypes[found[2]] = value.dtype.itemsize if isinstance(value, TypedStorage) else 1
        return found

    file.write(pickled(obj, protocol, noted))
    pickle.dump([str(i) for i in range(len(storages.kept))], file, protocol=protocol)
    for i, memory in enumerate(storages.kept):
        file.write(struct.pack("<q", memory.nbytes() // dtypes[str(i)]))
        for piece in _pieces(memory):
            file.write(piece)


# --- reading ----------------------------------------------------------------------------------------------------------


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None,
    mmap: bool | None = None, **pickle_load_args: Any,
) -> Any:  # fmt: skip
    """Reads what ``save`` (or PyTorch) wrote, from a path or a binary file.

    With ``weights_only`` (the default) only tensors, numbers, texts, containers and classes that were allowed by
    ``add_safe_globals`` are made: no code from the file runs. ``mmap=True`` maps the file instead of reading it.
    Raises FileNotFoundError, RuntimeError for a damaged file, pickle.UnpicklingError for what is not allowed.
    """
    if weights_only is None:
        forced = os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0") in ("1", "y", "yes", "true")
        weights_only = pickle_module is None and not forced
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    encoding = pickle_load_args.get("encoding", "utf-8")
    restore = _restorer(map_location)
    with _source(f) as (file, path):
        start = file.tell()
        head = file.read(4)
        file.seek(start)
        if head == b"PK\x03\x04":
            if mmap and path is None:
                raise ValueError("f must be a file path in order to use the mmap argument")
            return _load_zip(file, path if mmap else None, weights_only, encoding, restore)
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True)`, please "
                "torch.save your checkpoint with this option in order to use mmap."
            )
        return _load_legacy(file, weights_only, encoding, restore)


@contextmanager
def _source(f: Any) -> Iterator[tuple[IO[bytes], str | None]]:
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            yield file, os.fspath(f)
        return
    if not hasattr(f, "read") or not hasattr(f, "seek"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a file that is seekable. "
            "Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
        )
    yield f, None


def _damaged(what: str) -> RuntimeError:
    return RuntimeError(f"PytorchStreamReader failed {what}")


def _load_zip(file: Any, mapped: str | None, weights_only: bool, encoding: str, restore: Callable) -> Any:
    import zipfile

    try:
        archive = zipfile.ZipFile(file)
    except (
        zipfile.BadZipFile,
        struct.error,
        ValueError,
        OverflowError,
        EOFError,
        OSError,
        NotImplementedError,
    ) as error:
        raise _damaged("reading zip archive: failed finding central directory") from error
    with archive:
        names = {info.filename: info for info in archive.infolist()}
        entry = next((name for name in names if name.endswith("/data.pkl") and name.count("/") == 1), None)
        if entry is None:
            if any(name.endswith("/constants.pkl") for name in names):
                raise RuntimeError("Lumbre does not read TorchScript archives: they hold programs, not weights")
            raise _damaged("locating file data.pkl: file not found")
        prefix = entry[: -len("data.pkl")]
        reader = _Archive(file, archive, names, prefix, mapped)
        order = prefix + "byteorder"
        if order in names and reader.read("byteorder") != sys.byteorder.encode():
            raise RuntimeError("the file was written on a machine of the other byte order, which Lumbre does not read")
        return _unpickle(io.BytesIO(reader.read("data.pkl")), weights_only, encoding, reader.storage(restore))


class _Archive:
    """The records of an archive; sizes are checked before anything is read."""

    def __init__(self, file: Any, archive: Any, names: dict[str, Any], prefix: str, mapped: str | None) -> None:
        self.file = file
        self.length = _length_of(file)
        self.archive = archive
        self.names = names
        self.prefix = prefix
        self.mapped = mapped
        self.memory: Any = None
        self.loaded: dict[str, UntypedStorage] = {}

    def read(self, name: str) -> bytes:
        import zipfile
        import zlib

        info = self._info(name)
        try:
            return self.archive.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            ArithmeticError,
            EOFError,
            ValueError,
            OSError,
            RuntimeError,
        ) as error:
            raise _damaged(f"reading file {name}: {error}") from error

    def _info(self, name: str) -> Any:
        info = self.names.get(self.prefix + name)
        if info is None:
            raise _damaged(f"locating file {name}: file not found")
        # Stored as they are: a small file cannot grow into a large one.
        if info.compress_type != 0 or info.file_size != info.compress_size:
            raise _damaged(f"reading file {name}: compressed records are not part of the format")
        return info

    def storage(self, restore: Callable) -> Callable:
        def load_storage(reference: Any) -> Any:
            kind, dtype, key, location, count = _checked_reference(reference)
            nbytes = count * dtype.itemsize
            if key not in self.loaded:
                info = self._info(f"data/{key}")
                if info.file_size < nbytes:
                    raise _damaged(f"reading file data/{key}: {info.file_size} bytes, {nbytes} expected")
                if self.mapped is not None:
                    self.loaded[key] = self._map(info)
                else:
                    self.loaded[key] = self._read_storage(info)
                restore(self.loaded[key], location)
            memory = self.loaded[key]
            if memory.nbytes() < nbytes:
                raise _damaged(f"reading file data/{key}: {memory.nbytes()} bytes, {nbytes} expected")
            return (
                memory if kind == "UntypedStorage" else TypedStorage(wrap_storage=memory, dtype=dtype, _internal=True)
            )

        return load_storage

    def _start(self, info: Any, head: bytes) -> int:
        """Where a record's bytes begin, by the header in front of them; all of them lie in the file."""
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise _damaged("reading zip archive: a record has no header")
        name_length, extra_length = struct.unpack("<HH", head[26:30])
        start = info.header_offset + 30 + name_length + extra_length
        if start + info.file_size > self.length:
            raise _damaged("reading zip archive: a record reaches past the end")
        return start

    def _read_storage(self, info: Any) -> UntypedStorage:
        """Straight into its memory; like PyTorch without the checksum, which takes longer than the reading."""
        try:
            self.file.seek(info.header_offset)
            self.file.seek(self._start(info, self.file.read(30)))
            return _filled(self.file, info.file_size)
        except (EOFError, ValueError, OSError) as error:
            raise _damaged(f"reading file {info.filename}: {error}") from error

    def _map(self, info: Any) -> UntypedStorage:
        import mmap

        if self.memory is None:
            with open(self.mapped, "rb") as file:  # type: ignore[arg-type]
                self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        start = self._start(info, self.memory[info.header_offset : info.header_offset + 30])
        if info.file_size == 0:
            return UntypedStorage(0)
        return _C._frombuffer(self.memory, _C.uint8, info.file_size, start).untyped_storage()


_KINDS = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip


def _checked_reference(reference: Any) -> tuple[str, Any, str, str, int]:
    if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] not in ("storage", b"storage"):
        raise pickle.UnpicklingError(f"a persistent id that is none of a storage: {str(reference)[:80]}")
    _, kind, key, location, count = reference[:5]
    key = key.decode("ascii", "replace") if isinstance(key, bytes) else key
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "?")
    if name not in _KINDS:
        raise RuntimeError(f"Lumbre does not have storages of the kind {name} yet")
    if not isinstance(key, str) or not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise pickle.UnpicklingError("a storage needs a name and a size")
    if isinstance(location, bytes):
        location = location.decode("ascii", "replace")
    return name, getattr(_C, _KINDS[name]), key, location, count


def _unpickle(file: IO[bytes], weights_only: bool, encoding: str, storage: Callable) -> Any:
    if not weights_only:
        return TrustingUnpickler(file, storage, encoding).load()
    try:
        return RestrictedUnpickler(file, storage, encoding).load()
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(_advice(str(error))) from None
    except (RuntimeError, MemoryError):
        raise
    except Exception as error:
        raise pickle.UnpicklingError(_advice(f"{type(error).__name__}: {error}")) from error


def _advice(reason: str) -> str:
    return (
        "Weights only load failed. This file can still be loaded, to do so you have two options, do those steps only if you "
        "trust the source of the checkpoint. \n\t(1) In PyTorch 2.6, we changed the default value of the `weights_only` "
        "argument in `torch.load` from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will "
        "likely succeed, but it can result in arbitrary code execution. Do it only if you got the file from a trusted "
        f"source.\n\t(2) Alternatively, to load with `weights_only=True` please check the recommended steps in the following "
        f"error message.\n\tWeightsUnpickler error: {reason}\n\nCheck the documentation of torch.load to learn more about "
        "types accepted by default with weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
    )


def _load_legacy(file: Any, weights_only: bool, encoding: str, restore: Callable) -> Any:
    def small(kind: type, what: str) -> Any:
        try:
            value = RestrictedUnpickler(file, None, encoding).load()
        except EOFError:
            raise EOFError("Ran out of input") from None
        except Exception as error:
            raise pickle.UnpicklingError(f"{what} cannot be read: {error}") from error
        if not isinstance(value, kind):
            raise RuntimeError("Invalid magic number; corrupt file?")
        return value

    if small(int, "the magic number") != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = small(int, "the protocol version")
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    small(dict, "the description of the system")
    storages: dict[str, tuple[UntypedStorage, Any, str]] = {}
    length = _length_of(file)

    def load_storage(reference: Any) -> Any:
        kind, dtype, key, location, count = _checked_reference(reference)
        if key not in storages:
            if count * dtype.itemsize > length:
                raise RuntimeError(f"a storage of {count * dtype.itemsize} bytes in a file of {length} bytes")
            storages[key] = (UntypedStorage(count * dtype.itemsize), dtype, location)
        if len(reference) == 6 and reference[5] is not None:
            raise RuntimeError("Lumbre does not read views of storages in files of PyTorch before 0.4")
        memory = storages[key][0]
        return memory if kind == "UntypedStorage" else TypedStorage(wrap_storage=memory, dtype=dtype, _internal=True)

    result = _unpickle(file, weights_only, encoding, load_storage)
    for key in small(list, "the list of storages"):
        if key not in storages:
            raise RuntimeError(f"the file has a storage {key!r} that nothing uses; corrupt file?")
        memory, dtype, location = storages[key]
        head = file.read(8)
        if len(head) < 8:
            raise EOFError("Ran out of input")
        (count,) = struct.unpack("<q", head)
        if count < 0 or count * dtype.itemsize != memory.nbytes():
            raise RuntimeError(f"storage has wrong byte size: expected {memory.nbytes()} got {count * dtype.itemsize}")
        memory.copy_(_filled(file, memory.nbytes()))
        restore(memory, location)
    return result


def _length_of(file: Any) -> int:
    place = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(place)
    return end


# --- where storages go ------------------------------------------------------------------------------------------------


def _restorer(map_location: Any) -> Callable:
    from lumbre import _device, device

    def to(location: Any) -> None:
        name = str(location)
        if name == "cpu" or name.startswith("cpu:"):
            return
        if name.startswith("cuda"):
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
                "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
                "storages to the CPU."
            )
        _device.check(device(name))

    if map_location is None:
        return lambda memory, location: to(location)
    if isinstance(map_location, dict):
        return lambda memory, location: to(map_location.get(location, location))
    if isinstance(map_location, (str, device)):
        return lambda memory, location: to(map_location)

    def call(memory: UntypedStorage, location: str) -> None:
        changed = map_location(memory, location)
        if changed is None:
            to(location)

    return call


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage itself when it belongs to the CPU; an error for any other place."""
    _restorer(None)(storage, location)
    return storage


def location_tag(storage: Any) -> str:
    """ "cpu": there is no other place."""
    return "cpu"


def register_package(priority: int, tagger: Callable, deserializer: Callable) -> None:
    """NotImplementedError: there is the CPU only."""
    raise NotImplementedError("Lumbre has no devices that storages could be restored to")


def get_default_load_endianness() -> None:
    """None: files of the machine's own byte order are read."""
    return None


def set_default_mmap_options(flags: int) -> None:
    """Accepted: mappings are private always."""


def check_module_version_greater_or_equal(module: Any, version: Any, error_if_malformed: bool = True) -> bool:
    """Whether a module's ``__version__`` is at least a version."""
    try:
        return tuple(int(part) for part in module.__version__.split(".")[: len(version)]) >= tuple(version)
    except ValueError:
        if error_if_malformed:
            raise RuntimeError(
                f"'{module.__name__}' module version string is malformed '{module.__version__}'"
            ) from None
        return False


def __getattr__(name: str) -> Any:
    if name in ("FileLike", "MAP_LOCATION"):  # types, for annotations
        from typing import Any as anything

        return anything
    raise AttributeError(f"module '{_identity.prefix()}serialization' has no attribute '{name}'")
