"""``torch._subclasses``: no tensor stands for another here."""

from __future__ import annotations

from lumbre._subclasses.fake_tensor import FakeTensor, FakeTensorMode

__all__ = ["FakeTensor", "FakeTensorMode"]
