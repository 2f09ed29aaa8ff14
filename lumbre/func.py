"""``torch.func``: modules as functions of their parameters. gradients, Jacobians and maps over a batch."""

from __future__ import annotations

from collections.abc import Sequence

from lumbre import _C, _identity
from lumbre._transforms import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from lumbre._vmap import vmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "stack_module_state",
    "vjp", "vmap",
]  # fmt: skip


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: dict[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """The module's result with other tensors in the places of its parameters and buffers; the module stays as it is.

    Several dictionaries may be given, without common names. With ``tie_weights`` a tensor also replaces those that are the
    same object as its own; with ``strict`` the names must be all that the module has (RuntimeError).

    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(net, {"weight": torch.ones(1, 2)}, torch.tensor([[1., 2.]]))
    tensor([[3.]])
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        if not isinstance(given, Sequence):
            raise ValueError(
                f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}"
            )
        if not all(isinstance(one, dict) for one in given):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for one in given for name in one]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        given = {name: value for one in given for name, value in one.items()}
    from lumbre.nn.utils import stateless

    return stateless._functional_call(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one kind, each stacked along a new first dimension.

    >>> params, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(5)])
    >>> params["weight"].shape
    torch.Size([5, 3, 2])
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    from lumbre import stack

    def stacked(tables: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        made = {}
        for name, first in tables[0].items():
            value = stack([table[name].detach() for table in tables])
            made[name] = value.requires_grad_(first.requires_grad) if first.is_leaf else value
        return made

    return (
        stacked([dict(model.named_parameters()) for model in models]),
        stacked([dict(model.named_buffers()) for model in models]),
    )


def __getattr__(name: str) -> object:
    raise AttributeError(f"module '{_identity.prefix()}func' has no attribute '{name}'")
