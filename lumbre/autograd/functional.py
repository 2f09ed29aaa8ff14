"""Jacobians, Hessians and their products with vectors."""

from __future__ import annotations

from lumbre import _C
from lumbre.autograd._engine import grad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tuple(values: Any, what: str) -> tuple[bool, tuple[Tensor, ...]]:
    several = isinstance(values, tuple)
    members = values if several else (values,)
    for i, one in enumerate(members):
        if not isinstance(one, Tensor):
            where = f"the value at index {i} in {what}" if several else f"the {what}"
            raise TypeError(
                f"{what} given to the function must be either a Tensor or a tuple of Tensors but {where} has type {type(one)}."
            )
    return several, members


def _leaves(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    if create_graph:
        return tuple(one.view_as(one) if one.requires_grad else one.clone().requires_grad_() for one in inputs)
    return tuple(one.detach().requires_grad_() for one in inputs)


def _given(results: Any, several: bool) -> Any:
    return results if several else results[0]


def _finished(values: tuple, create_graph: bool) -> tuple:
    return values if create_graph else tuple(one.detach() for one in values)


def _gradients(outputs: Any, inputs: Any, seeds: Any, strict: bool, **kwargs: Any) -> tuple[Tensor, ...]:
    from lumbre import zeros_like

    pairs = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
    if strict and len(pairs) < len(tuple(outputs)):
        raise RuntimeError(
            "Output of the user-provided function is independent of the input. This is not allowed in strict mode."
        )
    if not pairs:
        return tuple(zeros_like(one) for one in inputs)
    found = grad([o for o, _ in pairs], inputs, [s for _, s in pairs], allow_unused=True, **kwargs)
    if strict and any(one is None for one in found):
        raise RuntimeError("An output of the function is independent of an input. This is not allowed in strict mode.")
    return tuple(zeros_like(x) if one is None else one for one, x in zip(found, inputs, strict=True))


def _weights(v: Any, like: tuple[Tensor, ...], what: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if the {what} is a single Tensor with one element")
        return (like[0].new_ones(like[0].shape),)
    _, members = _tuple(v, "v")
    if len(members) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(members)}.")
    for i, (one, x) in enumerate(zip(members, like, strict=True)):
        if one.shape != x.shape:
            raise RuntimeError(f"Entry {i} in v has invalid size: should be {x.size()} but got {one.size()}.")
    return members


def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """func(inputs) and the product of v with its Jacobian.

    >>> torch.autograd.functional.vjp(torch.exp, torch.zeros(1), torch.ones(1))
    (tensor([1.]), tensor([1.]))
    """
    with _recording():
        several, members = _tuple(inputs, "inputs")
        leaves = _leaves(members, create_graph)
        several_out, outputs = _tuple(func(*leaves), "outputs of the user-provided function")
        seeds = _weights(v, outputs, "user-provided function returns")
        found = _gradients(outputs, leaves, seeds, strict, create_graph=create_graph)
    return _given(_finished(outputs, create_graph), several_out), _given(_finished(found, create_graph), several)


def _recording() -> Any:
    from lumbre import enable_grad

    return enable_grad()


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """func(inputs) and the product of its Jacobian with v, by the derivative of vjp with respect to its vector.

    >>> torch.autograd.functional.jvp(torch.exp, torch.zeros(1), torch.ones(1))
    (tensor([1.]), tensor([1.]))
    """
    from lumbre import zeros_like

    with _recording():
        _, members = _tuple(inputs, "inputs")
        direction = _weights(v, members, "input to the user-provided function")
        leaves = _leaves(members, create_graph)
        several_out, outputs = _tuple(func(*leaves), "outputs of the user-provided function")
        seeds = tuple(zeros_like(one, requires_grad=True) for one in outputs)
        found = _gradients(outputs, leaves, seeds, strict, create_graph=True)
        tangents = _gradients(found, seeds, direction, False, create_graph=create_graph)
    return _given(_finished(outputs, create_graph), several_out), _given(_finished(tangents, create_graph), several_out)


def _check_forward(strategy: str, vectorize: bool) -> None:
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )


def jacobian(
    func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian: for output and input tensors, a tensor of the output's and the input's sizes together.

    >>> torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    from lumbre import stack, zeros_like

    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    _check_forward(strategy, vectorize)
    with _recording():
        several, members = _tuple(inputs, "inputs")
        leaves = _leaves(members, create_graph)
        several_out, outputs = _tuple(func(*leaves), "outputs of the user-provided function")
        blocks = []
        for output in outputs:
            rows = []
            for i in range(output.numel()):
                seed = zeros_like(output, memory_format=_C.contiguous_format)
                seed.view(-1)[i] = 1
                rows.append(
                    _gradients((output,), leaves, (seed,), strict, retain_graph=True, create_graph=create_graph)
                )
            block = tuple(
                stack(list(column)).view(output.shape + x.shape) if rows else x.new_zeros(output.shape + x.shape)
                for column, x in zip(zip(*rows, strict=True) if rows else [()] * len(leaves), leaves, strict=True)
            )
            blocks.append(_given(_finished(block, create_graph), several))
    return _given(tuple(blocks), several_out)


def _scalar(func: Callable, leaves: tuple) -> Tensor:
    value = func(*leaves)
    if isinstance(value, tuple):
        if len(value) != 1:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        value = value[0]
    if not isinstance(value, Tensor):
        raise RuntimeError("The function given to hessian should return a single Tensor")
    if value.numel() != 1:
        raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
    return value.squeeze()


def hessian(
    func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Hessian of a function with one element.

    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    _check_forward(outer_jacobian_strategy, vectorize)

    def gradient(*values: Tensor) -> Any:
        found = _gradients((_scalar(func, values),), values, (None,), strict, create_graph=True)
        return found if isinstance(inputs, tuple) else found[0]

    return jacobian(gradient, inputs, create_graph, strict)


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """func(inputs) and the product of v with the Hessian."""
    with _recording():
        several, members = _tuple(inputs, "inputs")
        weights = _weights(v, members, "input to the user-provided function")
        leaves = _leaves(members, create_graph)
        value = _scalar(func, leaves)
        found = _gradients((value,), leaves, (None,), strict, create_graph=True)
        products = _gradients(found, leaves, weights, False, create_graph=create_graph)
    return _finished((value,), create_graph)[0], _given(_finished(products, create_graph), several)


def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """func(inputs) and the product of the Hessian with v, which is the same: the Hessian is symmetric."""
    return vhp(func, inputs, v, create_graph, strict)
