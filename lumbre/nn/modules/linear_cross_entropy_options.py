"""How linear_cross_entropy saves memory."""

from __future__ import annotations

from dataclasses import dataclass

from lumbre import _C

__all__ = ["LinearCrossEntropyOptions"]

_POLICIES = ("accurate", "balanced", "compact", "auto")
_ACCUMULATE = (None, _C.float16, _C.bfloat16, _C.float32, _C.float64)


@dataclass(frozen=True, slots=True)
class LinearCrossEntropyOptions:
    """How many rows ``linear_cross_entropy`` takes at a time, so that not all logits are held at once.

    ``batch_chunk_size`` is that number; without it ``chunking_method`` finds one: 'aspect_ratio' (or 'aspect_ratio:n')
    takes so many rows that their logits take about as much memory as the input, 'auto' means the former, None all rows.
    The logits of each part are computed again in the backward pass. The policy, the dtype and the permission to keep the
    graph are those of PyTorch's own accumulation of gradients and change nothing here.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: _C.dtype | None = None

    def __post_init__(self) -> None:
        size = self.batch_chunk_size
        if size is not None and (not isinstance(size, int) or size <= 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size}")
        if self.chunking_method not in (None, "auto") and self._factor() is None:
            raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        if self.acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if not any(self.acc_dtype is one for one in _ACCUMULATE):
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                f"{self.acc_dtype}. Pass acc_dtype=None to let the op pick automatically."
            )

    def _factor(self) -> int | None:
        name, _, number = str(self.chunking_method).partition(":")
        if name != "aspect_ratio" or (number and not number.isdigit()):
            return None
        return int(number) if number else 1

    def rows(self, count: int, in_features: int, num_classes: int) -> int:
        """The rows of one part, of ``count`` in all."""
        if self.batch_chunk_size is not None and self.chunking_method in (None, "auto"):
            return max(1, min(self.batch_chunk_size, count))
        if self.chunking_method is None:
            return max(1, count)
        share = max(1, -(-count // max(1, -(-num_classes // max(1, in_features)))))
        found = max(1, min((1 << (share - 1).bit_length()) // (self._factor() or 1), count))
        if self.batch_chunk_size not in (None, found):
            raise ValueError(
                f"batch_chunk_size (={self.batch_chunk_size}) and chunking_method ('{self.chunking_method}') give different "
                f"chunk sizes ({self.batch_chunk_size} vs {found}); pass only one."
            )
        return found
