"""``torch.utils._foreach_utils``: how optimizers outside of PyTorch sort their tensors for ``torch._foreach_*``."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__: list[str] = []


def _get_foreach_kernels_supported_devices() -> list[str]:
    """The devices on which PyTorch's optimizers would choose these functions by themselves: the CPU is not one."""
    return ["cuda", "xpu", "mtia", "privateuseone"]


def _get_fused_kernels_supported_devices() -> list[str]:
    """The devices whose optimizers have fused steps."""
    return ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


def _device_has_foreach_support(device: Any) -> bool:
    """Whether tensors of that device may be given to the functions, which loop."""
    return device.type == "cpu"


def _has_foreach_support(tensors: list, device: Any) -> bool:
    """The same for tensors on it."""
    return _device_has_foreach_support(device) and all(t is None or type(t) is _C.Tensor for t in tensors)


def _group_tensors_by_device_and_dtype(tensorlistlist: list[list], with_indices: bool = False) -> dict:
    """Lists of neighbours, split by the device and dtype of the first list's: ``{(device, dtype): (lists, places)}``."""
    groups: dict[tuple, tuple[list[list], list[int]]] = {}
    for place, first in enumerate(tensorlistlist[0]):
        if not isinstance(first, _C.Tensor):
            raise RuntimeError("the first list of _group_tensors_by_device_and_dtype must hold tensors only")
        lists, places = groups.setdefault((first.device, first.dtype), ([[] for _ in tensorlistlist], []))
        for column, made in zip(tensorlistlist, lists, strict=True):
            if column:
                made.append(column[place])
        if with_indices:
            places.append(place)
    return groups
