"""Shapes of several tensors at once, and compositions of views."""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions


def _spread(tensors: tuple) -> tuple:
    """The tensors of ``f(a, b)``, ``f([a, b])`` or ``f((a, b))``."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple(tensors[0])
    return tensors


def _check_tensors(name: str, tensors: tuple) -> None:
    for position, each in enumerate(tensors):
        if not isinstance(each, Tensor):
            raise TypeError(
                f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, "
                f"but found element of type {type(each).__name__} at pos {position}"
            )


@operator("broadcast_shapes(*shapes)", method=False, derivative="none")
def broadcast_shapes(*shapes: Any) -> Any:
    """The sizes that tensors of the given shapes broadcast to.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    result: list[int] = []
    for shape in shapes:
        sizes = [shape] if isinstance(shape, int) else list(shape)
        if any(size < 0 for size in sizes):
            raise RuntimeError(f"Trying to create tensor with negative dimension ({min(sizes)}): ({min(sizes)})")
        result = [1] * (len(sizes) - len(result)) + result
        sizes = [1] * (len(result) - len(sizes)) + sizes
        for dim, (have, size) in enumerate(zip(result, sizes, strict=True)):
            if have != size and have != 1 and size != 1:
                raise RuntimeError(
                    "Shape mismatch: objects cannot be broadcast to a single shape: "
                    f"Attempting to broadcast a dimension of length {size} at {dim - len(sizes)}! "
                    f"Mismatching argument had {list(shape) if not isinstance(shape, int) else [shape]}; "
                    f"but expected shape should be broadcastable to {result}"
                )
            result[dim] = size if have == 1 else have
    return _C.Size(result)


@operator("broadcast_tensors(*tensors)", method=False)
def broadcast_tensors(*tensors: Any) -> tuple:
    """Views of all tensors with the sizes that they broadcast to together.

    >>> a, b = torch.broadcast_tensors(torch.zeros(2, 1), torch.zeros(3))
    >>> b.shape
    torch.Size([2, 3])
    """
    tensors = _spread(tensors)
    _check_tensors("broadcast_tensors", tensors)
    result: list[int] = []
    for each in tensors:
        sizes = list(each.shape)
        result = [1] * (len(sizes) - len(result)) + result
        for back in range(1, len(sizes) + 1):
            size, have = sizes[-back], result[-back]
            if size != have and size != 1 and have != 1:
                raise RuntimeError(
                    f"The size of tensor a ({have}) must match the size of tensor b ({size}) "
                    f"at non-singleton dimension {len(result) - back}"
                )
            result[-back] = size if have == 1 else have
    return tuple(each.expand(result) for each in tensors)


