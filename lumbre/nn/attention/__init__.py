"""``torch.nn.attention``: which implementation computes attention. Here there is one, and every choice gives it."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """PyTorch's implementations, by name."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """A block that allows some implementations. There is one, which gives the same numbers as all of them; asking for
    none that a CPU has is not an error here.
    """
    if not isinstance(backends, (list, tuple, SDPBackend)):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackend instances")
    for each in [backends] if isinstance(backends, SDPBackend) else backends:
        if not isinstance(each, SDPBackend):
            raise TypeError("Backend must be an instance of SDPBackend")
    yield
