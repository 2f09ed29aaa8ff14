"""``torch._subclasses.fake_tensor``: there are no tensors without elements; who would make one is told so."""

from __future__ import annotations

from lumbre import _absent
from lumbre._C import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHY = "Lumbre has no tensors without elements"
FakeTensor = _absent.refused_class("_subclasses.fake_tensor.FakeTensor", _WHY, Tensor)
FakeTensorMode = _absent.refused_class("_subclasses.fake_tensor.FakeTensorMode", _WHY)
__all__ = ["FakeTensor", "FakeTensorMode", "is_fake"]


def is_fake(x: Any) -> bool:
    """False."""
    return False
