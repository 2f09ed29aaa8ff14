"""Normalisation: of channels over a batch, of each sample's channels, groups or last dimensions.

Half types are computed in float32, as in PyTorch; the results have the input's dtype.
"""

from __future__ import annotations

from math import prod

from lumbre import _C, no_grad
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_pad = _C._functions["nn.functional.pad"]
_KINDS = {
    _C.int64: "Long",
    _C.int32: "Int",
    _C.int16: "Short",
    _C.int8: "Char",
    _C.uint8: "Byte",
    _C.bool: "Bool",
    _C.float64: "Double",
    _C.float32: "Float",
    _C.float16: "Half",
    _C.bfloat16: "BFloat16",
}


def _computed(input: Tensor, name: str, others: tuple[Tensor | None, ...]) -> Tensor:
    """The input in the dtype of computation; refuses dtypes that do not go together."""
    dtype = input.dtype
    if not dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}\" not implemented for '{_KINDS[dtype]}'")
    half = dtype.itemsize == 2
    for other in others:
        if other is None or other.dtype is dtype or (half and other.dtype is _C.float32):
            continue
        if half or other.dtype.itemsize > dtype.itemsize:
            expected = "Float" if half else _KINDS[dtype]
            raise RuntimeError(f"mixed dtype (CPU): expect parameter to have scalar type of {expected}")
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")
    return input.float() if half else input


def _standardised(input: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The input less its mean over its deviation, and mean and (biased) variance with the dimensions kept."""
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    variance = (centred * centred).mean(dims, keepdim=True)
    return centred * (variance + eps).rsqrt(), mean, variance


def _scaled(input: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...] | None) -> Tensor:
    """The input times weight plus bias, both seen as ``shape``."""
    if weight is not None:
        input = input * (weight if shape is None else weight.reshape(shape))
    if bias is not None:
        input = input + (bias if shape is None else bias.reshape(shape))
    return input


def _check_channels(channels: int, parts: dict[str, Tensor | None]) -> None:
    for name, part in parts.items():
        if part is not None and part.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {part.numel()}")


def _record(running: Tensor | None, found: Tensor, momentum: float) -> None:
    """Moves a running statistic towards the one that was found."""
    if running is not None:
        with no_grad():
            running.copy_(running * (1 - momentum) + found.detach().reshape(running.shape) * momentum)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    if not training:
        for name, part in (("running_mean", running_mean), ("running_var", running_var)):
            if part is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    channels = input.size(1) if input.dim() > 1 else 0
    parts = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _check_channels(channels, parts)
    values = _computed(input, "batch_norm", tuple(parts.values()))
    if input.dim() < 2 and input.numel() == 0:
        return input.clone()
    shape = (1, channels) + (1,) * (input.dim() - 2)
    if not training:
        shift, deviation = running_mean.reshape(shape), (running_var.reshape(shape) + eps).rsqrt()
        return _scaled((values - shift) * deviation, weight, bias, shape).to(input.dtype)
    dims = (0, *range(2, input.dim()))
    values, mean, variance = _standardised(values, dims, eps)
    count = input.numel() // channels if channels else 0
    if count:
        _record(running_mean, mean, momentum)
        _record(running_var, variance * (count / (count - 1)) if count > 1 else variance, momentum)
    return _scaled(values, weight, bias, shape).to(input.dtype)


@operator(
    "nn.functional.batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, "
    "eps=1e-05)",
    method=False,
)
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalises each channel of (N, C, ...) over all else, then scales and shifts it.

    With ``training`` by the batch's own statistics, which move the running ones in place by ``momentum``; otherwise by
    the running ones. Floating-point dtypes. ValueError where a channel has one value in training, RuntimeError where
    sizes do not fit.

    >>> torch.nn.functional.batch_norm(torch.tensor([[1.], [3.]]), torch.zeros(1), torch.ones(1), eps=0.)
    tensor([[1.],
            [3.]])
    """
    if training:
        count = input.size(0) * prod(input.shape[2:])
        if count == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.size()}")
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    batch, channels = input.size(0), input.size(1)
    # PyTorch's messages count the channels of all samples, which it normalises as one batch.
    for name, part in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if part is not None and part.numel() != channels:
            raise RuntimeError(f"{name} should contain {batch * channels} elements not {batch * part.numel()}")
    values = _computed(input, "batch_norm", (running_mean, running_var, weight, bias))
    shape = (1, channels) + (1,) * (input.dim() - 2)
    if not use_input_stats:
        shift, deviation = running_mean.reshape(shape), (running_var.reshape(shape) + eps).rsqrt()
        return _scaled((values - shift) * deviation, weight, bias, shape).to(input.dtype)
    dims = tuple(range(2, input.dim()))
    values, mean, variance = _standardised(values, dims, eps)
    count = prod(input.shape[2:])
    if batch and count:
        _record(running_mean, mean.mean(0), momentum)
        _record(running_var, variance.mean(0) * (count / max(count - 1, 1)), momentum)
    return _scaled(values, weight, bias, shape).to(input.dtype)


