"""DataLoader: batches of a data set, from this process or from workers."""

from __future__ import annotations

import itertools
from typing import Generic, TypeAlias, TypeVar

from lumbre import _C
from lumbre.utils.data import _workers
from lumbre.utils.data._collate import default_collate, default_convert
from lumbre.utils.data.dataset import IterableDataset
from lumbre.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

_T_co = TypeVar("_T_co", covariant=True)


_collate_fn_t: TypeAlias = "Callable[[list], Any]"
_worker_init_fn_t: TypeAlias = "Callable[[int], None]"


class _DatasetKind:
    """How a data set is read: by number, or from its beginning."""

    Map = 0
    Iterable = 1


class _Forever(Sampler):
    """Numbers do not matter to an iterable data set."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[_T_co]):
    """Iterates over a data set in batches.

    ``shuffle`` draws a new order for every pass; ``num_workers`` processes prepare ``prefetch_factor`` batches each;
    ``collate_fn`` makes a batch of a list of samples. With ``batch_size=None`` samples come one by one. Errors in a
    worker are raised here, with its traceback.

    >>> [batch.tolist() for batch in torch.utils.data.DataLoader(range(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    _iterator: Any = None
    _multiprocessing_context: Any = None

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable | None = None, pin_memory: bool = False,
        drop_last: bool = False, timeout: float = 0, worker_init_fn: Callable | None = None,
        multiprocessing_context: Any = None, generator: Any = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
                "multiprocessing, otherwise set prefetch_factor to None."
            )
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        elif prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self._iterable = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if self._iterable else _DatasetKind.Map
        if self._iterable:
            self._check_iterable(shuffle, sampler, batch_sampler)
        else:
            shuffle = bool(shuffle)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
            drop_last = False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if self._iterable:
                sampler = _Forever()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self.__initialized = True

    @staticmethod
    def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        if shuffle not in (False, None):
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}"
            )
        if sampler is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified sampler option, but got sampler={sampler}"
            )
        if batch_sampler is not None:
            raise ValueError(
                "DataLoader with IterableDataset: expected unspecified batch_sampler option, but got "
                f"batch_sampler={batch_sampler}"
            )

    @property
    def multiprocessing_context(self) -> Any:
        """The way in which workers are started: None, "fork", "spawn", "forkserver" or a context."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            import multiprocessing

            if self.num_workers == 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                    f"num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                valid = multiprocessing.get_all_start_methods()
                if context not in valid:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{valid!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            elif not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the start "
                    f"method, but got multiprocessing_context={context}"
                )
        self._multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
        if name in fixed and self.__dict__.get("_DataLoader__initialized"):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> Any:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        if not self.persistent_workers:
            return _MultiProcessingDataLoaderIter(self)
        if self._iterator is None:
            self._iterator = _MultiProcessingDataLoaderIter(self)
        else:
            self._iterator.restart()
        return self._iterator

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)
        length = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Accepted: as many workers are started as were asked for."""


def _base_seed(generator: Any) -> int:
    from lumbre import empty

    return int(empty((), dtype=_C.int64).random_(generator=generator).item())


