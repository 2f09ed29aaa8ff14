"""``torch.distributed.nn``: one process computes, so there is no group whose gradients would be gathered."""

from __future__ import annotations

from lumbre import _absent

__path__: list[str] = []  # a package: its parts are rows of lumbre/_named.py

all_gather, all_reduce, all_to_all, broadcast, gather, reduce, reduce_scatter, scatter = (
    _absent.refused_function(f"distributed.nn.{name}", _absent._ONE_PROCESS)
    for name in ("all_gather", "all_reduce", "all_to_all", "broadcast", "gather", "reduce", "reduce_scatter", "scatter")
)
__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "gather", "reduce", "reduce_scatter", "scatter"]
