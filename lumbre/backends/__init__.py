"""``torch.backends``: which libraries compute, and their switches. Switches without an effect here keep their value."""

from __future__ import annotations

from importlib import import_module

from lumbre import _identity


def __getattr__(name: str) -> object:
    if name in ("cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{_identity.prefix()}backends' has no attribute '{name}'")
