"""``torch.nn``: networks.

>>> torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))(torch.zeros(1, 2)).shape
torch.Size([1, 1])
"""

from __future__ import annotations

from lumbre import _identity
from lumbre.nn import functional, init, modules, parameter, utils
from lumbre.nn.modules import *  # noqa: F403
from lumbre.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    *modules.__all__, "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "functional", "init",
    "modules", "parameter", "utils",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        from importlib import import_module

        full = f"{__name__}.{name}"
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
    if name == "DataParallel":
        from lumbre.nn.parallel import DataParallel

        return DataParallel
    raise AttributeError(f"module '{_identity.prefix()}nn' has no attribute '{name}'")
