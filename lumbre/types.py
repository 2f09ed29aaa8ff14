"""``torch.types``: names for annotations."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias, Union

from lumbre import Size, Tensor
from lumbre import device as _device
from lumbre.storage import TypedStorage, UntypedStorage

__all__ = ["Device", "FileLike", "Number", "Storage"]

_int = builtins.int
_float = builtins.float
_bool = builtins.bool
_complex = builtins.complex
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_symsize = _size
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrTensorsOrGradEdge = _TensorOrTensors
_dispatchkey: TypeAlias = builtins.str
_qscheme: TypeAlias = Any

IntLikeType: TypeAlias = builtins.int
FloatLikeType: TypeAlias = builtins.float
BoolLikeType: TypeAlias = builtins.bool
Number: TypeAlias = builtins.int | builtins.float | builtins.bool
Device: TypeAlias = _device | builtins.str | builtins.int | None
FileLike: TypeAlias = Union[builtins.str, os.PathLike[builtins.str], IO[bytes]]  # noqa: UP007
Storage: TypeAlias = UntypedStorage | TypedStorage
