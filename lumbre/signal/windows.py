"""``torch.signal.windows``: symmetric by default, periodic with ``sym=False`` (as spectra want them)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

import functools
import math

import lumbre as torch

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip


def _window(compute: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Checks what all windows share and makes the trivial ones; ``compute`` gets the length, dtype and ``sym``."""

    @functools.wraps(compute)
    def function(
        M: int,
        *,
        sym: bool = True,
        dtype: torch.dtype | None = None,
        layout: Any = torch.strided,
        device: Any = None,
        requires_grad: bool = False,
        **more: Any,
    ) -> torch.Tensor:
        dtype = dtype or torch.get_default_dtype()
        name = _CHECKED_AS.get(compute.__name__, compute.__name__)
        if name == "general_cosine":
            _check_coefficients(more.get("a"), compute.__name__)
        if M < 0:
            raise ValueError(f"{name} requires non-negative window length, got M={M}")
        if layout is not torch.strided:
            raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
        made = compute(M, sym=sym, dtype=dtype, **more) if M > 1 else torch.ones(M, dtype=dtype)
        made = made.to(device) if device is not None else made
        return made.requires_grad_() if requires_grad else made

    return function


# Windows that PyTorch makes of another one speak in its name.
_CHECKED_AS = dict.fromkeys(("blackman", "hann", "hamming", "nuttall", "general_hamming"), "general_cosine")


def _check_coefficients(a: Any, name: str) -> None:
    if name != "general_cosine":
        return
    if not isinstance(a, (tuple, list)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")


def _line(start: float, end: float, count: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.linspace(start, end, count, dtype=dtype)


@_window
def exponential(
    M: int, *, sym: bool, dtype: torch.dtype, center: float | None = None, tau: float = 1.0
) -> torch.Tensor:
    """exp(-|n - center| / tau). A center may be given to periodic windows only.

    >>> torch.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if center is None:
        center = (M if not sym else M - 1) / 2.0
    constant = 1 / tau
    return torch.exp(-torch.abs(_line(-center * constant, (-center + (M - 1)) * constant, M, dtype)))


@_window
def cosine(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """sin(pi (n + 1/2) / N).

    >>> torch.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """
    start = 0.5
    constant = math.pi / (M + 1 if not sym else M)
    return torch.sin(_line(start * constant, (start + (M - 1)) * constant, M, dtype))


@_window
def gaussian(M: int, *, sym: bool, dtype: torch.dtype, std: float = 1.0) -> torch.Tensor:
    """exp(-(n / (2 std)) ** 2), n counted from the middle.

    >>> torch.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    start = -(M if not sym else M - 1) / 2.0
    constant = 1 / (std * math.sqrt(2))
    return torch.exp(-(_line(start * constant, (start + (M - 1)) * constant, M, dtype) ** 2))


@_window
def kaiser(M: int, *, sym: bool, dtype: torch.dtype, beta: float = 12.0) -> torch.Tensor:
    """I0(beta sqrt(1 - x ** 2)) / I0(beta), x from -1 to 1, with the Bessel function I0.

    >>> torch.signal.windows.kaiser(3, beta=0.0)
    tensor([1., 1., 1.])
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    start = -beta
    constant = 2.0 * beta / (M if not sym else M - 1)
    end = min(beta, start + (M - 1) * constant)
    places = _line(start, end, M, dtype)
    scale = torch.tensor(float(beta), dtype=dtype)
    return torch.i0(torch.sqrt(scale * scale - places**2)) / torch.i0(scale)


def _cosines(M: int, a: Any, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """The sum of (-1) ** i a[i] cos(2 pi i n / N)."""
    constant = 2 * math.pi / (M if not sym else M - 1)
    places = _line(0, (M - 1) * constant, M, dtype)
    signed = torch.tensor([(-1) ** i * w for i, w in enumerate(a)], dtype=dtype)
    orders = torch.arange(len(a), dtype=dtype)
    return (signed.unsqueeze(-1) * torch.cos(orders.unsqueeze(-1) * places)).sum(0)


@_window
def general_cosine(M: int, *, sym: bool, dtype: torch.dtype, a: Any) -> torch.Tensor:
    """The sum of (-1) ** i a[i] cos(2 pi i n / N) over the coefficients.

    >>> torch.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    return _cosines(M, a, sym, dtype)


@_window
def general_hamming(M: int, *, sym: bool, dtype: torch.dtype, alpha: float = 0.54) -> torch.Tensor:
    """alpha - (1 - alpha) cos(2 pi n / N).

    >>> torch.signal.windows.general_hamming(3, alpha=0.5)
    tensor([0., 1., 0.])
    """
    return _cosines(M, [alpha, 1.0 - alpha], sym, dtype)


@_window
def hamming(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """0.54 - 0.46 cos(2 pi n / N).

    >>> torch.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return _cosines(M, [0.54, 0.46], sym, dtype)


@_window
def hann(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """(1 - cos(2 pi n / N)) / 2.

    >>> torch.signal.windows.hann(3)
    tensor([0., 1., 0.])
    """
    return _cosines(M, [0.5, 0.5], sym, dtype)


@_window
def blackman(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N).

    >>> torch.signal.windows.blackman(2).abs() < 1e-6
    tensor([True, True])
    """
    return _cosines(M, [0.42, 0.5, 0.08], sym, dtype)


@_window
def nuttall(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """Four cosines with Nuttall's coefficients.

    >>> torch.signal.windows.nuttall(3)
    tensor([3.6280e-04, 1.0000e+00, 3.6280e-04])
    """
    return _cosines(M, [0.3635819, 0.4891775, 0.1365995, 0.0106411], sym, dtype)


@_window
def bartlett(M: int, *, sym: bool, dtype: torch.dtype) -> torch.Tensor:
    """A triangle from 0 to 1 and back.

    >>> torch.signal.windows.bartlett(3)
    tensor([0., 1., 0.])
    """
    start = -1
    constant = 2 / (M if not sym else M - 1)
    return 1 - torch.abs(_line(start, start + (M - 1) * constant, M, dtype))
