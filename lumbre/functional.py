"""``torch.functional``: the older home of some functions of ``torch``."""

from __future__ import annotations

import lumbre

__all__ = [
    name
    for name in (
        "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
        "cdist", "chain_matmul", "einsum", "meshgrid", "norm", "split", "stft", "istft", "tensordot", "unique",
        "unique_consecutive", "unravel_index",
    )
    if name in vars(lumbre)
]  # fmt: skip
globals().update({name: getattr(lumbre, name) for name in __all__})
