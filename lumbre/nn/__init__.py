"""``torch.nn``: networks.

>>> torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))(torch.zeros(1, 2)).shape
torch.Size([1, 1])
"""

from __future__ import annotations

from lumbre import _identity, _listed
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
    if (module := _listed.submodule(__name__, name)) is not None:
        return module
    if name == "DataParallel":
        from lumbre.nn.parallel import DataParallel

        return DataParallel
    raise AttributeError(f"module '{_identity.prefix()}nn' has no attribute '{name}'")
