"""``torch.onnx.symbolic_helper``: how the exports of operators are written down; there is no exporter to read it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse_args"]


def parse_args(*arg_descriptors: str) -> Callable[[Callable], Callable]:
    """Leaves the decorated function as it is."""
    return lambda function: function
