"""``torch.utils.dlpack``: memory shared with NumPy, JAX, PyTorch and others by the DLPack protocol."""

from __future__ import annotations

import enum
from typing import Any

from lumbre import _C, _device

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """The kinds of devices that the DLPack standard numbers."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14


def to_dlpack(tensor: _C.Tensor) -> Any:
    """A DLPack capsule over the tensor's memory. It can be consumed once."""
    return tensor.detach().__dlpack__()


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> _C.Tensor:
    """A tensor over the memory of an object with ``__dlpack__``, or of a capsule: changes to one are seen in the other.

    Read-only memory is refused with BufferError unless ``copy`` is true.

    >>> torch.from_dlpack(torch.ones(2))
    tensor([1., 1.])
    """
    if device is not None:
        _device.check(device)
    export = getattr(ext_tensor, "__dlpack__", None)
    if export is None:
        return _C._from_dlpack_capsule(ext_tensor, bool(copy))
    kind = ext_tensor.__dlpack_device__()
    if kind[0] != DLDeviceType.kDLCPU:
        raise BufferError(f"Lumbre reads CPU memory only; the array is on DLPack device {tuple(kind)}")
    try:
        # The copy that `copy=True` asks for is made here: some exporters do not know how.
        capsule = export(max_version=(1, 0), **({"copy": False} if copy is False else {}))
    except TypeError:
        # An exporter from before version 1.0 of the standard.
        capsule = export()
    return _C._from_dlpack_capsule(capsule, bool(copy))
