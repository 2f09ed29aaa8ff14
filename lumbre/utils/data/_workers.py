"""Worker processes of a loader: what they run, and how errors come home."""

from __future__ import annotations

from dataclasses import dataclass

from lumbre import _C
from lumbre.utils.data._collate import default_collate
from lumbre.utils.data.dataset import TensorDataset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

_CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this process is: ``id`` of ``num_workers``, its ``seed``, its copy of the ``dataset``."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """What a worker process knows of itself; None in the main process."""
    return _info


class WorkerError:
    """An exception with the text of its traceback, on its way to the main process."""

    def __init__(self, error: BaseException, where: str) -> None:
        import traceback

        self.kind = type(error)
        self.text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.where = where

    def reraise(self) -> None:
        """Raises an exception of the same class with the worker's traceback in its message."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            message = _Plain(message)
        try:
            error = self.kind(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


class _Plain(str):
    """A KeyError shows the repr of its message: this one's is its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Exhausted:
    """A worker's iterable data set has ended."""

    worker: int


def _seed(base_seed: int, worker: int) -> int:
    import random
    import sys

    from lumbre import manual_seed

    seed = base_seed + worker
    random.seed(seed)
    manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        entropy = [worker, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
        numpy.random.seed(numpy.random.SeedSequence(entropy).generate_state(4))
    return seed


def fetch(dataset: Any, iterator: Any, numbers: Any, auto: bool, collate: Any, drop_last: bool) -> Any:
    """One batch; raises StopIteration at the end of an iterable data set."""
    if iterator is None:
        if auto:
            if collate is default_collate and type(dataset) is TensorDataset:
                rows = dataset._rows(numbers)
                if rows is not None:
                    return rows
            getter = getattr(dataset, "__getitems__", None)
            data = getter(numbers) if getter else [dataset[i] for i in numbers]
        else:
            data = dataset[numbers]
        return collate(data)
    if not auto:
        return collate(next(iterator))
    data = []
    for _ in numbers:
        try:
            data.append(next(iterator))
        except StopIteration:
            break
    if not data or (drop_last and len(data) < len(numbers)):
        raise StopIteration
    return collate(data)


def worker_loop(
    dataset: Any, iterable: bool, tasks: Any, results: Any, done: Any, auto: bool, collate: Any, drop_last: bool,
    base_seed: int, init: Any, worker: int, workers: int,
) -> None:  # fmt: skip
    """Takes tasks (number, sample numbers) until it gets None or its parent is gone."""
    global _info
    import multiprocessing
    import queue
    import signal

    # Ctrl-C goes to the whole group of processes: the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _C.set_num_threads(1)
    parent = multiprocessing.parent_process()
    where = f"in DataLoader worker process {worker}"
    failure = None
    iterator = None
    try:
        seed = _seed(base_seed, worker)
        _info = WorkerInfo(worker, workers, seed, dataset)
        if init is not None:
            init(worker)
        iterator = iter(dataset) if iterable else None
    except Exception as error:
        failure = WorkerError(error, where)
    ended = False
    while True:
        try:
            task = tasks.get(timeout=_CHECK_SECONDS)
        except queue.Empty:
            if parent is not None and not parent.is_alive():
                break
            continue
        if task is None or done.is_set():
            break
        number, samples = task
        if samples is _RESUME:
            results.put((number, samples))
            ended = False
            iterator = iter(dataset) if iterable else None
            continue
        if ended:
            continue
        try:
            if failure is not None:
                data: Any = failure
                failure = None
            else:
                data = fetch(dataset, iterator, samples, auto, collate, drop_last)
        except StopIteration as error:
            # Of a data set that is numbered it is an error like any other.
            data = Exhausted(worker) if iterable else WorkerError(error, where)
            ended = iterable
        except Exception as error:
            data = WorkerError(error, where)
        results.put((number, data))
    if done.is_set():
        results.cancel_join_thread()


_RESUME = "resume"
