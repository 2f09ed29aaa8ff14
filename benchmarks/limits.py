"""The machine's own limits, measured in turn with the libraries by a small C++ program that is compiled when needed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_suffix(".cc")
BYTES = 100_000_000  # copied: read once and written once
ROUNDS = 200_000


class Limits:
    def __init__(self) -> None:
        self.threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.compiler, self.library = compiled()
        source = np.ones(BYTES, np.uint8)
        self._arrays = source, np.ones_like(source)
        self._pointers = [array.ctypes.data_as(ctypes.c_char_p) for array in self._arrays]

    def reach(self, kind: str) -> None:
        """Copies, or multiplies and adds in float32 or float64, as fast as the machine can."""
        if kind == "copy":
            source, target = self._pointers
            self.library.limits_copy(target, source, ctypes.c_int64(BYTES), self.threads)
        else:
            self.library.limits_multiply_add(ctypes.c_int64(ROUNDS), self.threads, int(kind == "float64"))

    def amount(self, kind: str) -> int:
        """Bytes read and written, or operations done, by one call of ``reach``."""
        if kind == "copy":
            return 2 * BYTES
        return self.library.limits_operations(ctypes.c_int64(ROUNDS), self.threads, int(kind == "float64"))


def compiled() -> tuple[str, ctypes.CDLL]:
    """The program as a library for this very processor, made again when its source is newer."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise RuntimeError("the machine's limits need a C++ compiler: none of c++, g++, clang++ is there")
    target = SOURCE.parents[1] / "out" / "limits.so"
    if not target.exists() or target.stat().st_mtime < SOURCE.stat().st_mtime:
        target.parent.mkdir(exist_ok=True)
        flags = ["-O3", "-march=native", "-ffp-contract=fast", "-std=c++20", "-shared", "-fPIC", "-pthread"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(target)], check=True)
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    library = ctypes.CDLL(str(target))
    library.limits_operations.restype = ctypes.c_int64
    library.limits_operations.argtypes = [ctypes.c_int64, ctypes.c_int, ctypes.c_int]
    return version.splitlines()[0], library
