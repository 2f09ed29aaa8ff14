"""``torch.distributed.rpc``: one process computes, so there is nobody to call."""

from __future__ import annotations

from lumbre import _absent

__path__: list[str] = []  # a package: its parts are rows of lumbre/_named.py

init_rpc, remote, rpc_async, rpc_sync, shutdown = (
    _absent.refused_function(f"distributed.rpc.{name}", _absent._ONE_PROCESS)
    for name in ("init_rpc", "remote", "rpc_async", "rpc_sync", "shutdown")
)
RRef = _absent.refused_class("distributed.rpc.RRef", _absent._ONE_PROCESS)
__all__ = ["RRef", "init_rpc", "remote", "rpc_async", "rpc_sync", "shutdown"]


def is_available() -> bool:
    """False: one process computes."""
    return False
