"""``torch.fft``: frequencies and shifts; transforms have complex results, which Lumbre does not have yet."""

from __future__ import annotations

from lumbre import _C, _absent, _identity, _registry
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions
for _kind in ("fft", "ifft", "hfft", "ihfft", "rfft", "irfft"):
    for _name in (_kind, _kind + "2", _kind + "n"):
        globals()[_name] = _absent.refused_function(f"fft.{_name}", _absent.REASONS["complex"])
del _kind, _name


def _frequencies(name: str, count: int, n: Any, d: float, dtype: Any, device: Any) -> Tensor:
    dtype = dtype or _C.get_default_dtype()
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    made = _f["arange"](count, dtype=dtype, device=device)
    made[(n + 1) // 2 :] -= n if name == "fftfreq" else 0
    return made.mul_(1.0 / (n * d) if n * d else float("inf"))


def _checked(name: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"fft_{name}(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    return n


@operator(
    "fft.fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False)", derivative="none"
)
def fftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The frequencies of the terms of ``fft`` of ``n`` samples at distances ``d``, in its order.

    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    made = _frequencies("fftfreq", _checked("fftfreq", n), n, d, dtype, device)
    return made.requires_grad_(requires_grad)


@operator(
    "fft.rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False)", derivative="none"
)
def rfftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The frequencies of the terms of ``rfft`` of ``n`` samples at distances ``d``.

    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    made = _frequencies("rfftfreq", _checked("rfftfreq", n) // 2 + 1, n, d, dtype, device)
    return made.requires_grad_(requires_grad)


def _rolled(input: Tensor, dim: Any, shift: Any) -> Tensor:
    dims = tuple(range(input.dim())) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    return _f["roll"](input, tuple(shift(input.shape[each]) for each in dims), dims) if dims else input.clone()


@operator("fft.fftshift(input, dim=None)")
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The terms with the zero frequency in the middle.

    >>> torch.fft.fftshift(torch.tensor([0., 1., -2., -1.]))
    tensor([-2., -1.,  0.,  1.])
    """
    return _rolled(input, dim, lambda size: size // 2)


@operator("fft.ifftshift(input, dim=None)")
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """What ``fftshift`` did, undone.

    >>> torch.fft.ifftshift(torch.tensor([-2., -1., 0., 1.]))
    tensor([ 0.,  1., -2., -1.])
    """
    return _rolled(input, dim, lambda size: (size + 1) // 2)


globals().update(_registry.namespace("fft"))
__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module '{_identity.prefix()}fft' has no attribute '{name}'")
