"""``finfo`` and ``iinfo``: what numbers a dtype can hold."""

from __future__ import annotations

from lumbre import _C, _identity

TYPE_CHECKING = False  # typing itself takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DType = type(_C.get_default_dtype())
_PYTHON_TYPES = {float: "float64", int: "int64", bool: "bool", complex: "complex128"}

# Bits, bits of the significand after the point, the exponents of the largest and the smallest normal number, and
# how many decimal digits always survive.
_FLOATS = {
    "float16": (16, 10, 15, -14, 3),
    "bfloat16": (16, 7, 127, -126, 2),
    "float32": (32, 23, 127, -126, 6),
    "float64": (64, 52, 1023, -1022, 15),
}
# The 8-bit ones spend their highest codes in ways of their own: eps, the greatest and the smallest normal number.
_BYTES = {
    "float8_e4m3fn": (0.125, 448.0, 2.0**-6),
    "float8_e4m3fnuz": (0.125, 240.0, 2.0**-7),
    "float8_e5m2": (0.25, 57344.0, 2.0**-14),
    "float8_e5m2fnuz": (0.125, 57344.0, 2.0**-15),
    "float8_e8m0fnu": (1.0, 2.0**127, 2.0**-127),
}
_INTEGERS = {"uint8": (8, False), "int8": (8, True), "int16": (16, True), "int32": (32, True), "int64": (64, True)}
_REQUIRED = object()


def _dtype_name(function: str, arguments: tuple[Any, ...], keywords: dict[str, Any], default: Any) -> str:
    given = list(arguments) + ([keywords["type"]] if "type" in keywords else [])
    if len(given) > 1 or (given and len(keywords) > (not arguments)):
        kinds = ", ".join("torch.dtype" if isinstance(a, _DType) else type(a).__name__ for a in given)
        raise TypeError(f"{function}() received an invalid combination of arguments - got ({kinds})")
    if not given:
        if keywords or default is _REQUIRED:
            raise TypeError(f'{function}() missing 1 required positional arguments: "type"')
        given = [default]
    dtype = given[0]
    if isinstance(dtype, type) and dtype in _PYTHON_TYPES:
        return _PYTHON_TYPES[dtype]
    if not isinstance(dtype, _DType):
        place = " (position 1)" if arguments else ""
        raise TypeError(f"{function}(): argument 'type'{place} must be torch.dtype, not {type(dtype).__name__}")
    return str(dtype).rpartition(".")[2]


class _Info:
    """Attributes that cannot be set, equality by dtype."""

    __slots__ = ()
    _printed: tuple[str, ...] = ()

    bits: int
    dtype: str

    def _fill(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        owner = f"{_identity.prefix()}{type(self).__name__}"
        if name in self.__slots__:
            raise AttributeError(f"attribute '{name}' of '{owner}' objects is not writable")
        raise AttributeError(f"'{owner}' object has no attribute '{name}'")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.dtype == other.dtype

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={getattr(self, name):g}" for name in self._printed)
        return f"{type(self).__name__}({numbers}, dtype={self.dtype})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"cannot pickle '{_identity.prefix()}{type(self).__name__}' object")


class finfo(_Info):
    """What a floating-point dtype can hold: ``finfo(type=get_default_dtype())``.

    Attributes: ``bits``; ``eps``, the distance from 1 to the next number; ``max`` and ``min``; ``smallest_normal``
    (also ``tiny``), the smallest positive number of full precision; ``resolution``, a power of ten with as many
    digits as always survive; ``dtype``, the name.

    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")
    _printed = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        name = _dtype_name("finfo", arguments, keywords, _C.get_default_dtype())
        name = {"complex64": "float32", "complex128": "float64"}.get(name, name)
        if name in _BYTES:
            eps, largest, tiny = _BYTES[name]
            least = tiny if name == "float8_e8m0fnu" else -largest  # that one has no sign
            self._fill(bits=8, eps=eps, max=largest, min=least, tiny=tiny, smallest_normal=tiny)
            self._fill(resolution=1.0, dtype=name)
            return
        if name not in _FLOATS:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        bits, fraction, high, low, digits = _FLOATS[name]
        largest = (2.0 - 2.0**-fraction) * 2.0**high
        self._fill(bits=bits, eps=2.0**-fraction, max=largest, min=-largest, tiny=2.0**low, smallest_normal=2.0**low)
        self._fill(resolution=float(f"1e-{digits}"), dtype=name)


class iinfo(_Info):
    """What an integer dtype can hold: ``iinfo(type)``, with the attributes ``bits``, ``min``, ``max`` and ``dtype``.

    >>> torch.iinfo(torch.int8).max
    127
    """

    __slots__ = ("bits", "dtype", "max", "min")
    _printed = ("min", "max")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        name = _dtype_name("iinfo", arguments, keywords, _REQUIRED)
        if name == "bool":
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if name not in _INTEGERS:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        bits, signed = _INTEGERS[name]
        largest = 2 ** (bits - signed) - 1
        self._fill(bits=bits, max=largest, min=-largest - 1 if signed else 0, dtype=name)


for _class in (finfo, iinfo):
    _class.__module__ = __name__.rpartition(".")[0]
