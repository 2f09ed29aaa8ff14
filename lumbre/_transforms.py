"""Functions of functions: gradients, Jacobians and products with them (``torch.func``).

They nest: an inner one records what an outer one needs. Forward-mode products are made by two backward passes: the product
of the transposed Jacobian with u is linear in u, and its own transposed Jacobian is the one asked for.
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
__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]


# --- structures of tensors --------------------------------------------------------------------------------------------


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    if isinstance(tree, (tuple, list)):
        return [leaf for value in tree for leaf in _leaves(value)]
    return [tree]


def structure(tree: Any) -> str:
    """A tree without its leaves, as PyTorch writes it."""
    if isinstance(tree, dict):
        kind, context, parts = "dict", str(list(tree)), list(tree.values())
    elif isinstance(tree, (tuple, list)):
        named = hasattr(tree, "_fields")
        kind, parts = "namedtuple" if named else type(tree).__name__, list(tree)
        context = type(tree).__name__ if named else "None"
    else:
        return "*"
    return f"TreeSpec({kind}, {context}, [{f',{chr(10)}  '.join(structure(part) for part in parts)}])"


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
        if not isinstance(value, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(value)}")
        if not value.is_floating_point():
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
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
    if not numbers:
        raise RuntimeError("argnums must be non-empty")
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
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        trees = [followed[i] for i in numbers]
        inputs = _leaves(trees)
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
    output, aux = _with_aux(func(*followed), has_aux, "vjp(f, *primals)")
    _check_outputs(output, "vjp(f, *primals)")
    inputs = _leaves(followed)

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


class _Linear:
    """What a function's tangents are made from: its inputs, its outputs and their gradients by a vector of seeds."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        from lumbre import zeros_like

        self.inputs, self.outputs = inputs, outputs
        self.seeds = [zeros_like(one).requires_grad_() for one in outputs]
        pairs = [(o, s) for o, s in zip(outputs, self.seeds, strict=True) if o.requires_grad]
        self.back: Any = (None,) * len(inputs)
        if pairs:
            ends, seeds = zip(*pairs, strict=True)
            self.back = _gradients(list(ends), inputs, list(seeds), create_graph=True, allow_unused=True)

    @property
    def constant(self) -> bool:
        return all(one is None for one in self.back)

    def product(self, directions: list[Tensor]) -> list[Tensor]:
        """The tangents of the outputs for tangents of the inputs."""
        reached = [(g, d) for g, d in zip(self.back, directions, strict=True) if g is not None and g.requires_grad]
        found: Any = (None,) * len(self.seeds)
        if reached:
            ends, weights = zip(*reached, strict=True)
            found = _gradients(list(ends), self.seeds, list(weights), create_graph=True, allow_unused=True)
        return _zeros_where_unused(found, self.seeds)


_JVP = "jvp(f, primals, tangents)"


def _with_aux(output: Any, has_aux: bool, where: str) -> tuple[Any, Any]:
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(f"{where}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return output


def _check_outputs(output: Any, where: str) -> None:
    for leaf in _leaves(output):
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{where}: expected f(*primals) to return only tensors, got unsupported type {type(leaf)}"
            )


def _check_primals(primals: Any, tangents: Any) -> None:
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    if structure(primals) != structure(tangents):
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple "
            f"of 3 tensors, tangents also must be. Got primals with structure {structure(primals)} and tangents with "
            f"structure {structure(tangents)}"
        )
    if not _leaves(primals):
        raise RuntimeError(f"{_JVP}: Expected primals to contain at least one Tensor.")
    for what, tree in (("Primal", primals), ("Tangent", tangents)):
        for leaf in _leaves(tree):
            if not isinstance(leaf, Tensor):
                raise RuntimeError(f"{_JVP}: Expected {what} to be tensors, got {type(leaf)}")
    for primal, tangent in zip(_leaves(primals), _leaves(tangents), strict=True):
        if not primal.is_floating_point():
            raise ValueError(f"Expected primal to be floating point or complex, but got: {primal.dtype}")
        if primal.shape != tangent.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                f"supported. Tensor is of size {list(primal.shape)} while the given forward gradient is of size "
                f"{list(tangent.shape)}."
            )


@_recording
def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> Any:
    """func(*primals), and the product of its Jacobian with the tangents, by two backward passes.

    >>> torch.func.jvp(torch.exp, (torch.zeros(1),), (torch.ones(1),))
    (tensor([1.]), tensor([1.]))
    """
    _check_primals(primals, tangents)
    followed = _followed(primals)
    output, aux = _with_aux(func(*followed), has_aux, _JVP)
    _check_outputs(output, _JVP)
    linear = _Linear(_leaves(followed), _leaves(output))
    if strict and linear.constant:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
            "with strict=True."
        )
    product = _filled(output, linear.product(_leaves(tangents)))
    value, product, aux = _plain((output, product, aux), (primals, tangents))
    return (value, product, aux) if has_aux else (value, product)


@_recording
def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """func(*primals), and a function that takes tangents through the Jacobian there, without computing func again.

    >>> value, push = torch.func.linearize(torch.exp, torch.zeros(1))
    >>> push(torch.ones(1))
    tensor([1.])
    """
    followed = _followed(primals)
    output = func(*followed)
    _check_outputs(output, "linearize(f, *primals)")
    linear = _Linear(_leaves(followed), _leaves(output))

    @_recording
    def push(*tangents: Any) -> Any:
        if structure(tangents) != structure(primals):
            raise RuntimeError(
                f"Expected the tangents {structure(tangents)} to have the same argspec as the primals {structure(primals)}"
            )
        for i, (primal, tangent) in enumerate(zip(_leaves(primals), _leaves(tangents), strict=True)):
            if tangent.shape != primal.shape:
                raise RuntimeError(
                    f"tangent:{i} with shape {tangent.shape} in flattened pytree doesn't match the shape {primal.shape} "
                    "of the corresponding primal."
                )
        return _plain(_filled(output, linear.product(_leaves(tangents))), (primals, tangents))

    return _plain(output, primals), push


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


def _jacobian(func: Callable, argnums: Any, has_aux: bool, where: str) -> Callable:
    @_recording
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = _chosen(args, argnums)
        if where == _JVP:
            for number in numbers:
                _check_primals((args[number],), (args[number],))
        followed = [_followed(arg) if i in numbers else arg for i, arg in enumerate(args)]
        output, aux = _with_aux(func(*followed, **kwargs), has_aux, where)
        _check_outputs(output, where)
        trees = [followed[i] for i in numbers]
        inputs = _leaves(trees)

        def block(one: Tensor) -> Any:
            filled = _filled(trees, _jacobian_rows(one, inputs))
            return tuple(filled) if isinstance(argnums, tuple) else filled[0]

        result, aux = _plain((_map(block, output), aux), args)
        return (result, aux) if has_aux else result

    return wrapped


def jacrev(func: Callable, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Callable:
    """A function that gives the Jacobian of ``func``, a backward pass per element of its result.

    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return _jacobian(func, argnums, has_aux, "vjp(f, *primals)")


def jacfwd(func: Callable, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """The same Jacobian as ``jacrev`` gives, and computed like it: one backward pass costs less here than one forward.

    >>> torch.func.jacfwd(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _jacobian(func, argnums, has_aux, _JVP)


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that gives the Hessian of ``func``.

    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.]))
    tensor([[6.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
