"""backward and grad: the ways into the engine."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

Tensor = _C.Tensor


def _tensors(value: Any) -> tuple[Tensor, ...]:
    if isinstance(value, Tensor):
        return (value,)
    return tuple(value)


def _gradients(value: Any, count: int) -> tuple[Tensor | None, ...]:
    if value is None:
        return (None,) * count
    if isinstance(value, Tensor):
        return (value,)
    return tuple(value)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds the gradients of tensors by the leaves they were computed from to the leaves' ``grad``.

    ``grad_tensors`` are the gradients of the tensors themselves, of the same shapes; None serves for a tensor of one
    element. ``inputs`` limits the leaves. Raises RuntimeError where a tensor has no graph or its graph was freed.

    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> torch.autograd.backward((x * x).sum()); x.grad
    tensor([2., 4.])
    """
    if grad_variables is not None:
        from warnings import warn

        warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    if inputs is not None:
        inputs = _tensors(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    roots = _tensors(tensors)
    if retain_graph is None:
        retain_graph = create_graph
    given = _gradients(grad_tensors, len(roots))
    _C._run_backward(roots, given, bool(retain_graph), bool(create_graph), inputs or (), inputs is not None)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs' sum, weighted by ``grad_outputs``, by each of the inputs.

    An input that the outputs do not depend on is an error unless ``allow_unused`` (None in its place) or
    ``materialize_grads`` (zeros in its place). With ``is_grads_batched`` the first dimension of ``grad_outputs`` counts
    vectors, each of which is taken through the graph.

    >>> x = torch.tensor(3., requires_grad=True)
    >>> torch.autograd.grad(x ** 3, x)
    (tensor(27.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    if not only_inputs:
        from warnings import warn

        warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
            "parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    roots, wanted = _tensors(outputs), _tensors(inputs)
    given = _gradients(grad_outputs, len(roots))
    if retain_graph is None:
        retain_graph = create_graph
    if is_grads_batched:
        return _batched(roots, wanted, given, create_graph, bool(allow_unused or materialize_grads), materialize_grads)
    found = _C._run_backward(roots, given, bool(retain_graph), bool(create_graph), wanted, False)
    return _checked(found, wanted, bool(allow_unused or materialize_grads), materialize_grads)


def _checked(found: Any, wanted: Any, allow_unused: bool, materialize: bool) -> tuple[Tensor | None, ...]:
    if not allow_unused:
        for i, one in enumerate(found):
            if one is None:
                raise RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior."
                )
    if materialize:
        from lumbre import zeros_like

        return tuple(zeros_like(x) if g is None else g for g, x in zip(found, wanted, strict=True))
    return found


def _batched(roots: Any, wanted: Any, given: Any, create: bool, allow_unused: bool, materialize: bool) -> Any:
    from lumbre import stack

    sizes = {one.shape[0] for one in given if one is not None}
    if len(sizes) != 1:
        raise RuntimeError("is_grads_batched=True needs grad_outputs of one batch size")
    rows = [
        _checked(
            _C._run_backward(
                roots, tuple(None if one is None else one[i] for one in given), True, create, wanted, False
            ),
            wanted,
            allow_unused,
            materialize,
        )
        for i in range(sizes.pop())
    ]
    return tuple(None if column[0] is None else stack(column) for column in zip(*rows, strict=True))
