"""The processes of a run: a worker for each library, asleep while another is measured, and neighbours that keep the
processors busy when they are told to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
QUIET = 0.002  # of looking at a process's clock
PATIENCE = 1.0  # seconds until a process that does not rest is left alone


class Failed(Exception):
    """What a worker could not do, in its library's words."""

    def __init__(self, peer: str, text: str) -> None:
        super().__init__(text)
        self.peer = peer


class Peer:
    """A library in a process of its own."""

    def __init__(
        self, name: str, python: str = sys.executable, tree: Path | None = None, settings: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.command = [python, str(ROOT / "benchmarks" / "worker.py"), name]
        self.tree = [str(tree)] if tree else []
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
        self.environment.update(setting.split("=", 1) for setting in settings)
        self.start()

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        command = [*self.command, str(descriptor), *self.tree]
        self.process = subprocess.Popen(command, pass_fds=[descriptor], env=self.environment)
        theirs.close()
        self.pipe = Connection(ours.detach())
        self.may_spin = True

    def start_again(self) -> bool:
        """After a process that ended by itself, another one."""
        if self.process.poll() is None:
            return False
        self.pipe.close()
        self.start()
        return True

    def ask(self, command: str, *arguments: Any) -> Any:
        self.tell(command, *arguments)
        return self.answer()

    def tell(self, command: str, *arguments: Any) -> None:
        """Asks without waiting: ``answer`` gives what came of it."""
        self.may_spin = True
        try:
            self.pipe.send((command, *arguments))
        except ConnectionError:
            raise self.ended() from None

    def answer(self) -> Any:
        try:
            done, answer = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise self.ended() from None
        if not done:
            raise Failed(self.name, answer)
        return answer

    def ended(self) -> Failed:
        return Failed(self.name, f"the process of {self.name} ended with status {self.process.wait()}")

    def processor_time(self) -> float:
        return time.clock_gettime(
            (~self.process.pid << 3) | 2
        )  # the process's clock, as clock_getcpuclockid(3) names it

    def rest(self) -> None:
        """Returns when the process's threads have stopped spinning: an idle pool of threads takes a processor for a while."""
        if not self.may_spin:
            return
        give_up = time.monotonic() + PATIENCE
        used = self.processor_time()
        while time.monotonic() < give_up:
            time.sleep(QUIET)
            before, used = used, self.processor_time()
            if used - before < 0.05 * QUIET:
                break
        self.may_spin = False

    def close(self) -> None:
        self.pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Neighbours:
    """A process per processor that does nothing but be busy, stopped unless it is told to go on."""

    PROGRAM = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n for _ in range(100_000): pass"

    def __init__(self) -> None:
        self.processes = [
            subprocess.Popen([sys.executable, "-S", "-c", self.PROGRAM]) for _ in range(os.cpu_count() or 1)
        ]
        self.send(signal.SIGSTOP)

    def send(self, number: int) -> None:
        for process in self.processes:
            process.send_signal(number)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        self.send(signal.SIGCONT)
        try:
            yield
        finally:
            self.send(signal.SIGSTOP)

    def close(self) -> None:
        self.send(signal.SIGKILL)
        for process in self.processes:
            process.wait()
