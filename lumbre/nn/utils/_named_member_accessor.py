"""``torch.nn.utils._named_member_accessor``: parameters and buffers put in the places of others."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["set_tensor", "swap_tensor"]
_MISSING: Any = object()


def swap_tensor(module: Any, name: str, tensor: Any, allow_missing: bool = False) -> Any:
    """Puts a tensor, or what stands for one, in the place of a module's parameter, buffer or attribute; returns what
    was there.

    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> old = swap_tensor(layer, "weight", torch.ones(1, 1))
    >>> layer(torch.tensor([2.])), type(old)
    (tensor([2.]), <class 'torch.nn.parameter.Parameter'>)
    """
    if "." in name:
        raise KeyError('tensor name can\'t contain "."')
    if name == "":
        raise KeyError('tensor name can\'t be empty string ""')
    table = next((one for one in (module._parameters, module._buffers) if name in one), None)
    if table is not None:
        old = table[name]
        if tensor is _MISSING:
            del table[name]
        else:
            table[name] = tensor
        return old
    old = getattr(module, name, _MISSING)
    if old is _MISSING and not allow_missing:
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    if old is not _MISSING and not isinstance(old, _C.Tensor):
        raise TypeError(f"attribute `{name}`: {old} is not an instance of torch.Tensor")
    if tensor is not _MISSING:
        setattr(module, name, tensor)
    return old


def set_tensor(module: Any, name: str, tensor: Any) -> None:
    """The same without giving back what was there."""
    swap_tensor(module, name, tensor, allow_missing=True)
