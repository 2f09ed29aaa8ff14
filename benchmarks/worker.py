"""A process that runs rows with one library, as it is told over a pipe: ``worker.py LIBRARY DESCRIPTOR [TREE]``, where
TREE is another tree to import Lumbre from.

Every library has a process of its own, so that none's threads, allocator or imports are in another's way.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.path[:0] = sys.argv[3:]

import numpy as np

from benchmarks.libraries import Library, library, quiet_warnings
from benchmarks.rows import find
from benchmarks.suite import Row, timer


class Worker:
    def __init__(self, lib: Library) -> None:
        self.library = lib
        self.names: dict[str, Any] = {}
        self.timer: Callable[..., float] | None = None

    def prepare(self, row_id: str) -> list[np.ndarray] | None:
        """Makes the row's operands, and gives what the statement computes from them."""
        row: Row = find(row_id)
        with quiet_warnings():
            self.names = self.library.names(row)
            answer = self.library.answer(row, self.names)
            answer = None if answer is None else [array.copy() for array in answer]
        self.timer = timer(self.library.statement(row, self.names), self.names)
        return answer

    def time(self, count: int) -> float:
        """Seconds that ``count`` executions of the statement took."""
        assert self.timer is not None
        return self.timer(itertools.repeat(None, count), time.perf_counter)

    def set_threads(self, count: int | None) -> None:
        self.library.set_threads(count)

    def release(self) -> None:
        self.names, self.timer = {}, None
        gc.collect()

    def version(self) -> str:
        return self.library.version

    def limit_amount(self, kind: str) -> int:
        return self.library.limits.amount(kind)

    def prepare_limit(self, kind: str) -> None:
        """Of the machine itself: the row is that it reaches its limit."""
        self.names = {"limits": self.library.limits, "kind": kind}
        self.timer = timer("limits.reach(kind)", self.names)


def main() -> None:
    name, descriptor = sys.argv[1], int(sys.argv[2])
    pipe = Connection(descriptor)
    os.dup2(2, 1)  # what a library prints is not an answer
    worker: Worker | None = None
    gc.disable()  # as timeit does
    while True:
        try:
            command, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            worker = worker or Worker(library(name))
            answer = getattr(worker, command)(*arguments)
        except Exception as error:
            pipe.send((False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))
            if "LUMBRE_BENCH_TRACE" in os.environ:
                traceback.print_exc()
        else:
            pipe.send((True, answer))


if __name__ == "__main__":
    main()
