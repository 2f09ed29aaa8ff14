"""Parts of a network computed again in the backward pass instead of kept."""

from __future__ import annotations

from lumbre import _C
from lumbre.autograd.function import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
__all__ = ["checkpoint", "checkpoint_sequential"]


class _Checkpoint(Function):
    @staticmethod
    def forward(ctx: Any, function: Callable, keep_random: bool, kwargs: dict, places: list, *tensors: Tensor) -> Any:
        from lumbre import get_rng_state

        ctx.function, ctx.kwargs, ctx.places = function, kwargs, places
        ctx.random = get_rng_state() if keep_random else None
        ctx.save_for_backward(*tensors)
        return function(*_filled(places, tensors), **kwargs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        from lumbre import autograd, enable_grad, get_rng_state, set_rng_state

        leaves = [t.detach().requires_grad_(t.requires_grad) for t in ctx.saved_tensors]
        now = get_rng_state() if ctx.random is not None else None
        if ctx.random is not None:
            set_rng_state(ctx.random)
        try:
            with enable_grad():
                results = ctx.function(*_filled(ctx.places, leaves), **ctx.kwargs)
        finally:
            if now is not None:
                set_rng_state(now)
        results = (results,) if isinstance(results, Tensor) else results
        pairs = [(r, g) for r, g in zip(results, gradients, strict=True) if isinstance(r, Tensor) and r.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        autograd.backward([r for r, _ in pairs], [g for _, g in pairs])
        return (None, None, None, None, *(leaf.grad for leaf in leaves))


def _filled(places: list, tensors: Any) -> list:
    """The arguments with their tensors put back."""
    given = iter(tensors)
    return [next(given) if is_tensor else value for is_tensor, value in places]


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, context_fn: Any = None,
    determinism_check: str = "default", debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """function(*args), whose inner results are not kept but computed again, with the same random draws, in backward.

    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.utils.checkpoint.checkpoint(torch.exp, x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([2.7183, 2.7183])
    """
    keep_random = kwargs.pop("preserve_rng_state", True)
    if use_reentrant is None:
        from warnings import warn

        warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling "
            "checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
            "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
            "differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        places = [(isinstance(one, Tensor), None if isinstance(one, Tensor) else one) for one in args]
        return _Checkpoint.apply(
            function, keep_random, kwargs, places, *[one for one in args if isinstance(one, Tensor)]
        )
    return _without_reentry(function, args, kwargs, keep_random)


def _without_reentry(function: Callable, args: tuple, kwargs: dict, keep_random: bool) -> Any:
    """Saved tensors are replaced by their numbers; the first that is needed runs the function once more for all."""
    from lumbre import get_rng_state, set_rng_state
    from lumbre.autograd.graph import saved_tensors_hooks

    random = get_rng_state() if keep_random else None
    count = 0
    again: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> int:
        nonlocal count
        count += 1
        return count - 1

    def unpack(number: int) -> Tensor:
        if number not in again:
            recompute()
        return again.pop(number)

    def recompute() -> None:
        from lumbre import enable_grad

        seen = 0

        def keep(tensor: Tensor) -> Tensor:
            nonlocal seen
            again[seen] = tensor.detach() if tensor.grad_fn is not None else tensor
            seen += 1
            return tensor

        now = get_rng_state() if random is not None else None
        if random is not None:
            set_rng_state(random)
        try:
            with enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor):
                function(*args, **kwargs)
        finally:
            if now is not None:
                set_rng_state(now)
        if seen != count:
            raise RuntimeError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {count}\nNumber of tensors saved during "
                f"recomputation: {seen}."
            )

    with saved_tensors_hooks(pack, unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A sequence of modules in checkpointed segments (the last one is kept)."""
    from lumbre.nn import Sequential

    modules = list(functions.children()) if isinstance(functions, Sequential) else list(functions)
    size = len(modules) // segments

    def run(start: int, end: int) -> Callable:
        def forward(value: Any) -> Any:
            for i in range(start, end):
                value = modules[i](value)
            return value

        return forward

    start = 0
    for start_at in range(0, size * (segments - 1), size):
        input = checkpoint(run(start_at, start_at + size), input, use_reentrant=use_reentrant, **kwargs)
        start = start_at + size
    return run(start, len(modules))(input)


def get_device_states(*args: Any) -> tuple[list, list]:
    """The devices of the arguments that have generators of their own, and their states: there are none.

    >>> torch.utils.checkpoint.get_device_states(torch.ones(1))
    ([], [])
    """
    return [], []


def set_device_states(devices: Any, states: Any, *, device_type: str | None = None) -> None:
    """Puts back what ``get_device_states`` gave: nothing."""
