"""``torch.multiprocessing``: Python's ``multiprocessing``, whose queues and pipes share the memory of tensors.

A tensor that is sent arrives as another tensor over the same memory: what one process writes the other sees. The
memory has no name in the system, so that nothing of it is left when the processes are gone, however they went.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import *  # noqa: F403

from lumbre.multiprocessing.reductions import init_reductions
from lumbre.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = [
    "ProcessContext", "ProcessExitedException", "ProcessRaisedException", "SpawnContext", "get_all_sharing_strategies",
    "get_sharing_strategy", "init_reductions", "set_sharing_strategy", "spawn", "start_processes",
]  # fmt: skip
__all__ += multiprocessing.__all__  # type: ignore[attr-defined]

_strategies = {"file_descriptor", "file_system"}
_strategy = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """The names that ``set_sharing_strategy`` takes."""
    return set(_strategies)


def get_sharing_strategy() -> str:
    """How memory reaches other processes: "file_descriptor" unless another was set."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Chooses how memory reaches other processes. Both names mean file descriptors here: PyTorch's "file_system" leaves
    files behind when a process crashes, and is there for systems that allow few open files.
    """
    global _strategy
    if new_strategy not in _strategies:
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}, available: {_strategies}")
    _strategy = new_strategy


init_reductions()
