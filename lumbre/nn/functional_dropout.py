"""Dropouts of whole channels and with kept moments, random activations, bags of embeddings."""

from __future__ import annotations

import math

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

Tensor = _C.Tensor


def _check(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _feature_noise(input: Tensor) -> Tensor:
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return input.new_empty((*input.shape[:2], *(1 for _ in input.shape[2:])))


def _channels(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    noise = _feature_noise(input).bernoulli_(1 - p).div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


@operator("nn.functional.dropout1d(input, p=0.5, training=True, inplace=False)", method=False)
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L).

    >>> torch.nn.functional.dropout1d(torch.ones(1, 1), training=False)
    tensor([[1.]])
    """
    _check(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that dropout1d exists to provide "
            "channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension "
            "(i.e. 2D or 3D inputs)."
        )
    single = input.dim() == 2
    result = _channels(input.unsqueeze(0) if single else input, p, training, inplace)
    return result.squeeze(0) if single else result


@operator("nn.functional.dropout2d(input, p=0.5, training=True, inplace=False)", method=False)
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, H, W).

    >>> torch.nn.functional.dropout2d(torch.ones(1, 1, 1, 1), training=False).item()
    1.0
    """
    _check(p)
    from warnings import warn

    if input.dim() not in (3, 4):
        warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and will result in an error in a "
            "future release. To retain the behavior and silence this warning, please use dropout instead. Note that dropout2d "
            "exists to provide channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an optional "
            "batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=3,
        )
    if input.dim() == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input "
            "is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to "
            "interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=3,
        )
    return _channels(input, p, training, inplace)


@operator("nn.functional.dropout3d(input, p=0.5, training=True, inplace=False)", method=False)
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W).

    >>> torch.nn.functional.dropout3d(torch.ones(1, 1, 1, 1, 1), training=False).item()
    1.0
    """
    _check(p)
    if input.dim() not in (4, 5):
        from warnings import warn

        warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and will result in an error in a "
            "future release. To retain the behavior and silence this warning, please use dropout instead. Note that dropout3d "
            "exists to provide channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an optional "
            "batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=3,
        )
    single = input.dim() == 4
    result = _channels(input.unsqueeze(0) if single else input, p, training, inplace)
    return result.squeeze(0) if single else result


def _alpha(input: Tensor, noise: Tensor, p: float, inplace: bool) -> Tensor:
    """Dropped elements take SELU's lowest value; mean and variance are kept (Klambauer et al. 2017)."""
    alpha = 1.7580993408473766
    a = 1.0 / math.sqrt((alpha * alpha * p + 1) * (1 - p))
    kept = noise.bernoulli_(1 - p)
    shift = (kept - 1).mul_(alpha * a).add_(alpha * a * p)
    kept = kept.mul_(a)
    return input.mul_(kept).add_(shift) if inplace else input * kept + shift


@operator("nn.functional.alpha_dropout(input, p=0.5, training=False, inplace=False)", method=False)
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps the mean and variance that SELU works with.

    >>> torch.nn.functional.alpha_dropout(torch.ones(1))
    tensor([1.])
    """
    _check(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    from lumbre import empty_like

    return _alpha(input, empty_like(input, requires_grad=False), p, inplace)


@operator("nn.functional.feature_alpha_dropout(input, p=0.5, training=False, inplace=False)", method=False)
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels.

    >>> torch.nn.functional.feature_alpha_dropout(torch.ones(1, 1))
    tensor([[1.]])
    """
    _check(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    return _alpha(input, _feature_noise(input), p, inplace)


@operator(
    "nn.functional.rrelu(input, lower=0.125, upper=0.3333333333333333, training=False, inplace=False)", method=False
)
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU with slopes drawn from [lower, upper] in training, and with their mean otherwise.

    >>> torch.nn.functional.rrelu(torch.tensor([2.]))
    tensor([2.])
    """
    from lumbre import where
    from lumbre.nn.functional import leaky_relu

    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = input.detach().new_ones(input.shape)
    below = input.detach() <= 0
    count = int(below.sum())
    if count:
        # Only elements that need a slope draw one, in order.
        slopes[below] = slopes.new_empty(count, dtype=_C.float64).uniform_(lower, upper).to(slopes.dtype)
    result = input * where(below, slopes, slopes.new_ones(()))
    return input.copy_(result) if inplace else result


@operator("nn.functional.glu(input, dim=-1)", method=False)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), for the two halves of a dimension (Dauphin et al. 2016).

    >>> torch.nn.functional.glu(torch.tensor([2., 0.]))
    tensor([1.])
    """
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    if input.size(dim) % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % input.dim()} is size {input.size(dim)}"
        )
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


