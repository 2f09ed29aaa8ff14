"""How tensors and storages travel between processes: as file descriptors of shared memory."""

from __future__ import annotations

import os
from multiprocessing import reduction
from multiprocessing.reduction import ForkingPickler
from multiprocessing.util import register_after_fork
from weakref import WeakValueDictionary

from lumbre import _C
from lumbre.storage import TypedStorage, UntypedStorage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "init_reductions",
    "rebuild_storage_empty",
    "rebuild_storage_fd",
    "rebuild_tensor",
    "reduce_storage",
    "reduce_tensor",
]


class _Received(WeakValueDictionary):
    """Storages by the memory that they show, so that what comes twice is the same storage both times."""

    def __init__(self) -> None:
        super().__init__()
        register_after_fork(self, lambda cache: cache.clear())


_received: Any = _Received()


def fd_id(fd: int) -> tuple[int, int]:
    """What two descriptors of the same memory have in common."""
    status = os.fstat(fd)
    return status.st_ino, status.st_dev


def rebuild_storage_empty(cls: type) -> Any:
    """A storage of no bytes: there is no memory to share."""
    return cls()


def rebuild_storage_fd(cls: type, df: Any, size: int) -> Any:
    """The storage over the memory that a descriptor names."""
    fd = df.detach()
    try:
        found = _received.get(fd_id(fd))
        if found is None:
            found = _received[fd_id(fd)] = _C._map_storage(fd, size, True, True)
        return found
    finally:
        os.close(fd)


def reduce_storage(storage: UntypedStorage) -> tuple:
    """Shares a storage, if it is not shared yet, and says how to find it."""
    if storage.nbytes() == 0:
        return rebuild_storage_empty, (type(storage),)
    storage.share_memory_()
    fd = storage._descriptor()
    _received[fd_id(fd)] = storage
    return rebuild_storage_fd, (type(storage), reduction.DupFd(fd), storage.nbytes())


def _rebuild_typed(cls: type, storage: UntypedStorage, dtype: Any) -> TypedStorage:
    return TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def _reduce_typed(storage: TypedStorage) -> tuple:
    return _rebuild_typed, (type(storage), storage.untyped(), storage.dtype)


def rebuild_tensor(cls: type, storage: Any, metadata: tuple) -> Any:
    """A tensor over a storage."""
    offset, sizes, strides, requires_grad, dtype = metadata
    made = _C._tensor_over(storage, dtype, offset, sizes, strides)
    if cls is not _C.Tensor:
        from lumbre.nn.parameter import Parameter

        return Parameter(made, requires_grad) if cls is Parameter else made.as_subclass(cls)
    made.requires_grad = requires_grad
    return made


def reduce_tensor(tensor: Any) -> tuple:
    """Says how to make a tensor over the same memory elsewhere. RuntimeError for one that has a history."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, "
            "since autograd does not support crossing process boundaries.  "
            "If you just want to transfer the data, call detach() on the tensor "
            "before serializing (e.g., putting it on the queue)."
        )
    metadata = (
        tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.requires_grad, tensor.dtype,
    )  # fmt: skip
    return rebuild_tensor, (type(tensor), tensor.untyped_storage(), metadata)


def init_reductions() -> None:
    """Has queues and pipes of ``multiprocessing`` share tensors."""
    from lumbre.nn.parameter import Parameter

    ForkingPickler.register(UntypedStorage, reduce_storage)
    ForkingPickler.register(TypedStorage, _reduce_typed)
    ForkingPickler.register(_C.Tensor, reduce_tensor)
    ForkingPickler.register(Parameter, reduce_tensor)
