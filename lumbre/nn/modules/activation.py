"""Activations."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn import functional as F
from lumbre.nn.modules._settings import SettingsModule
from lumbre.nn.modules.attention import MultiheadAttention as MultiheadAttention  # where PyTorch's pickles look
from lumbre.nn.modules.module import Module
from lumbre.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip

_INPLACE = ("inplace", False)
_required = SettingsModule.required


class Threshold(SettingsModule):
    """The elements above ``threshold``, and ``value`` for the others."""

    settings = (("threshold", _required), ("value", _required), _INPLACE)

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)


class ReLU(SettingsModule):
    """The elements above 0, and 0 for the others.

    >>> torch.nn.ReLU()(torch.tensor([-1., 2.]))
    tensor([0., 2.])
    """

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return _relu(input, self.inplace)


_relu = F.relu


class RReLU(SettingsModule):
    """Leaky ReLU whose slope is drawn from [lower, upper] in training, and their mean in evaluation."""

    settings = (("lower", 1.0 / 8), ("upper", 1.0 / 3), _INPLACE)

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardtanh(Module):
    """Each element moved into [min_val, max_val]."""

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                from warnings import warn

                warn(f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """Each element moved into [0, 6]."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class _Plain(Module):
    """An element-wise function without settings; arguments are accepted and ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()


class Sigmoid(_Plain):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        return _sigmoid(input)


class Tanh(_Plain):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        return _tanh(input)


_sigmoid = _C._functions["sigmoid"]
_tanh = _C._functions["tanh"]


class LogSigmoid(_Plain):
    """log(sigmoid(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(_Plain):
    """x / (1 + abs(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(_Plain):
    """x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Hardsigmoid(SettingsModule):
    """x / 6 + 1 / 2, moved into [0, 1]."""

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardswish(SettingsModule):
    """x * hardsigmoid(x)."""

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class SiLU(SettingsModule):
    """x * sigmoid(x)."""

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, inplace=self.inplace)


class Mish(SettingsModule):
    """x * tanh(softplus(x))."""

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, inplace=self.inplace)


class ELU(SettingsModule):
    """The elements above 0, and alpha * (exp(x) - 1) for the others."""

    settings = (("alpha", 1.0), _INPLACE)

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(SettingsModule):
    """The elements above 0, and alpha * (exp(x / alpha) - 1) for the others."""

    settings = (("alpha", 1.0), _INPLACE)

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class SELU(SettingsModule):
    """ELU with the two constants that keep mean 0 and variance 1 from layer to layer."""

    settings = (_INPLACE,)

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class GLU(SettingsModule):
    """a * sigmoid(b), for the two halves of a dimension."""

    settings = (("dim", -1),)

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)


class GELU(SettingsModule):
    """x times the normal distribution function of x.

    >>> torch.nn.GELU()(torch.tensor([0.]))
    tensor([0.])
    """

    settings = (("approximate", "none"),)

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Hardshrink(SettingsModule):
    """Each element, but 0 in [-lambd, lambd]."""

    settings = (("lambd", 0.5),)

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(SettingsModule):
    """Each element moved towards 0 by lambd."""

    settings = (("lambd", 0.5),)

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class LeakyReLU(SettingsModule):
    """The elements above 0, and negative_slope * x for the others."""

    settings = (("negative_slope", 1e-2), _INPLACE)

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class Softplus(SettingsModule):
    """log(1 + exp(beta * x)) / beta, and x where beta * x is above the threshold."""

    settings = (("beta", 1.0), ("threshold", 20.0))

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


class PReLU(Module):
    """The elements above 0, and weight * x for the others; the weight is learned.

    >>> torch.nn.PReLU()(torch.tensor([-4., 1.])).detach()
    tensor([-1.,  1.])
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        from lumbre import empty

        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight becomes ``init``."""
        from lumbre.nn.init import constant_

        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class _AlongDim(SettingsModule):
    settings = (("dim", None),)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) over its sum along a dimension.

    >>> torch.nn.Softmax(dim=0)(torch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """softmax(-x)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """log(softmax(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
