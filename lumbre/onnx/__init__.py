"""``torch.onnx``: there is no exporter, and it says so."""

from __future__ import annotations

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["export", "is_in_onnx_export"]


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """NotImplementedError: export with PyTorch, which loads the same state_dict."""
    raise NotImplementedError(
        "torch.onnx.export: Lumbre has no ONNX exporter. Load the state_dict in PyTorch and export there."
    )


def is_in_onnx_export() -> bool:
    """False."""
    return False


def __getattr__(name: str) -> object:
    raise AttributeError(f"module '{_identity.prefix()}onnx' has no attribute '{name}'")