class _BaseDataLoaderIter:
    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._samples = iter(loader._index_sampler)
        self._base_seed = _base_seed(loader.generator)

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self._source = iter(loader.dataset) if loader._iterable else None
        self._auto = loader._auto_collation

    def __next__(self) -> Any:
        loader = self._loader
        return _workers.fetch(
            loader.dataset, self._source, next(self._samples), self._auto, loader.collate_fn, loader.drop_last
        )


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Hands tasks to workers in turn and gives their results in order."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        import atexit
        import multiprocessing

        context = loader.multiprocessing_context or multiprocessing
        self._results = context.Queue()
        self._done = context.Event()
        self._tasks = []
        self._processes = []
        self._shut = False
        for i in range(loader.num_workers):
            tasks = context.Queue()
            tasks.cancel_join_thread()
            process = context.Process(
                target=_workers.worker_loop,
                args=(
                    loader.dataset,
                    loader._iterable,
                    tasks,
                    self._results,
                    self._done,
                    loader._auto_collation,
                    loader.collate_fn,
                    loader.drop_last,
                    self._base_seed,
                    loader.worker_init_fn,
                    i,
                    loader.num_workers,
                ),
                daemon=True,
            )
            process.start()
            self._tasks.append(tasks)
            self._processes.append(process)
        atexit.register(_shut_down_quietly, __import__("weakref").ref(self))
        self._begin()

    def _begin(self) -> None:
        self._next_task = 0
        self._next_result = 0
        self._owners: dict[int, int] = {}
        self._arrived: dict[int, Any] = {}
        self._active = [True] * self._loader.num_workers
        self._turns = itertools.cycle(range(self._loader.num_workers))
        for _ in range((self._loader.prefetch_factor or 0) * self._loader.num_workers):
            self._assign()

    def restart(self) -> None:
        """Another pass with the same workers."""
        loader = self._loader
        self._samples = iter(loader._index_sampler)
        self._base_seed = _base_seed(loader.generator)
        # Whatever is still on its way belongs to the pass before.
        for i, tasks in enumerate(self._tasks):
            tasks.put((-1 - i, _workers._RESUME))
        waiting = set(range(len(self._tasks)))
        while waiting:
            number, _ = self._receive()
            if number < 0:
                waiting.discard(-1 - number)
        self._begin()

    def _assign(self) -> None:
        try:
            samples = next(self._samples)
        except StopIteration:
            return
        for _ in range(self._loader.num_workers):
            worker = next(self._turns)
            if self._active[worker]:
                break
        else:
            return
        self._tasks[worker].put((self._next_task, samples))
        self._owners[self._next_task] = worker
        self._next_task += 1

    def _receive(self) -> tuple[int, Any]:
        import queue
        import time

        loader = self._loader
        start = time.monotonic()
        while True:
            wait = _workers._CHECK_SECONDS if not loader.timeout else min(loader.timeout, _workers._CHECK_SECONDS)
            try:
                return self._results.get(timeout=min(wait, 0.5))
            except queue.Empty:
                dead = [p for i, p in enumerate(self._processes) if self._active[i] and not p.is_alive()]
                if dead:
                    pids = ", ".join(str(p.pid) for p in dead)
                    self._shut_down()
                    raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly") from None
                if loader.timeout and time.monotonic() - start > loader.timeout:
                    self._shut_down()
                    raise RuntimeError(f"DataLoader timed out after {loader.timeout} seconds") from None

    def __next__(self) -> Any:
        if self._shut:
            raise StopIteration
        try:
            return self._next()
        except KeyboardInterrupt:
            self._shut_down()
            raise

    def _next(self) -> Any:
        while True:
            # Tasks of workers whose data have ended give nothing.
            while self._next_result < self._next_task:
                if self._next_result in self._arrived or self._active[self._owners[self._next_result]]:
                    break
                del self._owners[self._next_result]
                self._next_result += 1
            else:
                if not self._loader.persistent_workers:
                    self._shut_down()
                raise StopIteration
            number = self._next_result
            if not self._loader.in_order and self._arrived:
                number = next(iter(self._arrived))
            if number in self._arrived:
                data = self._arrived.pop(number)
                if number == self._next_result:
                    self._next_result += 1
                self._owners.pop(number, None)
                return self._given(data)
            number, data = self._receive()
            if number < 0 or number not in self._owners:
                continue
            if isinstance(data, _workers.Exhausted):
                self._active[data.worker] = False
                self._assign()
                continue
            self._arrived[number] = data

    def _given(self, data: Any) -> Any:
        self._assign()
        if isinstance(data, _workers.WorkerError):
            data.reraise()
        return data

    def _shut_down(self) -> None:
        if self._shut:
            return
        self._shut = True
        self._done.set()
        for tasks in self._tasks:
            tasks.put(None)
        for process in self._processes:
            process.join(timeout=_workers._CHECK_SECONDS)
            if process.is_alive():
                process.terminate()
                process.join(timeout=1.0)
        for tasks in self._tasks:
            tasks.close()
        self._results.close()

    def __del__(self) -> None:
        _quietly(self)


def _quietly(iterator: Any) -> None:
    try:
        iterator._shut_down()
    except Exception:
        # The interpreter is going down, or the iterator was never complete: its workers are daemons.
        return


def _shut_down_quietly(reference: Any) -> None:
    iterator = reference()
    if iterator is not None:
        _quietly(iterator)
