"""``torch.distributed``: not available. Questions are answered; group operations refuse as without a process group."""

from __future__ import annotations

from enum import Enum

from lumbre import _absent, _identity, _listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_GROUP_OPERATIONS = (
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single",
    "barrier", "batch_isend_irecv", "broadcast", "broadcast_object_list", "destroy_process_group", "gather",
    "gather_object", "get_backend", "get_global_rank", "get_process_group_ranks", "get_rank", "get_world_size", "irecv",
    "isend", "monitored_barrier", "new_group", "recv", "recv_object_list", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "send_object_list",
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


ReduceOp.RedOpType = ReduceOp  # type: ignore[attr-defined]
Backend, DeviceMesh, FileStore, HashStore, P2POp, PrefixStore, ProcessGroup, ProcessGroupGloo, Store, TCPStore, Work = (
    _absent.refused_class(f"distributed.{name}", _absent._ONE_PROCESS)
    for name in (
        "Backend", "DeviceMesh", "FileStore", "HashStore", "P2POp", "PrefixStore", "ProcessGroup", "ProcessGroupGloo",
        "Store", "TCPStore", "Work",
    )
)  # fmt: skip
init_device_mesh = _absent.refused_function("distributed.init_device_mesh", _absent._ONE_PROCESS)


class group:
    """The groups of processes: there is none."""

    WORLD = None


class GroupMember:
    """The place of this process in a group: there is none."""

    WORLD = None
    NON_GROUP_MEMBER = None


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
    if not name.startswith("_") and (module := _listed.submodule(__name__, name)) is not None:
        return module
    error = AttributeError(f"module '{_identity.prefix()}distributed' has no attribute '{name}'")
    if why := _absent.reason(f"distributed.{name}"):
        error.add_note(why)
    raise error
