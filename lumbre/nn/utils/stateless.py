"""Calling a module with other tensors in the places of its parameters and buffers."""

from __future__ import annotations

from contextlib import contextmanager

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Tensor = _C.Tensor
__all__ = ["functional_call"]


def _places(module: Any) -> dict[str, tuple[dict, str]]:
    """Where each parameter and buffer of a module stands: the table and the key, by dotted name."""
    found = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            for name, value in table.items():
                if value is not None:
                    found[f"{prefix}.{name}" if prefix else name] = (table, name)
    return found


def _with_ties(given: dict[str, Tensor], places: dict[str, tuple[dict, str]]) -> dict[str, Tensor]:
    """The given tensors also under the other names of the tensors that they stand for."""
    names: dict[int, list[str]] = {}
    for name, (table, key) in places.items():
        names.setdefault(id(table[key]), []).append(name)
    result = dict(given)
    for tied in names.values():
        values = [name for name in tied if name in given]
        if len(values) > 1 and any(given[name] is not given[values[0]] for name in values):
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(values)}, which are tied. Consider using "
                "tie_weights=False"
            )
        if values:
            result.update(dict.fromkeys(tied, given[values[0]]))
    return result


def _check_names(module: Any, given: dict[str, Tensor], places: dict[str, tuple[dict, str]]) -> None:
    text = ""
    for what, names in (
        ("Unexpected", [name for name in given if name not in places]),
        ("Missing", [name for name in places if name not in given]),
    ):
        if names:
            text += f"\n\t{what} key(s): {', '.join(map(repr, sorted(names)))}."
    if text:
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:{text}")


@contextmanager
def _reparametrize_module(
    module: Any, parameters_and_buffers: dict[str, Tensor], tie_weights: bool = False, strict: bool = False, **_: Any
) -> Iterator[None]:
    """Other tensors stand in the module inside the block; what the block put there is written back to the dictionary."""
    places = _places(module)
    given = _with_ties(parameters_and_buffers, places) if tie_weights else parameters_and_buffers
    if strict:
        _check_names(module, given, places)
    for value in given.values():
        if not isinstance(value, Tensor):
            raise TypeError(f"{value} is not an instance of torch.Tensor")
    swapped = [(name, *places[name]) for name in given if name in places]
    before = [table[key] for _, table, key in swapped]
    for name, table, key in swapped:
        table[key] = given[name]
    try:
        yield
    finally:
        for (name, table, key), old in zip(swapped, before, strict=True):
            if name in parameters_and_buffers:
                parameters_and_buffers[name] = table[key]
            table[key] = old


def functional_call(
    module: Any, parameters_and_buffers: dict[str, Tensor], args: Any = None, kwargs: dict[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """The module's result with other tensors in the places of its parameters and buffers; the module stays as it is.

    With ``tie_weights`` a tensor also replaces those that are the same object as its own; with ``strict`` the names must
    be all that the module has (RuntimeError).

    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> torch.nn.utils.stateless.functional_call(net, {"weight": torch.ones(1, 2)}, torch.tensor([[1., 2.]]))
    tensor([[3.]])
    """
    from warnings import warn

    warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future version "
        "of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def _functional_call(
    module: Any, parameters_and_buffers: dict[str, Tensor], args: Any = None, kwargs: dict[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*args, **({} if kwargs is None else kwargs))
