"""Products of expanded matrices, whose strides are 0."""

from __future__ import annotations

import pytest

import lumbre as torch


@pytest.mark.parametrize("m, k, n", [(64, 64, 32), (300, 300, 300), (5, 100, 5)])
def test_expanded_operands(m: int, k: int, n: int) -> None:
    right = torch.arange(k * n).reshape(k, n).remainder(7).to(torch.float32)
    for left in (torch.ones(1).expand(m, k), torch.arange(k).remainder(5).to(torch.float32).expand(m, k)):
        row = (left[0].to(torch.int64)[:, None] * right.to(torch.int64)).sum(0).to(torch.float32)
        assert torch.equal(left @ right, row.expand(m, n))
