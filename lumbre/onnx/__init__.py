"""``torch.onnx``: there is no exporter, and it says so."""

from __future__ import annotations

from lumbre import _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["ONNXProgram", "export", "is_in_onnx_export", "register_custom_op_symbolic"]
ONNXProgram = _absent.refused_class("onnx.ONNXProgram", "Lumbre has no ONNX exporter")


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """NotImplementedError: export with PyTorch, which loads the same state_dict."""
    raise NotImplementedError(
        "torch.onnx.export: Lumbre has no ONNX exporter. Load the state_dict in PyTorch and export there."
    )


def is_in_onnx_export() -> bool:
    """False."""
    return False


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int) -> None:
    """Changes nothing: how an operator would be exported is asked by ``export``, which refuses."""


def __getattr__(name: str) -> object:
    if name in ("symbolic_helper", "symbolic_opset9", "symbolic_opset11"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{_identity.prefix()}onnx' has no attribute '{name}'")
