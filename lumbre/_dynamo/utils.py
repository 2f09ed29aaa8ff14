"""``torch._dynamo.utils``: what libraries ask of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["is_compile_supported"]


def is_compile_supported(device_type: Any) -> bool:
    """Whether ``torch.compile`` records for the device: for the CPU."""
    return str(device_type).partition(":")[0] == "cpu"
