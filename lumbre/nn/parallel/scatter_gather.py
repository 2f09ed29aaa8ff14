"""``torch.nn.parallel.scatter_gather``: there are no devices to share a batch among, so there is nothing to scatter to."""

from __future__ import annotations

from lumbre import _absent

_WHY = "Lumbre computes on one device, the CPU; call the module itself"
gather = _absent.refused_function("nn.parallel.scatter_gather.gather", _WHY)
scatter = _absent.refused_function("nn.parallel.scatter_gather.scatter", _WHY)
scatter_kwargs = _absent.refused_function("nn.parallel.scatter_gather.scatter_kwargs", _WHY)
__all__ = ["gather", "scatter", "scatter_kwargs"]
