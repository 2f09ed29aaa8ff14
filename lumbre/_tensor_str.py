"""``torch._tensor_str``: how tensors print, for programs that print some of their own; see ``torch.set_printoptions``."""

from __future__ import annotations

from lumbre import _C, _printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PRINT_OPTS", "_tensor_str", "get_printoptions", "printoptions", "set_printoptions"]
PRINT_OPTS = _printing._options
get_printoptions = _printing.get_printoptions
printoptions = _printing.printoptions
set_printoptions = _printing.set_printoptions


def _tensor_str(self: Any, indent: int) -> str:
    """The numbers of a tensor as ``repr`` shows them, without ``tensor(...)`` around them.

    >>> torch._tensor_str._tensor_str(torch.tensor([1., 2.5]), 0)
    '[1.0000, 2.5000]'
    """
    if self.numel() == 0:
        return "[]"
    is_float = self.dtype.is_floating_point
    values = self.detach()
    return _printing._contents(
        values.float() if self.dtype in (_C.float16, _C.bfloat16) else values, tuple(self.shape), is_float, indent
    )