@operator("nn.functional.gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1)", method=False)
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Samples of the Gumbel-softmax distribution (Jang et al. 2016); ``hard`` ones are one-hot, with soft gradients.

    >>> torch.nn.functional.gumbel_softmax(torch.zeros(3), hard=True).sum()
    tensor(1.)
    """
    from lumbre import empty_like, zeros_like

    if eps != 1e-10:
        from warnings import warn

        warn("`eps` parameter is deprecated and has no effect.", stacklevel=3)
    noise = -empty_like(logits, memory_format=_C.contiguous_format, requires_grad=False).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    chosen = soft.max(dim, keepdim=True)[1]
    one_hot = zeros_like(logits, memory_format=_C.contiguous_format, requires_grad=False).scatter_(dim, chosen, 1.0)
    return one_hot - soft.detach() + soft


@operator("nn.functional.bilinear(input1, input2, weight, bias=None)", method=False)
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1 @ weight[k] @ x2 + bias[k] for each output k.

    >>> torch.nn.functional.bilinear(torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, 2, 2))
    tensor([[4.]])
    """
    from lumbre import einsum

    if input1.dim() != input2.dim():
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}")
    for i in range(input1.dim() - 1):
        if input1.size(i) != input2.size(i):
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {i}: got {input1.size(i)} and {input2.size(i)}"
            )
    for i, x in ((1, input1), (2, input2)):
        if x.size(-1) != weight.size(i):
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {x.size(-1)} but expected {weight.size(i)}"
            )
    result = einsum("...i,oij,...j->...o", input1, weight, input2)
    return result if bias is None else result + bias


@operator("nn.functional.pdist(input, p=2)", method=False, aliases="pdist")
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances of all pairs of rows, each pair once.

    >>> torch.nn.functional.pdist(torch.tensor([[0.], [3.]]))
    tensor([3.])
    """
    from lumbre import triu_indices

    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    rows, columns = triu_indices(input.size(0), input.size(0), 1)
    from lumbre import linalg

    difference = input.index_select(0, rows) - input.index_select(0, columns)
    return linalg.vector_norm(difference, p, 1)


@operator(
    "nn.functional.embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, "
    "mode='mean', sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None)",
    method=False,
)
def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Sums, means or maxima of bags of rows of a table; bags are the rows of a 2-d input or start at offsets.

    >>> torch.nn.functional.embedding_bag(torch.tensor([[0, 1]]), torch.tensor([[1.], [3.]]))
    tensor([[2.]])
    """
    from lumbre import arange, cat, where
    from lumbre.nn.functional import embedding

    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same shape "
            f"as the input ({input.shape})"
        )
    even = input.dim() == 2 and input.numel() > 0  # bags of one size
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. "
                f"However, found offsets of type {type(offsets)}"
            )
        offsets = (
            arange(0, input.numel(), input.size(1), dtype=input.dtype)
            if input.size(1)
            else input.new_zeros(input.size(0))
        )
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
        include_last_offset = False
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum or mean")
    if mode == "max" and (scale_grad_by_freq or sparse):
        what = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {what}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
            f"mode='{mode}'). Please open a feature request on GitHub."
        )
    if padding_idx is not None:
        if not -weight.size(0) <= padding_idx < weight.size(0):
            raise AssertionError("padding_idx must be within the number of embeddings")
        padding_idx %= weight.size(0)
    starts = offsets.long()
    bags = starts.size(0) - 1 if include_last_offset else starts.size(0)
    if starts.numel() and int(starts[0]) != 0:
        raise RuntimeError(
            f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {int(starts[0])}"
        )
    if starts.numel() and int(starts[-1]) > input.size(0):
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length({input.size(0)}), but got offsets[-1] of {int(starts[-1])}"
        )
    ends = starts if include_last_offset else cat([starts, starts.new_full((1,), input.size(0))])
    lengths = ends[1:] - ends[:-1]
    which = arange(bags).repeat_interleave(lengths) if not even or mode == "max" or padding_idx is not None else input
    rows = embedding(input[: which.size(0)], weight, None, max_norm, norm_type, scale_grad_by_freq)
    if rows.dtype.itemsize == 2:
        rows = rows.float()  # sums of halves are kept in float32
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[: which.size(0)].unsqueeze(1).to(rows.dtype)
    kept = None
    if padding_idx is not None:
        kept = input[: which.size(0)] != padding_idx
        rows, which = rows[kept], which[kept]
    elif even and mode != "max":
        bags_of_rows = rows.reshape(bags, -1, weight.size(1))
        return (bags_of_rows.sum(1) if mode == "sum" else bags_of_rows.mean(1)).to(weight.dtype)
    counts = which.bincount(minlength=bags)
    if mode == "max":
        base = rows.new_zeros(bags, weight.size(1))
        place = which.unsqueeze(1).expand_as(rows)
        return base.scatter_reduce(0, place, rows, "amax", include_self=False).to(weight.dtype)
    total = rows.new_zeros(bags, weight.size(1)).index_add(0, which, rows)
    if mode == "sum":
        return total.to(weight.dtype)
    return (total / where(counts == 0, 1, counts).unsqueeze(1).to(total.dtype)).to(weight.dtype)
