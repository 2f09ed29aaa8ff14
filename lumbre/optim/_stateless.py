"""Steps on parameters and states that are not the optimizer's own."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lumbre import Tensor
    from lumbre.optim.optimizer import Optimizer

_NAME = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Tensor], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Lets an optimizer work on other parameters (in its own order) with the state and settings of a ``state_dict()``.

    Its own come back at the end, also after an exception. Raises RuntimeError when it has made no step yet, or where the
    parameters, groups or settings given are not those that it has.

    >>> p, q = torch.ones(1, requires_grad=True), torch.zeros(1)
    >>> optimizer = torch.optim.SGD([p], lr=1., momentum=0.5)
    >>> p.grad = q.grad = torch.ones(1)
    >>> optimizer.step()
    >>> with torch.optim.swap_in_optimizer_params_and_state(optimizer, {"p": q}, optimizer.state_dict()):
    ...     optimizer.step()
    >>> q
    tensor([-1.5000])
    """
    if not optimizer.state:
        raise RuntimeError(f"{_NAME} requires initialized optimizer state.")
    groups = optimizer.param_groups
    substitutes = list(swapin_parameters.values())
    if len(substitutes) < sum(len(group["params"]) for group in groups):
        raise RuntimeError(f"{_NAME} requires the explicit parameter state to match optimizer.param_groups ordering.")
    entries = swapin_optim_state.get("state")
    if not isinstance(entries, dict):
        raise RuntimeError(
            f"{_NAME} requires swapin_optim_state['state'] to be a dict mapping packed parameter ids to per-param state dicts, "
            f"got {type(entries).__name__}."
        )
    given = swapin_optim_state.get("param_groups", [])
    _check_groups(groups, given)

    own_state, own_groups = optimizer.state, [dict(group) for group in groups]
    state: dict[Any, Any] = defaultdict(dict)
    at = 0
    try:
        for group, packed in zip(groups, given, strict=True):
            params = substitutes[at : at + len(group["params"])]
            at += len(params)
            for param, number in zip(params, packed["params"], strict=True):
                state[param] = dict(entries.get(number, {}))
            group.update(packed, params=params)
        optimizer.state = state
        yield
    finally:
        optimizer.state = own_state
        for group, own in zip(groups, own_groups, strict=True):
            group.clear()
            group.update(own)


def _check_groups(groups: list[dict[str, Any]], given: list[dict[str, Any]]) -> None:
    if len(groups) != len(given):
        raise RuntimeError("swapin_optim_state has a different number of parameter groups than the live optimizer.")
    for i, (group, packed) in enumerate(zip(groups, given, strict=True)):
        if len(group["params"]) != len(packed["params"]):
            raise RuntimeError(
                f"swapin_optim_state param group {i} has a different number of params than the live optimizer param group."
            )
        if group.keys() != packed.keys():
            raise RuntimeError(
                f"{_NAME} requires optimizer.state_dict()-style param group keys to exactly match the live optimizer group "
                f"keys for group {i}. Keys only in swap-in: {[key for key in packed if key not in group]}. Keys only in live: "
                f"{[key for key in group if key not in packed]}."
            )
