"""``torch.futures``: results that are still to come.

>>> future = torch.futures.Future()
>>> doubled = future.then(lambda done: 2 * done.value())
>>> future.set_result(3)
>>> doubled.wait()
6
"""

from __future__ import annotations

import threading
from typing import Any, Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
S = TypeVar("S")
__all__ = ["Future", "collect_all", "wait_all"]


class Future(Generic[T]):
    """A result, or an exception, that some thread sets once; others wait for it or leave callbacks."""

    def __init__(self, *, devices: Any = None) -> None:
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[Future], Any]] = []
        self._value: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether there is a result or an exception."""
        return self._done.is_set()

    def wait(self) -> Any:
        """Waits, and gives the result; an exception is raised."""
        self._done.wait()
        return self.value()

    def value(self) -> Any:
        """The result; an exception is raised, and RuntimeError where there is neither yet."""
        if not self._done.is_set():
            raise RuntimeError("The future has no value yet: wait() for it")
        if self._error is not None:
            raise self._error
        return self._value

    def _finish(self, value: Any, error: BaseException | None) -> None:
        with self._lock:
            if self._done.is_set():
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future can only be marked completed once."
                )
            self._value, self._error = value, error
            self._done.set()
            waiting, self._callbacks = self._callbacks, []
        for callback in waiting:
            callback(self)

    def set_result(self, result: Any) -> None:
        """Sets the result; RuntimeError the second time."""
        self._finish(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Sets an exception, which ``wait`` and ``value`` will raise; RuntimeError the second time."""
        if not isinstance(result, BaseException):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Calls ``callback(future)`` when this is done, at once if it is."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def then(self, callback: Callable[[Future], S]) -> Future[S]:
        """The future of ``callback(future)``, called when this is done; what it raises is the new future's exception."""
        made: Future = Future()

        def run(done: Future) -> None:
            try:
                result = callback(done)
            except Exception as error:
                made.set_exception(error)
            else:
                made.set_result(result)

        self.add_done_callback(run)
        return made


def collect_all(futures: Sequence[Future]) -> Future[list[Future]]:
    """The future of all of them, done when each is; its result is their list."""
    made: Future = Future()
    left = len(futures)
    lock = threading.Lock()
    if not futures:
        made.set_result([])

    def one_more(_: Future) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            made.set_result(list(futures))

    for future in futures:
        future.add_done_callback(one_more)
    return made


def wait_all(futures: Sequence[Future]) -> list:
    """Waits for all of them; the list of their results. What one raised is raised."""
    return [future.wait() for future in collect_all(futures).wait()]
