"""Tensors from other objects: sequences, arrays, buffers, numbers."""

from __future__ import annotations

from lumbre import _C, _device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["as_tensor", "asarray", "frombuffer", "scalar_tensor"]

Tensor = _C.Tensor


def _marked(result: Tensor, requires_grad: bool) -> Tensor:
    if requires_grad:
        if not result.dtype.is_floating_point:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        result.requires_grad = True
    return result


def _from_protocol(data: Any) -> Any:
    """Objects that bring their memory by a protocol: DLPack, then NumPy's."""
    if isinstance(data, (Tensor, list, tuple, int, float)):
        return data
    kind = type(data)
    if kind.__module__ == "numpy":
        return data
    if hasattr(kind, "__dlpack__") and hasattr(kind, "__dlpack_device__"):
        from lumbre.utils import dlpack

        return dlpack.from_dlpack(data)
    if hasattr(kind, "__array_interface__"):
        import numpy

        return numpy.asarray(data)
    return data


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor over the data's own memory where dtype and kind allow it, a new one elsewhere.

    Tensors of the wanted dtype come back themselves; NumPy arrays are shared; sequences are copied.

    >>> torch.as_tensor([1, 2])
    tensor([1, 2])
    """
    if device is not None:
        _device.check(device)
    return _C._convert(_from_protocol(data), dtype)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """A tensor from a tensor, array, DLPack object, buffer, number or sequence.

    ``copy`` true always copies, false never does and raises ValueError where it would have to, None shares where
    possible. Buffers without a dtype are read as the default dtype. A tensor that requires a gradient goes on to, and
    stays in its graph, unless ``requires_grad`` is false.

    >>> torch.asarray([1, 2])
    tensor([1, 2])
    """
    if device is not None:
        _device.check(device)
    shared = _shared(obj, dtype)
    if shared is None:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return _marked(_C.tensor(obj, dtype=dtype), bool(requires_grad))
    wanted = shared.dtype if dtype is None else dtype
    if shared.dtype is not wanted and copy is False:
        raise ValueError(f"can't alias tensor with dtype '{shared.dtype}' into dtype '{wanted}'.")
    tracked = shared.requires_grad if requires_grad is None else requires_grad
    result = shared
    if copy or shared.dtype is not wanted:
        result = shared.to(wanted, copy=True)
        if not tracked:
            return result.detach()
    elif shared.requires_grad and not tracked and not shared.is_leaf:
        return shared.detach()
    return result if result.requires_grad == tracked else result.requires_grad_(tracked)


def _shared(obj: Any, dtype: Any) -> Tensor | None:
    """A tensor over the object's memory, or None where it has none to share."""
    if isinstance(obj, Tensor):
        return obj
    if isinstance(obj, (list, tuple, int, float)):
        return None
    if isinstance(obj, _C.UntypedStorage):
        kind = _C.get_default_dtype() if dtype is None else dtype
        return _C._tensor_over(obj, kind, 0, (obj.nbytes() // kind.itemsize,), None)
    found = _from_protocol(obj)
    if isinstance(found, Tensor):
        return found
    if hasattr(type(found), "__array_interface__"):
        # NumPy's scalars have the interface too, and no memory to share.
        return _C._convert(found, None) if hasattr(found, "flags") and hasattr(found, "resize") else None
    try:
        memoryview(found)
    except TypeError:
        return None
    return _C._frombuffer(found, _C.get_default_dtype() if dtype is None else dtype, -1, 0)


def frombuffer(
    buffer: Any, *, dtype: Any = None, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A one-dimensional tensor over a Python buffer's memory: ``count`` elements from byte ``offset``, or all.

    Changes to one are seen in the other, and the buffer cannot be resized while the tensor lives. ValueError where the
    elements do not fit the buffer.

    >>> torch.frombuffer(bytearray(b"abc"), dtype=torch.uint8)
    tensor([97, 98, 99], dtype=torch.uint8)
    """
    if dtype is None:
        raise TypeError('frombuffer() missing 1 required positional arguments: "dtype"')
    return _marked(_C._frombuffer(buffer, dtype, count, offset), requires_grad)


def scalar_tensor(
    s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A 0-d tensor of a number, in the default dtype unless one is given.

    >>> torch.scalar_tensor(3)
    tensor(3.)
    """
    if device is not None:
        _device.check(device)
    if isinstance(s, (str, bytes, list, tuple, dict)) or s is None:
        raise TypeError(f"scalar_tensor(): argument 's' (position 1) must be Number, not {type(s).__name__}")
    return _marked(_C.tensor(s, dtype=_C.get_default_dtype() if dtype is None else dtype), requires_grad)
