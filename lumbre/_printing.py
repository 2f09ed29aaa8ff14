"""What ``print(tensor)`` shows: PyTorch's text, to the letter.

A tensor is turned into Python numbers once (only the edges of a large one), each number into text once, and the texts
are laid out in rows.
"""

from __future__ import annotations

from itertools import chain
from math import prod

from lumbre import _C, _identity

TYPE_CHECKING = False  # typing itself takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
}


class _Options:
    __slots__ = ("edgeitems", "linewidth", "precision", "sci_mode", "threshold")

    edgeitems: int
    linewidth: int
    precision: int
    sci_mode: bool | None
    threshold: float

    def __init__(self) -> None:
        self.update(_PROFILES["default"])
        self.sci_mode = None

    def update(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)


_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Chooses how tensors are printed.

    Args:
        precision: digits after the decimal point (4).
        threshold: tensors with more elements than this show their edges only (1000).
        edgeitems: how many elements an edge has (3).
        linewidth: the column at which rows are wrapped (80).
        profile: ``"default"``, ``"short"`` or ``"full"``: sets the four above, which may then be set one by one.
        sci_mode: scientific notation always (True), never (False), or where the values ask for it (None).

    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.12345])
    tensor([1.12])
    """
    if profile is not None:
        _options.update(_PROFILES.get(profile, {}))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({name: value for name, value in given.items() if value is not None})
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The current print options, as keyword arguments of :func:`set_printoptions`."""
    return {name: getattr(_options, name) for name in _Options.__slots__}


