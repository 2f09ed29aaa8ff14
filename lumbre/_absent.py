"""The parts of PyTorch that are not here, and why: what an import of one, or a look at it, is told."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_GRAPHS = "Lumbre runs programs as they are written and makes no graphs of them"
_ONE_PROCESS = "Lumbre computes in one process; torch.multiprocessing has processes that share memory"
_LIBTORCH = "operators of PyTorch's own registry are not Lumbre's; call them by their public names"
_QUANTIZED = "Lumbre has no quantized tensors"
_COMPLEX = "Lumbre has no complex numbers yet"
REASONS = {
    "_export": _GRAPHS,
    "_inductor": _GRAPHS,
    "ao": _QUANTIZED,
    "classes": _LIBTORCH,
    "distributed.algorithms": _ONE_PROCESS,
    "distributed.autograd": _ONE_PROCESS,
    "distributed.checkpoint": _ONE_PROCESS,
    "distributed.device_mesh": _ONE_PROCESS,
    "distributed.fsdp": _ONE_PROCESS,
    "distributed.pipelining": _ONE_PROCESS,
    "export": _GRAPHS,
    "masked": "Lumbre has no masked tensors",
    "nested": "Lumbre has no nested tensors",
    "package": "archives of code are PyTorch's own; save state_dicts with torch.save",
    "quantization": _QUANTIZED,
    "sparse": "Lumbre has strided tensors only",
    "sparse_coo_tensor": "Lumbre has strided tensors only",
    "sparse_csr_tensor": "Lumbre has strided tensors only",
    "view_as_complex": _COMPLEX,
    "view_as_real": _COMPLEX,
    "complex": _COMPLEX,
    "polar": _COMPLEX,
}


def reason(name: str) -> str | None:
    """Why "fx" or "distributed.rpc.functions" (without the package's name) is not here; None where that is unknown."""
    while name:
        if name in REASONS:
            return REASONS[name]
        name = name.rpartition(".")[0]
    return None


# Programs import some names only to ask ``isinstance(x, torch.fx.GraphModule)`` or to write a type: those stand for what
# is never made here, and say so to who would make one.


def refused_function(name: str, why: str) -> Callable[..., NoReturn]:
    """A function that is not here: NotImplementedError at every call."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"torch.{name}: {why}")

    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    refuse.__doc__ = f"NotImplementedError: {why}."
    return refuse


def refused_class(name: str, why: str, *bases: type) -> type:
    """A class of which there are no objects: NotImplementedError where one would be made."""

    def refuse(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"torch.{name}: {why}")

    return type(name.rpartition(".")[2], bases, {"__new__": refuse, "__doc__": f"Never made: {why}."})
