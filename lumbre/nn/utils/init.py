"""Modules without the cost of drawing their initial values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["skip_init"]


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """A module of a class whose parameters are left indeterminate; no random numbers are drawn.

    >>> torch.nn.utils.skip_init(torch.nn.Linear, 2, 3).weight.shape
    torch.Size([3, 2])
    """
    import inspect

    from lumbre import _C, _device
    from lumbre.nn.modules.module import Module

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    _device.check(kwargs.pop("device", "cpu"))
    # There is no device without memory here: the draws are made and taken back.
    state = _C.default_generator.get_state()
    try:
        made = module_cls(*args, **kwargs)
    finally:
        _C.default_generator.set_state(state)
    return made.to_empty(device="cpu")
