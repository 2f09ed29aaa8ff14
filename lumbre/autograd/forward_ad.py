"""Forward-mode differentiation with dual tensors.

A dual tensor is followed as one that requires a gradient, and its tangent taken through the graph by two backward passes:
the product of the transposed Jacobian with u is linear in u, and its own transposed Jacobian is the one asked for. So
recording must be on where duals are computed with, and every derivative on the way is the same as in reverse mode.
"""

from __future__ import annotations

from typing import NamedTuple

from lumbre import _C
from lumbre.autograd.function import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A dual tensor's value, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


class _Dual(Function):
    """The primal's memory under a gradient of its own: that of ``source``, a leaf that stands for the dual's input."""

    @staticmethod
    def forward(ctx: Any, primal: Tensor, source: Tensor) -> Tensor:
        return primal.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, gradient


class _Level:
    """The leaves that stand for the duals made at a level, and their tangents."""

    def __init__(self) -> None:
        self.sources: list[Tensor] = []
        self.tangents: list[Tensor] = []
        self.made: list[Tensor] = []


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Opens the level at which dual tensors can be made. RuntimeError when one is open."""
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append(_Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Closes the level: tangents are forgotten."""
    if not _levels:
        raise RuntimeError("Dual level must be a positive number.")
    if level not in (None, 0):
        raise RuntimeError("Trying to exit a forward AD level that was not the last one that was created.")
    _levels.pop()


class dual_level:
    """A block at whose end tangents are forgotten.

    >>> with torch.autograd.forward_ad.dual_level():
    ...     x = torch.autograd.forward_ad.make_dual(torch.tensor(3.), torch.tensor(1.))
    ...     torch.autograd.forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exception: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A dual tensor over the memory of a tensor, with a tangent of its size.

    RuntimeError outside a level or for sizes that differ, ValueError for integers.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if not tensor.is_floating_point():
        raise ValueError(f"Expected primal to be floating point or complex, but got: {tensor.dtype}")
    if not tangent.is_floating_point():
        raise ValueError(f"Expected tangent to be floating point or complex, but got: {tangent.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    current = _levels[-1]
    if any(one is tensor for one in current.made):
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not "
            "supported."
        )
    if not _C.is_grad_enabled():
        raise NotImplementedError(
            "Lumbre follows dual tensors by recording, which is off here: make and use them outside torch.no_grad()"
        )
    source = tensor.detach().new_zeros(tensor.shape).requires_grad_()
    dual = _Dual.apply(tensor, source)
    current.sources.append(source)
    current.tangents.append(tangent)
    current.made.append(dual)
    return dual


def _product(tensor: Tensor, level: _Level) -> Tensor | None:
    from lumbre import zeros_like
    from lumbre.autograd._engine import grad

    seed = zeros_like(tensor, requires_grad=True)
    back = grad([tensor], level.sources, [seed], create_graph=True, allow_unused=True)
    reached = [(g, t) for g, t in zip(back, level.tangents, strict=True) if g is not None]
    if not reached:
        return None
    reached = [(g, t) for g, t in reached if g.requires_grad]
    if not reached:
        return zeros_like(tensor, requires_grad=False)
    ends, weights = zip(*reached, strict=True)
    (found,) = grad(list(ends), [seed], list(weights), create_graph=True, allow_unused=True)
    return zeros_like(tensor, requires_grad=False) if found is None else found


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor's value and its tangent; the tangent of what depends on no dual tensor of the open level is None."""
    if not _levels or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    current = _levels[-1]
    before = _C._set_grad_enabled(True)
    try:
        tangent = _product(tensor, current) if current.sources else None
    finally:
        _C._set_grad_enabled(before)
    if tangent is None:
        return UnpackedDualTensor(tensor, None)
    followed = any(one.requires_grad for one in current.tangents) or _leads_elsewhere(tensor, current)
    return UnpackedDualTensor(tensor if followed else tensor.detach(), tangent if followed else tangent.detach())


def _leads_elsewhere(tensor: Tensor, level: _Level) -> bool:
    """Whether some leaf that is no dual's requires a gradient of this tensor."""
    own = {id(source) for source in level.sources}
    waiting, seen = [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::AccumulateGrad" and id(node.variable) not in own:
            return True
        waiting += [edge for edge, _ in node.next_functions]
    return False