class printoptions:
    """Sets print options inside a ``with`` block and puts them back after it."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> None:
        self.before = get_printoptions()
        set_printoptions(**self.options)

    def __exit__(self, *error: object) -> None:
        _options.update(self.before)


# --- which types print as "tensor(...)" -------------------------------------------------------------------------------

_plain_types: set[type] = {_C.Tensor}
_parameter_type: type | None = None


def register_plain_type(cls: type) -> type:
    """Makes tensors of exactly this class print as ``tensor(...)`` and not under the name of their class."""
    _plain_types.add(cls)
    return cls


def register_parameter_type(cls: type) -> type:
    """Declares ``nn.Parameter``: plain itself, while its subclasses print as ``Parameter(Name(...))``."""
    global _parameter_type
    _parameter_type = cls
    return register_plain_type(cls)


# --- numbers to text --------------------------------------------------------------------------------------------------


def _float_texts(values: list[float]) -> tuple[list[str], int]:
    """The texts of the values, and the width to which they are padded."""
    # v - v is 0 for finite numbers only. Zeros and what is not finite have no say in the notation or the width.
    telling = [abs(v) for v in values if v and v - v == 0.0]
    if not telling:
        return [f"{v:.0f}." if v - v == 0.0 else f"{v:.0f}" for v in values], 1
    integral = all(map(float.is_integer, telling))
    scientific = _options.sci_mode
    if scientific is None:
        low, high = min(telling), max(telling)
        scientific = high / low > 1000.0 or high > 1.0e8 or (not integral and low < 1.0e-4)
    if scientific:
        specification = f".{_options.precision}e"
    elif integral:
        texts = [f"{v:.0f}." if v - v == 0.0 else f"{v:.0f}" for v in values]
        return texts, max(len(t) for t, v in zip(texts, values, strict=True) if v and v - v == 0.0)
    else:
        specification = f".{_options.precision}f"
    texts = [format(v, specification) for v in values]
    if len(telling) == len(values):
        return texts, max(map(len, texts))
    return texts, max(len(t) for t, v in zip(texts, values, strict=True) if v and v - v == 0.0)


def _texts(values: list[Any], is_float: bool) -> tuple[list[str], int]:
    if is_float:
        texts, width = _float_texts(values)
    else:
        texts = [str(v) for v in values]
        width = max(map(len, texts))
    return [t.rjust(width) for t in texts], width


# --- which numbers are shown ------------------------------------------------------------------------------------------


def _join_edges(head: list[Any], tail: list[Any], depth: int) -> list[Any]:
    if depth == 0:
        return head + tail
    return [_join_edges(h, t, depth - 1) for h, t in zip(head, tail, strict=True)]


def _edge_values(tensor: Any, dim: int, edge: int) -> Any:
    """Nested lists of the elements that are shown; the tensor is cut before anything is converted."""
    if dim == len(tensor.shape):
        return tensor.tolist()
    if tensor.shape[dim] <= 2 * edge:
        return _edge_values(tensor, dim + 1, edge)
    before = (slice(None),) * dim
    head = _edge_values(tensor[(*before, slice(None, edge))], dim + 1, edge)
    tail = _edge_values(tensor[(*before, slice(-edge, None))], dim + 1, edge)
    return _join_edges(head, tail, dim)


# --- texts to rows ----------------------------------------------------------------------------------------------------


class _Layout:
    """Places the texts of the shown elements, taken in order, in the brackets of the shape."""

    def __init__(self, texts: list[str], width: int, shape: tuple[int, ...], edge: int | None) -> None:
        self.texts = texts
        self.cell = width + 2
        # For every dimension: how many entries are shown, and after how many the dots stand (None: no dots).
        self.shown = [(n, None) if edge is None or n <= 2 * edge else (2 * edge, edge) for n in shape]
        self.position = 0

    def row(self, indent: int) -> str:
        count, dots = self.shown[-1]
        texts = self.texts[self.position : self.position + count]
        self.position += count
        if dots is not None:
            texts.insert(dots, " ...")
        per_line = max(1, int((_options.linewidth - indent) // self.cell))
        if len(texts) <= per_line:
            return "[" + ", ".join(texts) + "]"
        lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def block(self, dim: int, indent: int) -> str:
        rest = len(self.shown) - dim - 1
        if rest == 0:
            return self.row(indent)
        count, dots = self.shown[dim]
        parts = [self.block(dim + 1, indent + 1) for _ in range(count)]
        if dots is not None:
            parts.insert(dots, "...")
        return "[" + ("," + "\n" * rest + " " * (indent + 1)).join(parts) + "]"


def _contents(tensor: Any, shape: tuple[int, ...], is_float: bool, indent: int) -> str:
    if not shape:
        return _texts([tensor.item()], is_float)[0][0]
    edge = _options.edgeitems if prod(shape) > _options.threshold else None
    values = tensor.tolist() if edge is None else _edge_values(tensor, 0, edge)
    for _ in range(len(shape) - 1):
        values = list(chain.from_iterable(values))
    texts, width = _texts(values, is_float)
    return _Layout(texts, width, shape, edge).block(0, indent)


def _notes(tensor: Any, dtype: str, shape: tuple[int, ...], text: str) -> list[str]:
    """What follows the elements: what they do not tell of size and dtype, and where the tensor stands in a graph."""
    notes = []
    default = str(_C.get_default_dtype()).rpartition(".")[2]
    # Where edges have no elements the size is always shown: PyTorch's text, if not its intention.
    if len(shape) != 1 if text == "[]" else _options.edgeitems == 0:
        notes.append(f"size={shape}")
    if dtype != default and (text == "[]" or dtype not in ("int64", "bool")):
        notes.append(f"dtype={_identity.prefix()}{dtype}")
    try:
        node = tensor.grad_fn
    except RuntimeError:  # of a view whose base was changed behind it
        notes.append("grad_fn=<Invalid>")
        return notes
    if node is not None:
        notes.append(f"grad_fn=<{type(node).__name__}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return notes


def _append_notes(text: str, notes: list[str], indent: int) -> str:
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text + ")"


def _text_of(tensor: Any, opening: str) -> str:
    dtype = str(tensor.dtype).rpartition(".")[2]
    shape = tuple(tensor.shape)
    indent = len(opening)
    is_float = "float" in dtype
    if prod(shape) == 0:
        text = "[]"
    elif shape and _options.edgeitems == 0 and prod(shape) > _options.threshold:
        text = "[...]"
    else:
        text = _contents(tensor, shape, is_float, indent)
    return _append_notes(opening + text, _notes(tensor, dtype, shape, text), indent)


def tensor_str(tensor: Any) -> str:
    """``repr(tensor)``."""
    cls = type(tensor)
    if cls in _plain_types:
        return _text_of(tensor, "tensor(")
    # A subclass must not hear of the operations that printing needs.
    _C._torch_function_off(1, 1)
    try:
        text = _text_of(tensor, cls.__name__ + "(")
    finally:
        _C._torch_function_off(-1, -1)
    if _parameter_type is not None and isinstance(tensor, _parameter_type):
        return f"Parameter({text})"
    return text


def format_tensor(tensor: Any, specification: str) -> str:
    """``format(tensor, specification)``: a tensor of no dimensions formats as its number."""
    if not tensor.shape:
        return format(tensor.item(), specification)
    return object.__format__(tensor, specification)
