"""Gradients held against finite differences."""

from __future__ import annotations

from lumbre import _C
from lumbre.autograd._engine import grad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that is not what finite differences say."""


def _tensors(values: Any) -> tuple:
    return (values,) if isinstance(values, Tensor) else tuple(values)


def _outputs(function: Callable, inputs: tuple) -> list[Tensor]:
    return [one for one in _tensors(function(*inputs)) if isinstance(one, Tensor)]


def _numerical(function: Callable, inputs: tuple, x: Tensor, eps: float) -> list[Tensor]:
    """One Jacobian (elements of x by elements of the output) per output, by central differences."""
    flat = x.data.reshape(-1) if x.is_contiguous() else None
    before = _C._set_grad_enabled(False)
    try:
        rows: list[list[Tensor]] = []
        for i in range(x.numel()):
            place = flat[i] if flat is not None else _element(x.data, i)
            old = place.item()
            place.fill_(old + eps)
            high = [one.detach().clone() for one in _outputs(function, inputs)]
            place.fill_(old - eps)
            low = [one.detach().clone() for one in _outputs(function, inputs)]
            place.fill_(old)
            rows.append([(a - b).reshape(-1) / (2 * eps) for a, b in zip(high, low, strict=True)])
    finally:
        _C._set_grad_enabled(before)
    from lumbre import stack

    return [stack([row[k] for row in rows]) for k in range(len(rows[0]))] if rows else []


def _element(x: Tensor, i: int) -> Tensor:
    place = []
    for size in reversed(x.shape):
        place.append(i % size)
        i //= size
    return x[tuple(reversed(place))]


def _analytical(output: Tensor, x: Tensor) -> Tensor:
    from lumbre import stack, zeros_like

    columns = []
    for i in range(output.numel()):
        seed = zeros_like(output, memory_format=_C.contiguous_format)
        seed.view(-1)[i] = 1
        (found,) = grad([output], [x], [seed], retain_graph=True, allow_unused=True)
        columns.append((zeros_like(x) if found is None else found).reshape(-1))
    return stack(columns, 1) if columns else x.new_zeros(x.numel(), 0)


def gradcheck(
    func: Callable, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False, check_forward_ad: bool = False,
    check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of a function agree with central differences at the inputs (float64 tensors).

    Raises GradcheckError with both Jacobians where they differ, or gives False with ``raise_exception=False``.

    >>> x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.exp, (x,))
    True
    """
    if check_forward_ad or check_batched_grad or check_batched_forward_grad:
        raise NotImplementedError("Lumbre checks backward gradients only: it has no forward-mode differentiation")
    arguments = _tensors(inputs)
    wanted = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True."
        )
    for i, x in enumerate(arguments):
        if isinstance(x, Tensor) and x.requires_grad and x.dtype is not _C.float64:
            from warnings import warn

            warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will "
                "likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=2,
            )
    try:
        _check(func, arguments, wanted, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(function: Callable, arguments: tuple, wanted: list[Tensor], eps: float, atol: float, rtol: float) -> None:
    outputs = _outputs(function, arguments)
    for i, x in enumerate(wanted):
        numerical = _numerical(function, arguments, x, eps)
        for k, output in enumerate(outputs):
            if not output.is_floating_point() or not numerical:
                continue
            analytical = _analytical(output, x) if output.requires_grad else x.new_zeros(x.numel(), output.numel())
            if not numerical[k].to(analytical.dtype).allclose(analytical, rtol, atol):
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{numerical[k]}\n"
                    f"analytical:{analytical}\n"
                )


def gradgradcheck(
    func: Callable, inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """gradcheck of the gradients: whether second derivatives are right.

    >>> x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.exp, (x,))
    True
    """
    from lumbre import randn_like

    arguments = _tensors(inputs)
    outputs = [one for one in _outputs(func, arguments) if one.is_floating_point()]
    if grad_outputs is None:
        seeds = tuple(randn_like(one).requires_grad_() for one in outputs)
    else:
        seeds = _tensors(grad_outputs)
    wanted = [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*values: Any) -> tuple:
        own, weights = values[: len(arguments)], values[len(arguments) :]
        # Finite differences call this without recording; it differentiates all the same.
        before = _C._set_grad_enabled(True)
        try:
            results = [one for one in _outputs(func, own) if one.is_floating_point()]
            found = grad(results, [own[i] for i in wanted], weights, create_graph=True, allow_unused=True)
        finally:
            _C._set_grad_enabled(before)
        return tuple(one for one in found if one is not None)

    return gradcheck(
        gradients, (*arguments, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )  # fmt: skip
