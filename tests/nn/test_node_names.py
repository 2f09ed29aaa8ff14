"""The nodes of linear maps and quotients are named as PyTorch prints them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
from programs import compare


def names(torch: Any, say: Any, tries: Any) -> None:
    x = torch.ones(1, 2, requires_grad=True)
    scalar = torch.tensor(2.0)
    linear = torch.nn.functional.linear
    for made in (
        x / 2, x / scalar, x / x, x.sum() / scalar, torch.div(x, x, rounding_mode="floor"), torch.div(x, 2),
        linear(x, torch.ones(3, 2)), linear(x, torch.ones(3, 2), torch.ones(3)), torch.nn.Linear(2, 1)(x),
    ):  # fmt: skip
        say(made.grad_fn.name())


def test_names() -> None:
    compare(names)
