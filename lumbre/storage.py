"""``torch.storage``: the memory under tensors, as bytes and as elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from lumbre import _C, _identity, _legacy
from lumbre._C import UntypedStorage

__all__ = ["TypedStorage", "UntypedStorage"]


def _bytes_tensor(storage: UntypedStorage) -> _C.Tensor:
    return _C._tensor_over(storage, _C.uint8, 0, (storage.nbytes(),), None)


def _text_of(values: list, kind: str, options: str) -> str:
    lines = "".join(f" {value}\n" for value in values)
    return f"{lines}[{_identity.prefix()}storage.{kind}({options}device=cpu) of size {len(values)}]"


# --- methods of UntypedStorage that the engine's type lacks -----------------------------------------------------------


def tolist(self: UntypedStorage) -> list[int]:
    """The bytes as a list of numbers."""
    return _bytes_tensor(self).tolist()


def __iter__(self: UntypedStorage) -> Iterator[int]:
    return iter(self.tolist())


def __getitem__(self: UntypedStorage, index: Any) -> Any:
    if isinstance(index, slice):
        start, stop, step = index.indices(self.nbytes())
        if step != 1:
            raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
        return self._piece(start, max(start, stop))
    return _element(self, _C.uint8, index).item()


def __setitem__(self: UntypedStorage, index: Any, value: int) -> None:
    _assign(self, _C.uint8, index, value)


def fill_(self: UntypedStorage, value: int) -> UntypedStorage:
    """Sets every byte."""
    _assign(self, _C.uint8, slice(None), value)
    return self


def copy_(self: UntypedStorage, source: UntypedStorage, non_blocking: bool = False) -> UntypedStorage:
    """Takes the bytes of another storage of the same size."""
    if self.nbytes() != source.nbytes():
        raise RuntimeError(f"size mismatch: {self.nbytes()} bytes here, {source.nbytes()} bytes in the source")
    _C._give(_bytes_tensor(self), _bytes_tensor(source), True)
    return self


def clone(self: UntypedStorage) -> UntypedStorage:
    """A copy."""
    return UntypedStorage(self.nbytes()).copy_(self)


def cpu(self: UntypedStorage) -> UntypedStorage:
    """Itself."""
    return self


def element_size(self: UntypedStorage) -> int:
    """One byte."""
    return 1


def __copy__(self: UntypedStorage) -> UntypedStorage:
    return self.clone()


def __deepcopy__(self: UntypedStorage, memo: dict) -> UntypedStorage:
    copies = memo.setdefault("torch", {})
    if self._cdata not in copies:
        copies[self._cdata] = self.clone()
        # The number names the memory only while that lives.
        memo.setdefault("torch_kept", []).append(self)
    return copies[self._cdata]


def __reduce__(self: UntypedStorage) -> tuple:
    return (UntypedStorage, (self._bytes(),))


def __repr__(self: UntypedStorage) -> str:
    return _text_of(self.tolist(), "UntypedStorage", "")


def untyped(self: UntypedStorage) -> UntypedStorage:
    """Itself."""
    return self


def is_shared(self: UntypedStorage) -> bool:
    """Whether other processes can see the memory."""
    return self._descriptor() >= 0


def _make_shared_memory(size: int) -> int:
    """The descriptor of new memory that has no name: it is gone with the last process that knows it."""
    import os

    descriptor = os.memfd_create("lumbre", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, max(size, 1))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def share_memory_(self: UntypedStorage) -> UntypedStorage:
    """Moves the bytes to memory that other processes can see; itself."""
    if self.is_shared():
        return self
    import os

    descriptor = _make_shared_memory(self.nbytes())
    try:
        return self._share(descriptor)
    finally:
        os.close(descriptor)


def _new_shared(cls: type, size: int, *, device: Any = "cpu") -> UntypedStorage:
    """Zeros that other processes can see."""
    return UntypedStorage(size).share_memory_()


def from_file(cls: type, filename: str, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
    """The bytes of a file, read as they are needed. Shared: what is written goes to the file, which is made, and grown
    to ``nbytes``, where needed; else it stays in memory.
    """
    import os

    flags = os.O_RDWR | os.O_CREAT if shared else os.O_RDONLY
    descriptor = os.open(filename, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if shared and size < nbytes:
            os.ftruncate(descriptor, nbytes)
        return _C._map_storage(descriptor, nbytes or size, shared, False)
    finally:
        os.close(descriptor)


for _function in (
    tolist, __iter__, __getitem__, __setitem__, fill_, copy_, clone, cpu, element_size, __copy__, __deepcopy__,
    __reduce__, __repr__, untyped, is_shared, share_memory_,
):  # fmt: skip
    _function.__qualname__ = f"UntypedStorage.{_function.__name__}"
    setattr(UntypedStorage, _function.__name__, _function)
for _maker in (_new_shared, from_file):
    _maker.__qualname__ = f"UntypedStorage.{_maker.__name__}"
    setattr(UntypedStorage, _maker.__name__, classmethod(_maker))
for _name, _value in {"device": property(lambda self: _device_cpu()), "is_cuda": False}.items():
    setattr(UntypedStorage, _name, _value)


def _device_cpu() -> Any:
    from lumbre import _device

    return _device.cpu


def _element(storage: UntypedStorage, dtype: _C.dtype, index: Any) -> _C.Tensor:
    place = index.__index__()
    count = storage.nbytes() // dtype.itemsize
    if not -count <= place < count:
        raise IndexError(f"index {index} out of range for storage of size {count}")
    return _C._tensor_over(storage, dtype, place % count, (), None)


def _assign(storage: UntypedStorage, dtype: _C.dtype, index: Any, value: Any) -> None:
    if not isinstance(index, slice):
        _C._give(_element(storage, dtype, index), _C.tensor(value, dtype=dtype), True)
        return
    start, stop, step = index.indices(storage.nbytes() // dtype.itemsize)
    places = range(start, stop, step)
    if step < 1:
        raise ValueError("a storage is assigned to in ascending order")
    target = _C._tensor_over(storage, dtype, start if places else 0, (len(places),), (step,))
    filled = [value] * len(places) if isinstance(value, (int, float)) else value
    _C._give(target, _C.tensor(filled, dtype=dtype), True)


class TypedStorage:
    """The memory under a tensor, as elements of its dtype. Made by ``tensor.storage()`` and ``torch.FloatStorage``."""

    dtype: _C.dtype
    is_cuda = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        return super().__new__(cls)

    def __init__(
        self,
        *args: Any,
        wrap_storage: UntypedStorage | None = None,
        dtype: _C.dtype | None = None,
        device: Any = None,
        _internal: bool = False,
    ) -> None:
        self.dtype = dtype if dtype is not None else getattr(type(self), "dtype", _C.get_default_dtype())
        if wrap_storage is not None:
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
            self._untyped_storage = wrap_storage
        elif not args:
            self._untyped_storage = UntypedStorage(0)
        elif isinstance(args[0], int):
            self._untyped_storage = UntypedStorage(args[0] * self.dtype.itemsize)
        else:
            self._untyped_storage = _C.tensor(list(args[0]), dtype=self.dtype).untyped_storage()

    @property
    def device(self) -> Any:
        """The CPU."""
        return _device_cpu()

    @property
    def _cdata(self) -> int:
        return self._untyped_storage._cdata

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped_storage

    def _tensor(self) -> _C.Tensor:
        return _C._tensor_over(self._untyped_storage, self.dtype, 0, (len(self),), None)

    def __len__(self) -> int:
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    def size(self) -> int:
        """The number of elements."""
        return len(self)

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self) -> int:
        """The size of an element in bytes."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._untyped_storage.data_ptr()

    def tolist(self) -> list:
        """The elements as a list of numbers."""
        return self._tensor().tolist()

    def __iter__(self) -> Iterator:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return _element(self._untyped_storage, self.dtype, index).item()

    def __setitem__(self, index: Any, value: Any) -> None:
        _assign(self._untyped_storage, self.dtype, index, value)

    def fill_(self, value: Any) -> TypedStorage:
        """Sets every element."""
        self[:] = value
        return self

    def copy_(self, source: TypedStorage, non_blocking: bool | None = None) -> TypedStorage:
        """Takes the elements of another storage of the same length."""
        _C._give(self._tensor(), source._tensor(), True)
        return self

    def clone(self) -> TypedStorage:
        """A copy."""
        return TypedStorage(wrap_storage=self._untyped_storage.clone(), dtype=self.dtype, _internal=True)

    def cpu(self) -> TypedStorage:
        """Itself."""
        return self

    def resize_(self, size: int) -> TypedStorage:
        """Grows to a number of elements; new ones are zero."""
        self._untyped_storage.resize_(size * self.dtype.itemsize)
        return self

    def resizable(self) -> bool:
        """Whether the memory is Lumbre's own."""
        return self._untyped_storage.resizable()

    def is_shared(self) -> bool:
        """Whether other processes can see the memory."""
        return self._untyped_storage.is_shared()

    def share_memory_(self) -> TypedStorage:
        """Moves the elements to memory that other processes can see; itself."""
        self._untyped_storage.share_memory_()
        return self

    @classmethod
    def from_file(cls, filename: str, shared: bool = False, size: int = 0) -> TypedStorage:
        """The elements of a file; see ``UntypedStorage.from_file``."""
        made = cls()
        made._untyped_storage = UntypedStorage.from_file(filename, shared, size * made.dtype.itemsize)
        return made

    def is_pinned(self, device: Any = None) -> bool:
        """False."""
        return False

    def type(self) -> str:
        """The name of the storage's type, as in "torch.FloatStorage"."""
        return _legacy.type_name(self.dtype).removesuffix("Tensor") + "Storage"

    def pickle_storage_type(self) -> str:
        """ "FloatStorage" and so on: what checkpoints call it."""
        return self.type().rpartition(".")[2]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self._cdata == other._cdata and self.dtype is other.dtype

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __copy__(self) -> TypedStorage:
        return self.clone()

    def __deepcopy__(self, memo: dict) -> TypedStorage:
        copied = self._untyped_storage.__deepcopy__(memo)
        return TypedStorage(wrap_storage=copied, dtype=self.dtype, _internal=True)

    def __reduce__(self) -> tuple:
        return (_typed_from, (self._untyped_storage, self.dtype))

    def __repr__(self) -> str:
        return _text_of(self.tolist(), "TypedStorage", f"dtype={self.dtype}, ")


def _typed_from(memory: UntypedStorage, dtype: _C.dtype) -> TypedStorage:
    return TypedStorage(wrap_storage=memory, dtype=dtype, _internal=True)


class _LegacyType(type):
    dtype: _C.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        if cls.__dict__.get("dtype") is None:
            return type.__instancecheck__(cls, instance)
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype


def _legacy_storage(kind: str, dtype: _C.dtype) -> type:
    def new(cls: type, *args: Any, **kwargs: Any) -> TypedStorage:
        wrapped = kwargs.pop("wrap_storage", None)
        return TypedStorage(*args, wrap_storage=wrapped, dtype=dtype, _internal=True)

    names = {"dtype": dtype, "__new__": new, "__doc__": f"A storage of {dtype} elements.", "__module__": "lumbre"}
    return _LegacyType(f"{kind}Storage", (), names)


for _kind, _dtype_name, _ in _legacy._KINDS:
    globals()[f"{_kind}Storage"] = _legacy_storage(_kind, getattr(_C, _dtype_name))
