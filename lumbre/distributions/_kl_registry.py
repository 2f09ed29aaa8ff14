"""Which function gives the divergence of two distributions: the most specific that is registered."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

from functools import total_ordering

from lumbre import Tensor, inf
from lumbre.distributions.distribution import Distribution

_KL_REGISTRY: dict[tuple[type, type], Callable] = {}
_KL_MEMOIZE: dict[tuple[type, type], Callable | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable], Callable]:
    """Registers the decorated function of (p, q) as the divergence of two classes and their subclasses."""
    for each in (type_p, type_q):
        # As in PyTorch, any class will do, and what is not a class is refused in issubclass's words.
        issubclass(each, Distribution)

    def register(function: Callable) -> Callable:
        _KL_REGISTRY[type_p, type_q] = function
        _KL_MEMOIZE.clear()
        return function

    return register


@total_ordering
class _Match:
    """A pair of classes, less than another where it is more specific."""

    def __init__(self, *types: type) -> None:
        self.types = types

    def __eq__(self, other: Any) -> bool:
        return self.types == other.types

    def __le__(self, other: Any) -> bool:
        for own, theirs in zip(self.types, other.types, strict=True):
            if not issubclass(own, theirs):
                return False
            if own is not theirs:
                break
        return True


def _dispatch(p: type, q: type) -> Callable | None:
    matches = [pair for pair in _KL_REGISTRY if issubclass(p, pair[0]) and issubclass(q, pair[1])]
    if not matches:
        return None
    left = min(_Match(*pair) for pair in matches).types
    right = min(_Match(*reversed(pair)) for pair in matches).types
    if _KL_REGISTRY[left] is not _KL_REGISTRY[tuple(reversed(right))]:  # type: ignore[index]
        from warnings import warn

        warn(
            f"Ambiguous kl_divergence({p.__name__}, {q.__name__}). Please "
            f"register_kl({left[0].__name__}, {right[0].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _KL_REGISTRY[left]  # type: ignore[index]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q), of the batch's shape; NotImplementedError for a pair without a known form.

    >>> from torch.distributions import Normal
    >>> torch.distributions.kl_divergence(Normal(0., 1.), Normal(1., 1.))
    tensor(0.5000)
    """
    key = type(p), type(q)
    if key not in _KL_MEMOIZE:
        _KL_MEMOIZE[key] = _dispatch(*key)
    function = _KL_MEMOIZE[key]
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return function(p, q)


def infinite_where(result: Tensor, chosen: Tensor) -> Tensor:
    """Infinity written into a divergence; as in PyTorch, the mask has to have the result's leading dimensions."""
    result[chosen] = inf
    return result
