"""``torch.distributed.tensor``: one process computes, so no tensor is spread over several."""

from __future__ import annotations

from lumbre import _absent

__path__: list[str] = []  # a package: its parts are rows of lumbre/_named.py

_WHY = _absent._ONE_PROCESS
DeviceMesh, DTensor, Partial, Placement, Replicate, Shard = (
    _absent.refused_class(f"distributed.tensor.{name}", _WHY)
    for name in ("DeviceMesh", "DTensor", "Partial", "Placement", "Replicate", "Shard")
)
distribute_module = _absent.refused_function("distributed.tensor.distribute_module", _WHY)
distribute_tensor = _absent.refused_function("distributed.tensor.distribute_tensor", _WHY)
__all__ = [
    "DTensor", "DeviceMesh", "Partial", "Placement", "Replicate", "Shard", "distribute_module", "distribute_tensor",
]  # fmt: skip
