"""``torch.Tensor(...)`` and the older tensor types, ``torch.FloatTensor`` and its kin."""

from __future__ import annotations

from lumbre import _C, _device, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor

# Kind, dtype, and the name in C that some messages use.
_KINDS = (
    ("Bool", "bool", "bool"),
    ("Byte", "uint8", "unsigned char"),
    ("Char", "int8", "signed char"),
    ("Short", "int16", "short int"),
    ("Int", "int32", "int"),
    ("Long", "int64", "long int"),
    ("Half", "float16", "c10::Half"),
    ("BFloat16", "bfloat16", "c10::BFloat16"),
    ("Float", "float32", "float"),
    ("Double", "float64", "double"),
)
_kind_of = {getattr(_C, dtype): kind for kind, dtype, _ in _KINDS}
_c_name_of = {getattr(_C, dtype): c_name for _, dtype, c_name in _KINDS}


def c_name(dtype: _C.dtype) -> str:
    """What C++ calls the element type: some messages do."""
    return _c_name_of[dtype]


def type_name(dtype: _C.dtype) -> str:
    """ "torch.FloatTensor" for ``torch.float32``, under the printed name of the package."""
    return f"{_identity.prefix()}{_kind_of[dtype]}Tensor"


class tensortype:
    """An older tensor type: called, it makes tensors of its dtype; ``isinstance`` asks for the dtype.

    >>> isinstance(torch.tensor([1.]), torch.FloatTensor)
    True
    """

    __slots__ = ("__name__", "dtype")
    is_cuda = False
    is_sparse = False

    def __init__(self, dtype: _C.dtype) -> None:
        self.dtype = dtype
        self.__name__ = f"{_kind_of[dtype]}Tensor"

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        return construct_as(self.dtype, args, kwargs)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dtype is self.dtype

    def __subclasscheck__(self, cls: type) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<class '{_identity.prefix()}{self.__name__}'>"

    def __reduce__(self) -> str:
        return self.__name__

    def __or__(self, other: Any) -> Any:
        from typing import Union

        return Union[self, other]  # noqa: UP007 - this is what X | Y means

    def __ror__(self, other: Any) -> Any:
        from typing import Union

        return Union[other, self]  # noqa: UP007

    def __getattr__(self, name: str) -> str:
        if name == "__qualname__":
            return self.__name__
        raise AttributeError(f"'{self.__name__}' has no attribute '{name}'")

    @property
    def layout(self) -> _C.layout:
        """Strided."""
        return _C.strided


for _kind, _dtype, _ in _KINDS:
    globals()[_kind + "Tensor"] = tensortype(getattr(_C, _dtype))


def tensor_type(name: str) -> tensortype:
    """The tensor type of a name such as "torch.FloatTensor"."""
    package, _, last = name.rpartition(".")
    if package in ("torch", _identity.printed_name) or package == "lumbre":
        found = globals().get(last)
        if isinstance(found, tensortype):
            return found
        if last == "Tensor":
            return globals()[f"{_kind_of[_C.get_default_dtype()]}Tensor"]
    raise ValueError(f"invalid type: '{name}'")


def construct(*args: Any, **kwargs: Any) -> Tensor:
    """What ``torch.Tensor(...)`` makes: from sizes (contents are whatever the memory held), a sequence, or a tensor."""
    return construct_as(None, args, kwargs)


def construct_as(dtype: _C.dtype | None, args: tuple, kwargs: dict) -> Tensor:
    """The same for a given dtype; None is the default dtype, and lets tensors keep theirs."""
    if "device" in kwargs:
        _check_device(kwargs.pop("device"))
    wanted = _C.get_default_dtype() if dtype is None else dtype
    if kwargs:
        if args or len(kwargs) > 1 or not ({"data", "size", "other"} & kwargs.keys()):
            raise TypeError(_combination(args, kwargs))
        ((name, value),) = kwargs.items()
        args = (tuple(value),) if name == "size" else (value,)
        if name == "size":
            return _empty(args[0], wanted)
    if not args:
        return _empty((0,), wanted)
    first = args[0]
    if len(args) > 1 or (isinstance(first, int) and not isinstance(first, bool)):
        return _empty(_sizes(args), wanted)
    if isinstance(first, _C.Size):
        return _empty(first, wanted)
    if isinstance(first, Tensor):
        return _alias(first, dtype)
    if isinstance(first, _C.UntypedStorage):
        return _C._tensor_over(first, wanted, 0, (first.nbytes() // wanted.itemsize,), None)
    memory = getattr(first, "_untyped_storage", None)
    if memory is not None:
        if first.dtype is not wanted:
            raise TypeError(f"Expected a Storage of type {wanted}, but got {first.dtype}")
        return _C._tensor_over(memory, wanted, 0, (len(first),), None)
    if isinstance(first, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(first).__name__}'")
    if not hasattr(type(first), "__len__") or not hasattr(type(first), "__getitem__"):
        raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
    return _C.tensor(first, dtype=wanted)


def _alias(source: Tensor, dtype: _C.dtype | None) -> Tensor:
    if dtype is not None and source.dtype is not dtype:
        options = (
            "TensorOptions(dtype={}, device=cpu, layout=Strided, requires_grad=false (default), "
            "pinned_memory=false (default), memory_format=(nullopt))"
        )
        raise TypeError(f"expected {options.format(c_name(dtype))} (got {options.format(c_name(source.dtype))})")
    return source.data


def _sizes(args: tuple) -> tuple:
    for place, value in enumerate(args, 1):
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(
                f"new(): argument 'size' failed to unpack the object at pos {place} with error "
                f'"type must be tuple of ints,but got {type(value).__name__}"'
            )
    return tuple(value.__index__() for value in args)


def _empty(sizes: Any, dtype: _C.dtype) -> Tensor:
    sizes = tuple(sizes)
    count = 1
    for size in sizes:
        if size < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {list(sizes)}")
        count *= size
    if count >= 2**63 // dtype.itemsize:
        raise RuntimeError("Storage size calculation overflowed with sizes=" + str(list(sizes)))
    return _C._tensor_over(_C.UntypedStorage(count * dtype.itemsize), dtype, 0, sizes, None)


def _check_device(wanted: Any) -> None:
    if wanted is None:
        return
    found = wanted if isinstance(wanted, _device.device) else _device.device(wanted)
    if found.type != "cpu":
        raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {found.type} was passed")


def _combination(args: tuple, kwargs: dict) -> str:
    given = [type(value).__name__ for value in args]
    given += [
        f"{name}={_identity.prefix() * isinstance(value, _C.dtype)}{type(value).__name__}"
        for name, value in kwargs.items()
    ]
    tail = ", " if kwargs and not args else ""
    return (
        f"new() received an invalid combination of arguments - got ({', '.join(given)}{tail}), but expected one of:"
        "\n * (*, torch.device device = None)\n * (Tensor other)\n"
        " * (tuple of ints size, *, torch.device device = None)\n"
        " * (object data, *, torch.device device = None)\n"
    )
