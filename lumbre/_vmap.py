"""``vmap``: a function mapped over a dimension of its arguments.

The function runs once per member of the batch and the results are stacked, so that every operator, every module and every
other transform can be mapped, at the cost of a loop.
"""

from __future__ import annotations

from functools import wraps

from lumbre import _C
from lumbre._transforms import _filled, _leaves, _map, structure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = ["vmap"]


def _is_node(value: Any) -> bool:
    return isinstance(value, (tuple, list, dict))


def _broadcast(dims: Any, tree: Any) -> list[Any] | None:
    """A dimension for each leaf of a tree, from a structure of which one leaf may serve for many; None: they differ."""
    if not _is_node(dims):
        return [dims] * len(_leaves(tree))
    if type(dims) is not type(tree) or len(dims) != len(tree):
        return None
    if isinstance(dims, dict):
        if dims.keys() != tree.keys():
            return None
        parts = [(dims[key], tree[key]) for key in tree]
    else:
        parts = list(zip(dims, tree, strict=True))
    found = []
    for part in parts:
        below = _broadcast(*part)
        if below is None:
            return None
        found += below
    return found


def _mapped_dims(in_dims: Any, args: tuple, name: str) -> list[Any]:
    """The mapped dimension of each leaf of the arguments, counted from the front, or None."""
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) tuple "
            f"matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>):"
    dims = _broadcast(in_dims, args)
    if dims is None:
        raise ValueError(
            f"{where} in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{structure(in_dims)} but inputs has structure {structure(args)}."
        )
    found: list[int | None] = []
    for dim, leaf in zip(dims, _leaves(args), strict=True):
        if dim is None:
            found.append(None)
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{where} Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{where} Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -leaf.dim() <= dim < leaf.dim():
            raise ValueError(
                f"{where} Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {leaf.dim()} so "
                f"expected in_dim to satisfy -{leaf.dim()} <= in_dim < {leaf.dim()}."
            )
        found.append(dim % leaf.dim())
    return found


class _Draws:
    """How the members of a batch draw: not at all, each its own, or all the same."""

    def __init__(self, randomness: str) -> None:
        self.randomness = randomness
        self.first = True
        self.state = None if randomness == "different" else _C.default_generator.get_state()

    def before(self) -> None:
        if self.randomness == "same" and not self.first:
            _C.default_generator.set_state(self.state)
        self.first = False

    def after(self) -> None:
        if self.randomness == "error" and not _C.default_generator.get_state().equal(self.state):
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )


def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """A function that maps ``func`` over a dimension of its arguments and stacks the results.

    ``in_dims`` names the dimension of each positional argument (None: the same for all), in a structure like theirs of
    which one number may stand for many; ``out_dims`` that of each result. Named arguments are the same for all.
    ``randomness`` says whether members may draw random numbers: 'error', 'different' or 'same' ones. ``chunk_size`` changes
    nothing: members are computed one by one.

    >>> torch.func.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        dims, leaves = _mapped_dims(in_dims, args, name), _leaves(args)
        sizes = [leaf.size(dim) for dim, leaf in zip(dims, leaves, strict=True) if dim is not None]
        if not sizes:
            raise ValueError("vmap: Expected at least one Tensor to vmap over")
        if len(set(sizes)) > 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
                "mapped dimension"
            )

        def member(pick: Callable) -> Any:
            own = [leaf if dim is None else pick(leaf, dim) for dim, leaf in zip(dims, leaves, strict=True)]
            return func(*_filled(args, own), **kwargs)

        draws = _Draws(randomness)
        if not sizes[0]:
            return _of_nothing(member(_nothing), out_dims, name)
        results = []
        for i in range(sizes[0]):
            draws.before()
            results.append(member(lambda leaf, dim, i=i: leaf.select(dim, i)))
            if i == 0:
                draws.after()
        return _stacked(results, out_dims, name)

    return wrapped


def _nothing(leaf: Tensor, dim: int) -> Tensor:
    """What stands for a member of an empty batch: its results tell the sizes."""
    return leaf.new_zeros([size for d, size in enumerate(leaf.shape) if d != dim])


def _result_dims(result: Any, out_dims: Any, name: str) -> list[Any]:
    if not (out_dims is None or isinstance(out_dims, int) or _is_node(out_dims)):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
            "representing where in the outputs the vmapped dimension should appear."
        )
    dims = _broadcast(out_dims, result)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {structure(out_dims)} but outputs has structure {structure(result)}."
        )
    for dim, leaf in zip(dims, _leaves(result), strict=True):
        if dim is not None and not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(leaf)}. Did you mean to set "
                "out_dims= to None for output?"
            )
    return dims


def _same(values: tuple) -> bool:
    first = values[0]
    if not isinstance(first, Tensor):
        return True
    return all(one is first or (one.shape == first.shape and one.detach().equal(first.detach())) for one in values[1:])


def _stacked(results: list[Any], out_dims: Any, name: str) -> Any:
    from lumbre import stack

    dims = _result_dims(results[0], out_dims, name)
    made = []
    for column, dim in zip(zip(*(_leaves(result) for result in results), strict=True), dims, strict=True):
        if dim is None and not _same(column):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        made.append(column[0] if dim is None else stack(list(column), dim))
    return _filled(results[0], made)


def _of_nothing(result: Any, out_dims: Any, name: str) -> Any:
    dims = iter(_result_dims(result, out_dims, name))

    def emptied(leaf: Any) -> Any:
        dim = next(dims)
        return leaf if dim is None else leaf.unsqueeze(dim).narrow(dim, 0, 0)

    return _map(emptied, result)
