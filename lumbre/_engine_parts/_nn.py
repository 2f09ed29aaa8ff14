"""``torch._C._nn``: the functions under ``torch.nn.functional`` that libraries call by this name."""

from __future__ import annotations

from lumbre import _C, _device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__: list[str] = []
# PyTorch's own list is longer; these compute the same there and in torch.nn.functional.
_FUNCTIONS = (
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool2d", "avg_pool3d", "elu", "gelu", "glu", "hardsigmoid",
    "hardswish", "hardtanh", "leaky_relu", "linear", "mish", "one_hot", "pad", "relu6", "scaled_dot_product_attention",
    "silu", "softplus", "softshrink",
)  # fmt: skip


def _parse_to(
    *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, copy: bool = False,
    memory_format: Any = None,
) -> tuple[Any, Any, bool, Any]:  # fmt: skip
    """What the arguments of ``Tensor.to`` say: the device, the dtype, whether not to wait, the memory format.

    >>> torch._C._nn._parse_to("cpu", torch.float64)
    (device(type='cpu'), torch.float64, False, None)
    """
    flags = [value for value in args if isinstance(value, bool)]
    for value in args:
        if isinstance(value, _C.Tensor):
            device, dtype = value.device, value.dtype
        elif isinstance(value, _C.dtype):
            dtype = value
        elif value is not None and not isinstance(value, bool):
            device = value
    if device is not None:
        device = _device.device(device)
    return device, dtype, flags[0] if flags else non_blocking, memory_format


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        from lumbre.nn import functional

        return getattr(functional, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
