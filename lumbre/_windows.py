"""The window functions of ``torch`` itself; those of ``torch.signal.windows`` are symmetric by default."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import lumbre as torch

_NAMES = {
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "bool": "bool", "uint8": "unsigned char",
    "int8": "signed char", "int16": "short int", "int32": "int", "int64": "long int",
}  # fmt: skip


def _places(name: str, length: int, periodic: bool, dtype: Any) -> tuple[torch.Tensor | None, int, torch.dtype]:
    """0, 1, ... of the window (None when it has one place or none), the last of them, and the dtype."""
    dtype = dtype or torch.get_default_dtype()
    if not dtype.is_floating_point:
        kind = _NAMES[str(dtype).rpartition(".")[2]]
        raise RuntimeError(
            f"{name} expects floating point dtypes, got: TensorOptions(dtype={kind}, device=cpu, layout=Strided (default), "
            "requires_grad=false (default), pinned_memory=false, memory_format=(nullopt))"
        )
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    count = length + periodic
    return (None if length <= 1 else torch.arange(count, dtype=dtype)), count - 1, dtype


def _finished(made: torch.Tensor | None, length: int, dtype: torch.dtype, options: dict[str, Any]) -> torch.Tensor:
    """The first ``length`` places, with the options of a new tensor."""
    if options.get("layout") not in (None, torch.strided):
        raise NotImplementedError("a window has the strided layout")
    if made is None:
        return torch.ones(length, dtype=dtype, device=options.get("device"), requires_grad=options["requires_grad"])
    made = made.narrow(0, 0, length).to(options.get("device") or "cpu")
    return made.requires_grad_() if options["requires_grad"] else made


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> torch.Tensor:
    """alpha - beta cos(2 pi n / N), n = 0, 1, ...; N is the length, or one less when not periodic.

    >>> torch.hamming_window(3, periodic=False)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return _hamming("hamming_window", window_length, periodic, alpha, beta, dtype, layout, device, requires_grad)


def _hamming(
    name: str,
    length: int,
    periodic: bool,
    alpha: float,
    beta: float,
    dtype: torch.dtype | None,
    layout: Any,
    device: Any,
    requires_grad: bool,
) -> torch.Tensor:
    places, last, dtype = _places(name, length, periodic, dtype)
    made = None if places is None else places.mul_(torch.pi * 2.0 / last).cos_().mul_(-beta).add_(alpha)
    return _finished(made, length, dtype, {"layout": layout, "device": device, "requires_grad": requires_grad})


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> torch.Tensor:
    """(1 - cos(2 pi n / N)) / 2, n = 0, 1, ...; N is the length, or one less when not periodic.

    >>> torch.hann_window(3, periodic=False)
    tensor([0., 1., 0.])
    """
    return _hamming("hann_window", window_length, periodic, 0.5, 0.5, dtype, layout, device, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> torch.Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N).

    >>> torch.blackman_window(4).round(decimals=2)
    tensor([-0.0000, 0.3400, 1.0000, 0.3400])
    """
    places, last, dtype = _places("blackman_window", window_length, periodic, dtype)
    made = None
    if places is not None:
        angle = places.mul_(torch.pi / last)
        made = angle.mul(4).cos_().mul_(0.08).sub_(angle.mul(2).cos_().mul_(0.5)).add_(0.42)
    return _finished(made, window_length, dtype, {"layout": layout, "device": device, "requires_grad": requires_grad})


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> torch.Tensor:
    """A triangle: it rises from 0 to 1 in the middle and falls again.

    >>> torch.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    places, last, dtype = _places("bartlett_window", window_length, periodic, dtype)
    made = None
    if places is not None:
        made = places.mul_(2.0 / last)
        half = (last >> 1) + 1
        made.narrow(0, half, last + 1 - half).mul_(-1).add_(2)
    return _finished(made, window_length, dtype, {"layout": layout, "device": device, "requires_grad": requires_grad})


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> torch.Tensor:
    """I0(beta sqrt(1 - (2 n / N - 1) ** 2)) / I0(beta), with the Bessel function I0.

    >>> torch.kaiser_window(4, beta=0.0)
    tensor([1., 1., 1., 1.])
    """
    places, last, dtype = _places("kaiser_window", window_length, periodic, dtype)
    made = None
    if places is not None:
        inside = 1 - (places * (2.0 / last) - 1) ** 2
        scale = torch.i0(torch.tensor(float(beta), dtype=dtype))
        made = torch.i0(beta * torch.sqrt(inside.clamp(min=0))) / scale
    return _finished(made, window_length, dtype, {"layout": layout, "device": device, "requires_grad": requires_grad})
