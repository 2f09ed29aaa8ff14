"""``torch._foreach_*``: one operator for each tensor of a list, as optimizers outside of PyTorch call them.

They are loops over the members: what is asked of every one is what ``Tensor``'s method of that name does.
"""

from __future__ import annotations

from lumbre import _C, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
_ONE = (
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac", "lgamma",
    "log", "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "tan", "tanh", "trunc",
)  # fmt: skip
_TWO = {
    **{name: name for name in ("add", "clamp_max", "clamp_min", "div", "mul", "pow", "sub")},
    # These take numbers too, which Tensor.maximum does not.
    "maximum": "clamp_min",
    "minimum": "clamp_max",
}
_THREE = ("addcdiv", "addcmul")
_ALONE = ("clone", "copy_", "max", "norm", "zero_")
NAMES = tuple(
    f"_foreach_{name}"
    for name in (*(one + end for one in (*_ONE, *_TWO, *_THREE, "lerp") for end in ("", "_")), *_ALONE)
)
__all__: list[str] = []


def _members(name: str, value: Any) -> list[Tensor]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Tensor) for one in value):
        raise TypeError(f"{name}(): argument 'self' (position 1) must be tuple of Tensors, not {type(value).__name__}")
    if not value:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return list(value)


def _spread(name: str, value: Any, count: int) -> list:
    """One operand for each tensor of the first list: the members of a list, or a number or tensor again and again."""
    if not isinstance(value, (list, tuple)):
        if not isinstance(value, (int, float, Tensor)):
            raise TypeError(f"{name}() received an invalid combination of arguments - got {type(value).__name__}")
        return [value] * count
    if len(value) != count:
        if value and isinstance(value[0], Tensor):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(value)}")
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return list(value)


def _applied(name: str, method: str, tensors: list[Tensor], columns: list[list], keywords: dict) -> Any:
    function = getattr(Tensor, method)
    return tuple([function(*row, **keywords) for row in zip(tensors, *columns, strict=True)])


def _one(name: str, method: str) -> Callable:
    def function(self: Any) -> Any:
        return _applied(name, method, _members(name, self), [], {})

    return function


def _two(name: str, method: str) -> Callable:
    def function(self: Any, other: Any, **keywords: Any) -> Any:
        if name == "_foreach_pow" and isinstance(self, (int, float)):
            exponents = _members(name, other)
            return tuple([Tensor.__rpow__(exponent, self) for exponent in exponents])
        tensors = _members(name, self)
        return _applied(name, method, tensors, [_spread(name, other, len(tensors))], keywords)

    return function


def _three(name: str, method: str) -> Callable:
    def function(self: Any, tensor1: Any, tensor2: Any, value: Any = 1, *, scalars: Any = None) -> Any:
        tensors = _members(name, self)
        pairs = [_spread(name, column, len(tensors)) for column in (tensor1, tensor2)]
        value = value if scalars is None else scalars
        values = value.tolist() if isinstance(value, Tensor) else value
        factors = _spread(name, values, len(tensors))
        act = getattr(Tensor, method)
        return tuple([act(t, a, b, value=k) for t, a, b, k in zip(tensors, *pairs, factors, strict=True)])

    return function


def _lerp(name: str, method: str) -> Callable:
    def function(self: Any, tensors1: Any, weight: Any = None, *, weights: Any = None) -> Any:
        tensors = _members(name, self)
        columns = [_spread(name, one, len(tensors)) for one in (tensors1, weights if weight is None else weight)]
        return _applied(name, method, tensors, columns, {})

    return function


def _foreach_norm(self: Any, ord: Any = 2, dtype: Any = None) -> Any:
    """The norm of each tensor's elements."""
    from lumbre import linalg

    return tuple([linalg.vector_norm(t, ord, dtype=dtype) for t in _members("_foreach_norm", self)])


def _foreach_max(self: Any) -> Any:
    """The largest element of each tensor."""
    return tuple([t.max() for t in _members("_foreach_max", self)])


def _foreach_clone(self: Any, *, memory_format: Any = None) -> Any:
    """A copy of each tensor."""
    keywords = {} if memory_format is None else {"memory_format": memory_format}
    return tuple([t.clone(**keywords) for t in _members("_foreach_clone", self)])


def _foreach_copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Each tensor takes the elements of its neighbour in the other list."""
    tensors = _members("_foreach_copy_", self)
    for mine, other in zip(tensors, _spread("_foreach_copy_", src, len(tensors)), strict=True):
        mine.copy_(other)
    return self


def _foreach_zero_(self: Any) -> Any:
    """Each tensor is filled with zeros."""
    for one in _members("_foreach_zero_", self):
        one.zero_()
    return self


def _in_place(function: Callable) -> Callable:
    def changed(self: Any, *arguments: Any, **keywords: Any) -> Any:
        function(self, *arguments, **keywords)
        return self

    return changed


def _made(full: str) -> Callable:
    name = full.removeprefix("_foreach_")
    base = name.removesuffix("_")
    end = name[len(base) :]
    if base in _ONE:
        function = _one(full, name)
    elif base in _TWO:
        function = _two(full, _TWO[base] + end)
    elif base in _THREE:
        function = _three(full, name)
    else:
        function = _lerp(full, name)
    return _in_place(function) if end else function


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module '{_identity.prefix()}_foreach' has no attribute '{name}'")
    function: Any = _made(name)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``Tensor.{name.removeprefix('_foreach_')}`` of each tensor of a list."
    globals()[name] = function
    return function
