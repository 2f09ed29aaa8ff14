"""The functions of ``torch`` under those of ``torch.nn.functional``: as the layers of PyTorch call its engine.

They take every argument by position, say ``train`` for ``training`` and name a reduction by its number.
"""

from __future__ import annotations

from lumbre import _C
from lumbre._registry import functions, operator
from lumbre.nn import functional_dropout, functional_pooling, functional_vision
from lumbre.nn import functional_losses as _register_losses  # noqa: F401

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions
_names = globals()
_REDUCTIONS = ("none", "mean", "sum")


def _reduction(number: int) -> str:
    if not isinstance(number, int) or not 0 <= number < len(_REDUCTIONS):
        raise RuntimeError(f"reduction is 0 (none), 1 (mean) or 2 (sum), not {number!r}")
    return _REDUCTIONS[number]


# --- dropout ----------------------------------------------------------------------------------------------------------


def _drop(name: str, noise: str, in_place: bool) -> None:
    """Registers ``name(input, p, train)``, which drops by ``noise``."""
    channels = "feature" in noise

    def drop(input: Tensor, p: float, train: bool) -> Tensor:
        if not 0 <= p <= 1:
            raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
        if noise == "dropout":
            return _f["nn.functional.dropout"](input, p, train, in_place)
        if noise == "feature_dropout":
            return functional_dropout._channels(input, p, train, in_place)
        function = functional_dropout.feature_alpha_dropout if channels else functional_dropout.alpha_dropout
        return function(input, p, train, in_place)

    drop.__doc__ = f"""``torch.nn.functional`` calls this: {"whole channels" if channels else "elements"} are dropped with probability ``p`` in training.

    RuntimeError for a ``p`` outside [0, 1].

    >>> torch.{name}(torch.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    _names[name] = operator(f"{name}(input, p, train)", method=False)(drop)


for _noise in ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"):
    _drop(_noise, _noise, False)
    _drop(_noise + "_", _noise, True)


@operator("native_dropout(input, p, train)", method=False)
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """``torch.dropout`` and the mask of what was kept.

    >>> torch.native_dropout(torch.ones(2), 0.5, False)
    (tensor([1., 1.]), tensor([True, True]))
    """
    if train is False or p == 0 or input.numel() == 0:
        return input.clone(), input.new_ones(input.shape, dtype=_C.bool)
    if p == 1:
        return input * 0, input.new_zeros(input.shape, dtype=_C.bool)
    mask = input.detach().new_empty(input.shape).bernoulli_(1 - p)
    return input * mask / (1 - p), mask.bool()


@operator("rrelu(input, lower=0.125, upper=0.3333333333333333, training=False, generator=None)", method=False)
def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None
) -> Any:
    """Leaky ReLU with slopes drawn from [lower, upper] in training, and with their mean otherwise.

    >>> torch.rrelu(torch.tensor([2.]))
    tensor([2.])
    """
    if generator is not None:
        raise NotImplementedError("rrelu draws from the default generator only: torch.manual_seed sets its seed")
    return functional_dropout.rrelu(input, lower, upper, training)


# --- pooling ----------------------------------------------------------------------------------------------------------


def _max_pool(dims: int) -> None:
    pool, with_indices = (getattr(functional_pooling, f"max_pool{dims}d{suffix}") for suffix in ("", "_with_indices"))
    signature = "input, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False"
    ones = ", ".join(["1", *["2"] * dims])
    brackets = "[" * (dims + 1), "]" * (dims + 1)

    def max_pool(
        input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> Any:
        return pool(input, kernel_size, stride if stride != () else None, padding, dilation, ceil_mode)

    max_pool.__doc__ = f"""``torch.nn.functional.max_pool{dims}d`` without indices.

    >>> torch.max_pool{dims}d(torch.ones({ones}), 2)
    tensor({brackets[0]}1.{brackets[1]})
    """
    _names[f"max_pool{dims}d"] = operator(f"max_pool{dims}d({signature})", method=False)(max_pool)
    if dims > 1:
        return

    def max_pool_with_indices(
        input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> Any:
        return with_indices(input, kernel_size, stride if stride != () else None, padding, dilation, ceil_mode)

    max_pool_with_indices.__doc__ = f"""``torch.nn.functional.max_pool{dims}d`` with indices.

    >>> torch.max_pool{dims}d_with_indices(torch.ones({ones}), 2)
    (tensor({brackets[0]}1.{brackets[1]}), tensor({brackets[0]}0{brackets[1]}))
    """
    name = f"max_pool{dims}d_with_indices"
    _names[name] = operator(f"{name}({signature})", method=False)(max_pool_with_indices)


for _dims in (1, 2, 3):
    _max_pool(_dims)


@operator("adaptive_max_pool1d(input, output_size)", method=False)
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """The greatest element of each of ``output_size`` parts, and its place.

    >>> torch.adaptive_max_pool1d(torch.tensor([[1., 3., 2., 0.]]), 2)
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """
    return functional_pooling.adaptive_max_pool1d(input, output_size, True)


# --- sampling ---------------------------------------------------------------------------------------------------------

_INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _grid_sampler(name: str, rank: int | None) -> None:
    def sample(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
        if rank is not None and input.dim() != rank:
            raise RuntimeError(f"{name}(): expected input of {rank} dimensions, but got {input.dim()}")
        modes = _INTERPOLATIONS[interpolation_mode], _PADDINGS[padding_mode]
        return functional_vision.grid_sample(input, grid, *modes, align_corners)

    sample.__doc__ = f"""``torch.nn.functional.grid_sample`` with modes by number: {_INTERPOLATIONS}, {_PADDINGS}.

    >>> torch.{name}(torch.ones(1, 1, {"1, " * (rank == 5)}2, 2), torch.zeros(1, {"1, " * (rank == 5)}1, 1, {3 if rank == 5 else 2}), 0, 0, True).sum()
    tensor(1.)
    """
    signature = f"{name}(input, grid, interpolation_mode, padding_mode, align_corners)"
    _names[name] = operator(signature, method=False)(sample)


for _name, _rank in (("grid_sampler", None), ("grid_sampler_2d", 4), ("grid_sampler_3d", 5)):
    _grid_sampler(_name, _rank)


@operator("affine_grid_generator(theta, size, align_corners)", method=False)
def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """``torch.nn.functional.affine_grid`` without its checks.

    >>> torch.affine_grid_generator(torch.eye(2, 3)[None], (1, 1, 1, 1), False)
    tensor([[[[0., 0.]]]])
    """
    return functional_vision.affine_grid(theta, size, align_corners)


# --- normalization ----------------------------------------------------------------------------------------------------


def _float32_of_half(input: Tensor) -> Tensor:
    return (input.float() if input.dtype.itemsize == 2 else input).detach()


@operator("native_group_norm(input, weight, bias, N, C, HxW, group, eps)", method=False)
def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``torch.group_norm`` of (N, C, ...), the means and the reciprocals of the deviations, both (N, group).

    >>> torch.native_group_norm(torch.tensor([[1., 3.]]), None, None, 1, 2, 1, 1, 0.)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    result = _f["nn.functional.group_norm"](input, group, weight, bias, eps)
    values = (input.float() if input.dtype.itemsize == 2 else input).reshape(N, group, C // group * HxW)
    variance, mean = values.var(-1, correction=0), values.mean(-1)
    given = weight if weight is not None else bias
    kept = input.dtype if given is None else given.dtype
    return result, mean.to(kept), (variance + eps).rsqrt().to(kept)


def _batch_norm_with_statistics(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    values = _float32_of_half(input)
    dims = [dim for dim in range(input.dim()) if dim != 1]
    result = _f["nn.functional.batch_norm"](input, running_mean, running_var, weight, bias, training, momentum, eps)
    given = weight if weight is not None else bias
    kept = input.dtype if given is None else given.dtype
    if not training:
        return result, values.new_empty(0, dtype=kept), values.new_empty(0, dtype=kept)
    return result, values.mean(dims).to(kept), (values.var(dims, correction=0) + eps).rsqrt().to(kept)


@operator(
    "native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, *, out=None)",
    method=False,
)
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``torch.batch_norm``, and in training the means and the reciprocals of the deviations of the batch.

    >>> torch.native_batch_norm(torch.tensor([[1.], [3.]]), None, None, None, None, True, 0.1, 0.)
    (tensor([[-1.],
            [ 1.]]), tensor([2.]), tensor([1.]))
    """
    return _batch_norm_with_statistics(input, weight, bias, running_mean, running_var, training, momentum, eps)