@operator("meshgrid(*tensors, indexing=None)", method=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple:
    """Grids of coordinates from vectors; "ij" indexes as matrices do, "xy" as pictures do.

    >>> x, y = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
    >>> x
    tensor([[0, 0, 0],
            [1, 1, 1]])
    """
    tensors = _spread(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    _check_tensors("meshgrid", tensors)
    for each in tensors:
        if each.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {each}")
    for each in tensors[1:]:
        if each.dtype != tensors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        import warnings

        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=3
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(tensors) >= 2
    if swapped:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    sizes = [each.numel() for each in tensors]
    grids = []
    for dim, each in enumerate(tensors):
        shape = [1] * len(sizes)
        shape[dim] = sizes[dim]
        grids.append(each.reshape(shape).expand(sizes))
    if swapped:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@operator("cartesian_prod(*tensors)", method=False)
def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of the elements of vectors, one row each.

    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    tensors = _spread(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    _check_tensors("cartesian_prod", tensors)
    for each in tensors:
        if each.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(each.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    grids = _f["stack"]([grid.flatten() for grid in meshgrid(*tensors, indexing="ij")], 1)
    return grids


@operator("combinations(input, r=2, with_replacement=False)", method=False)
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All combinations of r elements of a vector, in the order of itertools.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    import itertools

    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(len(input)), r))
    flat = _C.tensor([position for row in rows for position in row], dtype=_C.int64)
    return input.index_select(0, flat).view(len(rows), r)


@operator("block_diag(*tensors)", method=False)
def block_diag(*tensors: Any) -> Any:
    """Matrices along the diagonal of a matrix of zeros.

    >>> torch.block_diag(torch.ones(1, 1), torch.ones(1, 1))
    tensor([[1., 0.],
            [0., 1.]])
    """
    tensors = _spread(tensors)
    _check_tensors("block_diag", tensors)
    return _f["_block_diag"](tensors)


def _raised(name: str, tensors: tuple, raise_one: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return raise_one(tensors[0])
    tensors = _spread(tensors)
    _check_tensors(name, tensors)
    return tuple(raise_one(each) for each in tensors)


@operator("atleast_1d(*tensors)", method=False)
def atleast_1d(*tensors: Any) -> Any:
    """Tensors with at least one dimension.

    >>> torch.atleast_1d(torch.tensor(1))
    tensor([1])
    """
    return _raised("atleast_1d", tensors, lambda t: t.reshape(1) if t.ndim == 0 else t)


@operator("atleast_2d(*tensors)", method=False)
def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two dimensions; a vector is a row.

    >>> torch.atleast_2d(torch.tensor([1]))
    tensor([[1]])
    """

    def raise_one(t: Any) -> Any:
        return t.reshape(1, 1) if t.ndim == 0 else t.unsqueeze(0) if t.ndim == 1 else t

    return _raised("atleast_2d", tensors, raise_one)


@operator("atleast_3d(*tensors)", method=False)
def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three dimensions.

    >>> torch.atleast_3d(torch.tensor([1, 2])).shape
    torch.Size([1, 2, 1])
    """

    def raise_one(t: Any) -> Any:
        if t.ndim == 0:
            return t.reshape(1, 1, 1)
        return t.unsqueeze(0).unsqueeze(-1) if t.ndim == 1 else t.unsqueeze(-1) if t.ndim == 2 else t

    return _raised("atleast_3d", tensors, raise_one)


def _powers(x: Any, count: int) -> Any:
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    base = x if x.is_floating_point() else x.long()
    columns = [base.new_ones(base.shape)]
    while len(columns) < count:
        columns.append(columns[-1] * base)
    return _f["stack"](columns[:count], -1) if count else base.new_empty((*base.shape, 0))


@operator("vander(x, N=None, increasing=False)", method=False)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix: powers of a vector's elements, highest first unless ``increasing``.

    >>> torch.vander(torch.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    powers = _powers(x, len(x) if N is None else N)
    return powers if increasing else powers.flip(1)


@operator("linalg.vander(x, *, N=None)")
def linalg_vander(x: Any, *, N: int | None = None) -> Any:
    """Powers 0, 1, ... of the last dimension's elements, as a new last dimension.

    >>> torch.linalg.vander(torch.tensor([2, 3]))
    tensor([[1, 2],
            [1, 3]])
    """
    if N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    x = x.reshape(1) if x.ndim == 0 else x
    return _powers(x, x.shape[-1] if N is None else N)


@operator("unravel_index(indices, shape)", method=False, derivative="none")
def unravel_index(indices: Any, shape: Any) -> tuple:
    """The coordinates of flat positions in a tensor of the given shape.

    >>> torch.unravel_index(torch.tensor(5), (2, 3))
    (tensor(1), tensor(2))
    """
    if indices.is_floating_point() or indices.dtype == _C.tensor(True).dtype:
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    coordinates = []
    rest = indices.long()
    for size in reversed(sizes):
        coordinates.append(rest % size)
        rest = rest // size
    return tuple(reversed(coordinates))


@operator("allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)", derivative="none")
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: ``|input - other| <= atol + rtol * |other|``.

    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    close = _f["isclose"](input, other, rtol, atol, equal_nan)
    return _f["equal"](close, _f["ones_like"](close))
