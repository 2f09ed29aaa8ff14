"""Batches from samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
# How batches are made of samples of other types: what programs put here is asked first.
default_collate_fn_map: dict[Any, Callable] = {}
_stack = _C._functions["stack"]


def _is_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy"


def default_convert(data: Any) -> Any:
    """NumPy arrays in a structure become tensors; all else stays."""
    if isinstance(data, Tensor):
        return data
    if _is_numpy(data):
        from lumbre import as_tensor

        if type(data).__name__ == "ndarray" and data.dtype.kind in "SaUO":
            return data
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(value) for value in data])
    return data


def _rebuilt(like: Any, values: Any) -> Any:
    """A structure of the class of another, where that can be made."""
    if type(like) in (dict, list):
        return values
    try:
        made: Any = copy(like)
        if isinstance(like, Mapping):
            made.update(values)
            return made
        for i, value in enumerate(values):
            made[i] = value
        return made
    except (TypeError, AttributeError):
        try:
            return type(like)(values)  # type: ignore[call-arg]
        except TypeError:
            return values


def default_collate(batch: Any) -> Any:
    """A batch of samples of one structure: tensors are stacked, numbers become tensors, structures are kept.

    >>> torch.utils.data.default_collate([(1, torch.zeros(2)), (2, torch.ones(2))])
    [tensor([1, 2]), tensor([[0., 0.],
            [1., 1.]])]
    """
    first = batch[0]
    if default_collate_fn_map and (own := _own_way(type(first))) is not None:
        return own(batch, collate_fn_map=default_collate_fn_map)
    if isinstance(first, Tensor):
        return _stack(batch, 0)
    if type(first) in (tuple, list):
        return _collate_columns(batch, first)
    if _is_numpy(first):
        return _collate_numpy(batch, first)
    if isinstance(first, float):
        return _C.tensor(batch, dtype=_C.float64)
    if isinstance(first, int):
        return _C.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(column)) for column in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        return _collate_columns(batch, first)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


def _own_way(kind: type) -> Callable | None:
    """What programs put into ``default_collate_fn_map`` for a type, or for one that it derives from."""
    if kind in default_collate_fn_map:
        return default_collate_fn_map[kind]
    return next((function for base, function in default_collate_fn_map.items() if issubclass(kind, base)), None)


def _collate_columns(batch: Any, first: Any) -> Any:
    length = len(first)
    for sample in batch:
        if len(sample) != length:
            raise RuntimeError("each element in list of batch should be of equal size")
    columns = [default_collate(list(column)) if not _texts(column) else column for column in zip(*batch, strict=True)]
    return columns if isinstance(first, tuple) else _rebuilt(first, columns)


def _texts(column: Any) -> bool:
    return isinstance(column[0], (str, bytes))


def _collate_numpy(batch: Any, first: Any) -> Any:
    from lumbre import as_tensor

    if type(first).__name__ in ("ndarray", "memmap"):
        if first.dtype.kind in "SaUO":
            raise TypeError(
                f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {first.dtype}"
            )
        return default_collate([as_tensor(sample) for sample in batch])
    if isinstance(first, float):
        return _C.tensor(batch, dtype=_C.float64)
    return as_tensor(batch)
