"""What pickled tensors name: the functions that put them together again, under the names of PyTorch's files."""

from __future__ import annotations

from typing import Any

from lumbre import _C

__all__: list[str] = []


def _rebuild_tensor(storage: Any, storage_offset: int, size: Any, stride: Any) -> _C.Tensor:
    memory = getattr(storage, "_untyped_storage", storage)
    return _C._tensor_over(memory, storage.dtype, storage_offset, tuple(size), tuple(stride))


def _rebuild_tensor_v2(
    storage: Any,
    storage_offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    backward_hooks: Any,
    metadata: Any = None,
) -> _C.Tensor:
    made = _rebuild_tensor(storage, storage_offset, size, stride)
    made.requires_grad = requires_grad
    return made


def _rebuild_from_type_v2(func: Any, new_type: type, args: tuple, state: Any) -> _C.Tensor:
    made = func(*args)
    if type(made) is not new_type:
        made = made.as_subclass(new_type)
    set_state = getattr(type(made), "__setstate__", None)
    if set_state is not None:
        set_state(made, state)
    elif isinstance(state, tuple):
        attributes, slots = state
        made.__dict__.update(attributes or {})
        for name, value in (slots or {}).items():
            setattr(made, name, value)
    else:
        made.__dict__.update(state)
    return made


def _rebuild_parameter(data: _C.Tensor, requires_grad: bool, backward_hooks: Any) -> _C.Tensor:
    from lumbre.nn import Parameter

    return Parameter(data, requires_grad)  # type: ignore[operator]


def _rebuild_parameter_with_state(data: _C.Tensor, requires_grad: bool, backward_hooks: Any, state: dict) -> _C.Tensor:
    made = _rebuild_parameter(data, requires_grad, backward_hooks)
    made.__dict__.update(state)
    return made


def _flatten_dense_tensors(tensors: Any) -> _C.Tensor:
    """The elements of all tensors, one after the other."""
    from lumbre import cat

    return cat([one.reshape(-1) for one in tensors])


def _unflatten_dense_tensors(flat: _C.Tensor, tensors: Any) -> tuple[_C.Tensor, ...]:
    """The parts of what ``_flatten_dense_tensors`` gave, as views, in the shapes of the tensors."""
    parts = flat.split([one.numel() for one in tensors])
    return tuple(part.view(one.shape) for part, one in zip(parts, tensors, strict=True))


def _get_available_device_type() -> None:
    """None: there is no accelerator."""


def _get_device_module(device_type: str) -> Any:
    """The module of a device's kind."""
    from lumbre._checks import get_device_module

    return get_device_module(device_type)


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int:
    """The number of a device; of the CPU -1, where that may be asked."""
    from lumbre import device as kind

    if isinstance(device, int):
        return device
    made = None if device is None else kind(device)
    if made is not None and made.type == "cpu" and allow_cpu:
        return -1
    if made is not None and made.type != "cpu" and made.index is not None:
        return made.index
    raise ValueError(f"Expected a device with a number, but got: {device}")


def _element_size(dtype: Any) -> int:
    """The bytes of one element."""
    return dtype.itemsize
