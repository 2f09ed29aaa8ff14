"""PyTorch, the reference, runs on one thread: its waiting threads spin, and would take the processor from the tests."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):
    import torch

    torch.set_num_threads(1)
