"""Functions of functions: gradients, Jacobians and maps over a batch (``torch.func``).

Gradients nest: an inner one records what an outer one needs. ``vmap`` runs the function once per member of the batch
and stacks the results, so that every operator can be mapped, at the cost of a loop.
"""

from __future__ import annotations

from functools import wraps

from lumbre import _C
from lumbre.autograd._engine import grad as _gradients

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp", "vmap"]


# --- structures of tensors --------------------------------------------------------------------------------------------


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    if isinstance(tree, (tuple, list)):
        return [leaf for value in tree for leaf in _leaves(value)]
    return [tree]


def _map(function: Callable, tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _map(function, value) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        values = [_map(function, value) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)
    return function(tree)


def _filled(tree: Any, values: Any) -> Any:
    """The structure of a tree with other leaves, taken in order."""
    values = iter(values)
    return _map(lambda _: next(values), tree)


def _followed(tree: Any) -> Any:
    """Tensors that require gradients and still belong to the graph of an outer transform."""

    def one(value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()

    return _map(one, tree)


def _recording(function: Callable) -> Callable:
    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before = _C._set_grad_enabled(True)
        try:
            return function(*args, **kwargs)
        finally:
            _C._set_grad_enabled(before)

    return wrapped


def _zeros_where_unused(found: Any, inputs: list[Tensor]) -> list[Tensor]:
    from lumbre import zeros_like

    return [zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _plain(tree: Any, outer: Any) -> Any:
    """Results that no outer transform follows forget their history."""
    if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in _leaves(outer)):
        return tree
    return _map(lambda value: value.detach() if isinstance(value, Tensor) else value, tree)


# --- gradients --------------------------------------------------------------------------------------------------------


def _chosen(args: tuple, argnums: Any) -> tuple[int, ...]:
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise RuntimeError(f"Got argnum={number}, but only {len(args)} positional inputs")
    return tuple(number % len(args) for number in numbers)


def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of ``func`` (of one element) and its value.

    >>> torch.func.grad_and_value(lambda x: (x * x).sum())(torch.tensor([3.]))
    (tensor([6.]), tensor(9.))
    """

    @_recording
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = _chosen(args, argnums)
        followed = [_followed(arg) if i in numbers else arg for i, arg in enumerate(args)]
        output = func(*followed, **kwargs)
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(
                    "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            output, aux = output
        if not isinstance(output, Tensor):
            raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
        if output.dim() != 0:
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with "
                f"{output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        trees = [followed[i] for i in numbers]
        inputs = [leaf for leaf in _leaves(trees) if isinstance(leaf, Tensor)]
        if output.requires_grad:
            found = _gradients(output, inputs, create_graph=True, allow_unused=True)
        else:
            found = (None,) * len(inputs)
        gradient = _filled(trees, _zeros_where_unused(found, inputs))
        gradient = tuple(gradient) if isinstance(argnums, tuple) else gradient[0]
        gradient, output, aux = _plain((gradient, output, aux), args)
        return (gradient, (output, aux)) if has_aux else (gradient, output)

    return wrapped


def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of ``func`` (of one element) by its arguments ``argnums``.

    >>> torch.func.grad(torch.sin)(torch.tensor(0.))
    tensor(1.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


@_recording
def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """func(*primals), and a function that takes a vector through the Jacobian's transpose.

    >>> value, pull = torch.func.vjp(torch.exp, torch.zeros(1))
    >>> pull(torch.ones(1))
    (tensor([1.]),)
    """
    followed = _followed(primals)
    output = func(*followed)
    aux = None
    if has_aux:
        output, aux = output
    inputs = [leaf for leaf in _leaves(followed) if isinstance(leaf, Tensor)]

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        tree = cotangents[0] if not isinstance(output, tuple) or len(cotangents) == 1 else cotangents
        pairs = [
            (o, c)
            for o, c in zip(_leaves(output), _leaves(tree), strict=True)
            if isinstance(o, Tensor) and o.requires_grad
        ]
        found: Any = (None,) * len(inputs)
        if pairs:
            before = _C._set_grad_enabled(True)
            try:
                found = _gradients(
                    [o for o, _ in pairs], inputs, [c for _, c in pairs], create_graph=True, allow_unused=True
                )
            finally:
                _C._set_grad_enabled(before)
        return _plain(_filled(followed, _zeros_where_unused(found, inputs)), (primals, cotangents))

    value = _plain(output, primals)
    return (value, pull, aux) if has_aux else (value, pull)


@_recording
def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> Any:
    """func(*primals), and the product of its Jacobian with the tangents, by two backward passes.

    >>> torch.func.jvp(torch.exp, (torch.zeros(1),), (torch.ones(1),))
    (tensor([1.]), tensor([1.]))
    """
    from lumbre import zeros_like

    followed = _followed(primals)
    output = func(*followed)
    aux = None
    if has_aux:
        output, aux = output
    inputs = [leaf for leaf in _leaves(followed) if isinstance(leaf, Tensor)]
    outputs = _leaves(output)
    seeds = [zeros_like(one).requires_grad_() for one in outputs]
    pairs = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
    directions = [leaf for leaf in _leaves(tangents) if isinstance(leaf, Tensor)]
    products: Any = [zeros_like(one) for one in outputs]
    if pairs:
        back = _gradients([o for o, _ in pairs], inputs, [s for _, s in pairs], create_graph=True, allow_unused=True)
        reached = [(g, d) for g, d in zip(back, directions, strict=True) if g is not None and g.requires_grad]
        if reached:
            found = _gradients(
                [g for g, _ in reached], seeds, [d for _, d in reached], create_graph=True, allow_unused=True
            )
            products = _zeros_where_unused(found, seeds)
    value, product = _plain((output, _filled(output, products)), (primals, tangents))
    return (value, product, aux) if has_aux else (value, product)


def _jacobian_rows(output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    from lumbre import stack, zeros_like

    rows = []
    for i in range(output.numel()):
        seed = zeros_like(output, memory_format=_C.contiguous_format, requires_grad=False)
        seed.view(-1)[i] = 1
        found: Any = (None,) * len(inputs)
        if output.requires_grad:
            found = _gradients(output, inputs, seed, create_graph=True, allow_unused=True)
        rows.append(_zeros_where_unused(found, inputs))
    return [
        stack([row[k] for row in rows]).reshape(output.shape + x.shape) if rows else x.new_zeros(output.shape + x.shape)
        for k, x in enumerate(inputs)
    ]


def jacrev(func: Callable, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Callable:
    """A function that gives the Jacobian of ``func``, a backward pass per element of its result.

    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    @_recording
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = _chosen(args, argnums)
        followed = [_followed(arg) if i in numbers else arg for i, arg in enumerate(args)]
        output = func(*followed, **kwargs)
        aux = None
        if has_aux:
            output, aux = output
        trees = [followed[i] for i in numbers]
        inputs = [leaf for leaf in _leaves(trees) if isinstance(leaf, Tensor)]

        def block(one: Tensor) -> Any:
            filled = _filled(trees, _jacobian_rows(one, inputs))
            return tuple(filled) if isinstance(argnums, tuple) else filled[0]

        result, aux = _plain((_map(block, output), aux), args)
        return (result, aux) if has_aux else result

    return wrapped


def jacfwd(func: Callable, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """The Jacobian, as ``jacrev`` computes it: there is no forward-mode differentiation."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that gives the Hessian of ``func``.

    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.]))
    tensor([[6.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


# --- batches ----------------------------------------------------------------------------------------------------------


def _spread(dims: Any, tree: Any, name: str) -> list[tuple[Any, Any]]:
    """(leaf, dimension) for each leaf: one dimension may serve for a whole structure."""
    if dims is None or isinstance(dims, int):
        return [(leaf, dims if isinstance(leaf, Tensor) else None) for leaf in _leaves(tree)]
    if isinstance(tree, dict):
        return [pair for key in tree for pair in _spread(dims[key], tree[key], name)]
    if not isinstance(tree, (tuple, list)) or len(dims) != len(tree):
        raise ValueError(
            f"vmap({name}, in_dims={dims}, ...)(<inputs>): in_dims is not compatible with the structure of `inputs`."
        )
    return [pair for d, part in zip(dims, tree, strict=True) for pair in _spread(d, part, name)]


def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """A function that maps ``func`` over a dimension of its arguments and stacks the results.

    ``in_dims`` names the dimension of each argument (None: the same for all), ``out_dims`` that of each result.

    >>> torch.func.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    name = getattr(func, "__name__", repr(func))

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        pairs = _spread(in_dims, args, name)
        keyed = [(leaf, 0 if isinstance(leaf, Tensor) else None) for leaf in _leaves(kwargs)]
        sizes = {leaf.size(dim) for leaf, dim in pairs + keyed if dim is not None}
        if not sizes:
            raise ValueError(f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): at least one input must be mapped over")
        if len(sizes) > 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                f"{[leaf.size(dim) for leaf, dim in pairs + keyed if dim is not None]} for the mapped dimension"
            )
        count = sizes.pop()
        results = []
        for i in range(count):
            own = _filled(args, [leaf if dim is None else leaf.select(dim, i) for leaf, dim in pairs])
            named = _filled(kwargs, [leaf if dim is None else leaf.select(dim, i) for leaf, dim in keyed])
            results.append(func(*own, **named))
        if not results:
            raise RuntimeError("vmap over a dimension of size 0 is not supported")
        return _stacked(results, out_dims)

    return wrapped


def _stacked(results: list[Any], out_dims: Any) -> Any:
    from lumbre import stack

    dims = [dim for _, dim in _spread(out_dims, results[0], "func")]
    columns = zip(*(_leaves(result) for result in results), strict=True)
    made = []
    for column, dim in zip(columns, dims, strict=True):
        if not isinstance(column[0], Tensor):
            raise ValueError(f"vmap: the function must return Tensors, got {type(column[0])}")
        made.append(column[0] if dim is None else stack(list(column), dim))
    return _filled(results[0], made)
