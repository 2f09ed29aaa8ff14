"""The parts of PyTorch that are not here, and why: what an import of one, or a look at it, is told."""

from __future__ import annotations

_GRAPHS = "Lumbre runs programs as they are written and makes no graphs of them"
_ONE_PROCESS = "Lumbre computes in one process; torch.multiprocessing has processes that share memory"
_LIBTORCH = "operators of PyTorch's own registry are not Lumbre's; call them by their public names"
_QUANTIZED = "Lumbre has no quantized tensors"
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
    "distributed.nn": _ONE_PROCESS,
    "distributed.optim": _ONE_PROCESS,
    "distributed.pipelining": _ONE_PROCESS,
    "distributed.rpc": _ONE_PROCESS,
    "distributed.tensor": _ONE_PROCESS,
    "export": _GRAPHS,
    "fft": "Lumbre has no complex numbers yet",
    "futures": _ONE_PROCESS,
    "fx": _GRAPHS,
    "library": _LIBTORCH,
    "masked": "Lumbre has no masked tensors",
    "nested": "Lumbre has no nested tensors",
    "ops": _LIBTORCH,
    "package": "archives of code are PyTorch's own; save state_dicts with torch.save",
    "quantization": _QUANTIZED,
    "sparse": "Lumbre has strided tensors only",
    "sparse_coo_tensor": "Lumbre has strided tensors only",
    "sparse_csr_tensor": "Lumbre has strided tensors only",
    "view_as_complex": "Lumbre has no complex numbers yet",
    "view_as_real": "Lumbre has no complex numbers yet",
    "complex": "Lumbre has no complex numbers yet",
    "polar": "Lumbre has no complex numbers yet",
}


def reason(name: str) -> str | None:
    """Why "fx" or "distributed.rpc.functions" (without the package's name) is not here; None where that is unknown."""
    while name:
        if name in REASONS:
            return REASONS[name]
        name = name.rpartition(".")[0]
    return None