@operator("_native_batch_norm_legit(input, weight, bias, *rest, **named)", method=False)
def _native_batch_norm_legit(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any, **named: Any
) -> Any:
    """``torch.native_batch_norm``, with or without running statistics before ``(training, momentum, eps)``.

    >>> torch._native_batch_norm_legit(torch.tensor([[1.], [3.]]), None, None, True, 0.1, 0.)[1]
    tensor([2.])
    """
    statistics = () if "running_mean" in named or len(rest) + len(named) > 3 else (None, None)
    return _batch_norm_with_statistics(input, weight, bias, *statistics, *rest, **named)


@operator("norm_except_dim(v, pow=2, dim=0)", method=False)
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all dimensions but ``dim`` (over all of them for -1), with sizes kept at 1.

    >>> torch.norm_except_dim(torch.tensor([[3., 4.], [0., 1.]]))
    tensor([[5.],
            [1.]])
    """
    if dim == -1:
        return v.norm(pow)
    others = [each for each in range(v.dim()) if each != dim]
    return v.norm(pow, others, keepdim=True) if others else v.norm(pow, (), keepdim=True)


# --- derivatives of softmax -------------------------------------------------------------------------------------------


@operator("_softmax_backward_data(grad_output, output, dim, input_dtype, *, out=None)", method=False)
def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: Any) -> Tensor:
    """The gradient of softmax, of its result and the gradient of that.

    >>> torch._softmax_backward_data(torch.tensor([1., 0.]), torch.tensor([0.5, 0.5]), 0, torch.float32)
    tensor([ 0.2500, -0.2500])
    """
    result = output.float() if output.dtype.itemsize == 2 else output
    scaled = grad_output * result
    return (scaled - result * scaled.sum(dim, keepdim=True)).to(input_dtype)


@operator("_log_softmax_backward_data(grad_output, output, dim, input_dtype, *, out=None)", method=False)
def _log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: Any) -> Tensor:
    """The gradient of log_softmax, of its result and the gradient of that.

    >>> torch._log_softmax_backward_data(torch.tensor([1., 0.]), torch.zeros(2), 0, torch.float32)
    tensor([ 0., -1.])
    """
    result, given = ((each.float() if each.dtype.itemsize == 2 else each) for each in (output, grad_output))
    return (given - result.exp() * given.sum(dim, keepdim=True)).to(input_dtype)


# --- losses -----------------------------------------------------------------------------------------------------------


def _loss(signature: str, example: str, value: str) -> None:
    """Registers ``torch.name`` for ``torch.nn.functional.name``: the same, but for the reduction's number."""
    name, _, parameters = signature.rstrip(")").partition("(")
    names = [each.partition("=")[0] for each in parameters.split(", ")]
    function = _f.get(f"nn.functional.{name}") or functions[f"nn.functional.{name}"]

    def loss(*args: Any, **named: Any) -> Any:
        if len(args) > len(names):
            raise TypeError(f"{name}() takes {len(names)} positional arguments but {len(args)} were given")
        given = {**dict(zip(names, args, strict=False)), **named}
        given["reduction"] = _reduction(given.get("reduction", 0))
        return function(**given)

    loss.__doc__ = f"""``torch.nn.functional.{name}`` with a reduction by number: {_REDUCTIONS}.

    >>> torch.{name}({example})
    tensor({value})
    """
    _names[name] = operator(signature, method=False)(loss)


