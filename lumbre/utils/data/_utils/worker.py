"""``torch.utils.data._utils.worker``: what runs in the processes of a loader."""

from __future__ import annotations

from lumbre.utils.data._workers import WorkerInfo, get_worker_info

__all__ = ["WorkerInfo", "get_worker_info"]


def _generate_state(base_seed: int, worker_id: int) -> list[int]:
    """Four words for the generator of another library, from the seed of a loader and the number of a worker."""
    from numpy.random import SeedSequence

    words = SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4)
    return [int(word) for word in words]
