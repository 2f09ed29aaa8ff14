"""What ``torch.compile`` raises."""

from __future__ import annotations


class TorchDynamoException(RuntimeError):
    """The base of them."""


class Unsupported(TorchDynamoException):
    """A program cannot be recorded, and ``fullgraph=True`` asks for it."""


class InvalidBackend(TorchDynamoException):
    """No backend has this name."""