for _signature, _example, _value in (
    (
        "binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0)",
        "torch.zeros(1), torch.ones(1), reduction=1", "0.6931",
    ),
    (
        "cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0)",
        "torch.ones(1, 2), torch.ones(1, 2), -torch.ones(1), reduction=1", "1.",
    ),
    ("hinge_embedding_loss(input, target, margin=1.0, reduction=0)", "torch.ones(1), torch.ones(1), reduction=1", "1."),
    ("kl_div(input, target, reduction=0, log_target=False)", "torch.zeros(1), torch.ones(1), reduction=2", "0."),
    (
        "margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0)",
        "torch.zeros(1), torch.ones(1), torch.ones(1), reduction=1", "1.",
    ),
    (
        "poisson_nll_loss(input, target, log_input, full, eps, reduction)",
        "torch.zeros(1), torch.ones(1), True, False, 1e-8, 1", "1.",
    ),
    (
        "triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-06, swap=False, reduction=0)",
        "torch.zeros(1, 1), torch.zeros(1, 1), torch.full((1, 1), 0.5), p=1, eps=0., reduction=1", "0.5000",
    ),
    (
        "ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False)",
        "torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.long), [1], [1], reduction=1", "0.6931",
    ),
):  # fmt: skip
    _loss(_signature, _example, _value)
