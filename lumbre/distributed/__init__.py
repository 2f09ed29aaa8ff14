"""``torch.distributed``: not available. Questions are answered; group operations refuse as without a process group."""

from __future__ import annotations

from enum import Enum

from lumbre import _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_GROUP_OPERATIONS = (
    "all_gather", "all_reduce", "barrier", "broadcast", "destroy_process_group", "gather", "get_backend", "get_rank",
    "get_world_size", "recv", "reduce", "reduce_scatter", "scatter", "send",
)  # fmt: skip
_QUESTIONS = (
    "is_available", "is_initialized", "is_gloo_available", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched",
)  # fmt: skip

__all__ = [*_QUESTIONS, *_GROUP_OPERATIONS, "ReduceOp", "init_process_group"]


class ReduceOp(Enum):
    """How an operation of a group combines: named, never run."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: one process computes on one machine."""
    raise RuntimeError("torch.distributed is not available: Lumbre computes in one process")


def _no(*args: Any, **kwargs: Any) -> bool:
    return False


def _no_group(*args: Any, **kwargs: Any) -> NoReturn:
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


def __getattr__(name: str) -> object:
    if name in _QUESTIONS:
        return _no
    if name in _GROUP_OPERATIONS:
        return _no_group
    if name in ("nn", "optim", "rpc", "tensor"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    error = AttributeError(f"module '{_identity.prefix()}distributed' has no attribute '{name}'")
    if why := _absent.reason(f"distributed.{name}"):
        error.add_note(why)
    raise error
