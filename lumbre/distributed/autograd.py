"""``torch.distributed.autograd``: one process computes, so no gradients travel."""

from __future__ import annotations

from lumbre import _absent

DistAutogradContext = _absent.refused_class("distributed.autograd.DistAutogradContext", _absent._ONE_PROCESS)
backward, context, get_gradients = (
    _absent.refused_function(f"distributed.autograd.{name}", _absent._ONE_PROCESS)
    for name in ("backward", "context", "get_gradients")
)
__all__ = ["DistAutogradContext", "backward", "context", "get_gradients", "is_available"]


def is_available() -> bool:
    """False: one process computes."""
    return False