@operator(
    "nn.functional.instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, "
    "use_input_stats=True, momentum=0.1, eps=1e-05)",
    method=False,
)
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalises each channel of each sample of (N, C, ...), then scales and shifts the channels.

    Running statistics, where given, move by ``momentum`` towards the samples' average; they are used instead of the
    sample's own where ``use_input_stats`` is False. ValueError where a channel has one element.

    >>> torch.nn.functional.instance_norm(torch.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    if use_input_stats and prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.size()}")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    return _instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def _check_normalized(input: Tensor, shape: Any, parts: dict[str, Tensor | None], name: str, between: str) -> tuple:
    if isinstance(shape, int):
        raise TypeError(f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int")
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            "but got normalized_shape = []"
        )
    for each, part in parts.items():
        if part is not None and tuple(part.shape) != shape:
            raise RuntimeError(
                f"Expected {each} to be of same shape as normalized_shape, but got {each} of shape "
                f"{list(part.shape)} and normalized_shape = {list(shape)}"
            )
    if tuple(input.shape[-len(shape) :]) != shape:
        sizes = ", ".join(map(str, shape))
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{between}{sizes}], "
            f"but got input of size{list(input.shape)}"
        )
    return shape


@operator("nn.functional.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)", method=False)
def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalises the last dimensions, whose sizes are ``normalized_shape``, then scales and shifts each element.

    Floating-point dtypes; weight and bias have the shape ``normalized_shape``. RuntimeError where sizes do not fit.

    >>> torch.nn.functional.layer_norm(torch.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    shape = _check_normalized(input, normalized_shape, {"weight": weight, "bias": bias}, "layer_norm", ", ")
    values = _computed(input, "LayerNormKernelImpl", (weight, bias))
    values = _standardised(values, tuple(range(-len(shape), 0)), eps)[0]
    return _scaled(values, weight, bias, None).to(input.dtype)


@operator("nn.functional.rms_norm(input, normalized_shape, weight=None, eps=None)", method=False, aliases="rms_norm")
def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """Divides the last dimensions, whose sizes are ``normalized_shape``, by the root of their mean square.

    ``eps`` is that of the dtype of computation by default. RuntimeError where sizes do not fit.

    >>> torch.nn.functional.rms_norm(torch.tensor([[3., 3.]]), (2,), eps=0.0)
    tensor([[1., 1.]])
    """
    shape = _check_normalized(input, normalized_shape, {"weight": weight}, "rms_norm", "")
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"rms_norm\" not implemented for '{_KINDS[input.dtype]}'")
    values = input.float() if input.dtype.itemsize == 2 else input
    if eps is None:
        eps = 2.0**-52 if values.dtype is _C.float64 else 2.0**-23
    squares = (values * values).mean(tuple(range(-len(shape), 0)), keepdim=True)
    return _scaled(values * (squares + eps).rsqrt(), weight, None, None).to(input.dtype)


def _group_norm(input: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    batch, channels = input.size(0), input.size(1)
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, "
            f"but got input of shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, part in (("weight", weight), ("bias", bias)):
        if part is not None and tuple(part.shape) != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(part.shape)} and input of shape {list(input.shape)}"
            )
    values = _computed(input, "GroupNormKernelImpl", (weight, bias))
    if input.numel():
        values = _standardised(values.reshape(batch, num_groups, -1), (2,), eps)[0].view(input.shape)
    return _scaled(values, weight, bias, (1, channels) + (1,) * (input.dim() - 2)).to(input.dtype)


@operator("nn.functional.group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)", method=False)
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalises each of ``num_groups`` groups of the channels of (N, C, ...), then scales and shifts the channels.

    ValueError where a group has one element, RuntimeError where sizes do not fit.

    >>> torch.nn.functional.group_norm(torch.tensor([[1., 3.]]), 1)
    tensor([[-1.0000,  1.0000]])
    """
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    sizes = [input.size(0) * input.size(1) // num_groups, num_groups, *input.shape[2:]]
    if sizes[0] * prod(sizes[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {sizes}")
    return _group_norm(input, num_groups, weight, bias, eps)


@operator("nn.functional.local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)", method=False)
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divides each element of (N, C, ...) by ``(k + alpha * mean of squares) ** beta`` over ``size`` channels.

    ValueError for fewer than three dimensions.

    >>> torch.nn.functional.local_response_norm(torch.ones(1, 1, 1), 1, alpha=1., beta=1.)
    tensor([[[0.5000]]])
    """
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    channels = input.size(1)
    floating = input.dtype.is_floating_point
    squares = _pad(input * input, (0, 0) * (input.dim() - 2) + (size // 2, (size - 1) // 2))
    total = squares.narrow(1, 0, channels)
    for offset in range(1, size):
        total = total + squares.narrow(1, offset, channels)
    # Whole numbers are averaged as whole numbers.
    average = total / size if floating else total // size
    return input / (average * alpha + k) ** beta
