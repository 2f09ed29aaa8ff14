"""Cumulative results whose running values need more than their own digits."""

from __future__ import annotations

import math

import lumbre as torch


def test_columns_of_floats_are_kept_in_double():
    powers = torch.tensor([2.0**100, 2.0**100, 2.0**-100])
    for columns in (powers.reshape(3, 1).expand(3, 2), torch.stack((powers, powers), 1)):
        assert columns.cumprod(0)[:, 1].tolist() == [2.0**100, math.inf, 2.0**100]
    small = torch.tensor([2.0**24, 1.0, 1.0]).reshape(3, 1)
    for width in (1, 5, 1500):  # one column, some, and more than are kept at a time
        assert small.repeat(1, width).cumsum(0)[:, -1].tolist() == [2.0**24, 2.0**24, 2.0**24 + 2]
