"""``torch.backends.cuda``: nothing is built for CUDA."""

from __future__ import annotations


def is_built() -> bool:
    """False."""
    return False


class _MatmulSwitches:
    """Precision switches of products on CUDA: kept, without effect."""

    def __init__(self) -> None:
        self.allow_tf32 = False
        self.allow_fp16_reduced_precision_reduction = True
        self.allow_bf16_reduced_precision_reduction = True


matmul = _MatmulSwitches()
