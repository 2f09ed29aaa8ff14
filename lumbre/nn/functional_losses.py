"""The rarer losses, composed of operators; the common ones are the engine's."""

from __future__ import annotations

import math

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor
_f = _C._functions
_REDUCTION = "size_average=None, reduce=None, reduction='mean'"


def _warn(message: str) -> None:
    from warnings import warn

    warn(message, stacklevel=4)


def _chosen(size_average: Any, reduce: Any, reduction: str) -> str:
    if size_average is not None or reduce is not None:
        average = True if size_average is None else size_average
        reduction = "none" if reduce is not None and not reduce else "mean" if average else "sum"
        _warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduced(each: Tensor, reduction: str) -> Tensor:
    return each.mean() if reduction == "mean" else each.sum() if reduction == "sum" else each


@operator(
    "nn.functional.poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, "
    "reduction='mean')",
    method=False,
)
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None, eps: float = 1e-8,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The negative log-likelihood of counts under Poisson distributions of given (log-)rates.

    >>> torch.nn.functional.poisson_nll_loss(torch.tensor([0.]), torch.tensor([1.]))
    tensor(1.)
    """
    reduction = _chosen(size_average, reduce, reduction)
    each = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        each = each + stirling.masked_fill(target <= 1, 0)
    return _reduced(each, reduction)


@operator("nn.functional.gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction='mean')", method=False)
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """The negative log-likelihood of targets under normal distributions; variances below eps count as eps.

    >>> torch.nn.functional.gaussian_nll_loss(torch.zeros(1), torch.ones(1), torch.ones(1))
    tensor(0.5000)
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * input.new_ones(input.size())
    elif (var < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif input.size()[:-1] == var.size()[:-1] and var.size(-1) == 1:
            pass
        elif any(a != b and b != 1 for a, b in zip(input.shape, var.shape, strict=False)) or input.ndim != var.ndim:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    before = _C._set_grad_enabled(False)
    try:
        bounded = var.clone().clamp_(min=eps)
    finally:
        _C._set_grad_enabled(before)
    # Below the bound the value changes but the gradient passes, as if the bound were not there.
    var = var + (bounded - var.detach())
    each = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        each = each + 0.5 * math.log(2 * math.pi)
    return _reduced(each, reduction)


@operator(f"nn.functional.hinge_embedding_loss(input, target, margin=1.0, {_REDUCTION})", method=False)
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1.

    >>> torch.nn.functional.hinge_embedding_loss(torch.tensor([0.5]), torch.tensor([-1.]))
    tensor(0.5000)
    """
    reduction = _chosen(size_average, reduce, reduction)
    apart = (margin - input).clamp_min(0).masked_fill(target == 1, 0)
    same = input.masked_fill(target == -1, 0)
    return _reduced(apart + same, reduction)


@operator(f"nn.functional.soft_margin_loss(input, target, {_REDUCTION})", method=False)
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target * input)).

    >>> torch.nn.functional.soft_margin_loss(torch.zeros(1), torch.ones(1))
    tensor(0.6931)
    """
    reduction = _chosen(size_average, reduce, reduction)
    return _reduced((-target * input).exp().log1p(), reduction)


@operator(f"nn.functional.multilabel_soft_margin_loss(input, target, weight=None, {_REDUCTION})", method=False)
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of the binary cross entropy with logits.

    >>> torch.nn.functional.multilabel_soft_margin_loss(torch.zeros(1, 2), torch.ones(1, 2))
    tensor(0.6931)
    """
    from lumbre.nn.functional import logsigmoid

    reduction = _chosen(size_average, reduce, reduction)
    each = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        each = each * weight
    return _reduced(each.sum(input.dim() - 1) / input.size(input.dim() - 1), reduction)


@operator(f"nn.functional.cosine_embedding_loss(input1, input2, target, margin=0, {_REDUCTION})", method=False)
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    >>> torch.nn.functional.cosine_embedding_loss(torch.ones(1, 2), torch.ones(1, 2), torch.tensor([-1]))
    tensor(1.)
    """
    reduction = _chosen(size_average, reduce, reduction)
    dim = target.dim()
    if dim not in (0, 1):
        raise RuntimeError(
            f"0D or 1D target tensor expected, multi-target not supported, got target of size {list(target.shape)}"
        )
    if input1.dim() != dim + 1 or input2.dim() != dim + 1:
        kind = "1D target tensor expects 2D input tensors" if dim else "0D target tensor expects 1D input tensors"
        raise RuntimeError(f"{kind}, but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}.")
    tiny = 1e-12
    product = (input1 * input2).sum(dim)
    cosine = product / (((input1 * input1).sum(dim) + tiny) * ((input2 * input2).sum(dim) + tiny)).sqrt()
    same = (1 - cosine).masked_fill(target != 1, 0)
    apart = (cosine - margin).clamp_min(0).masked_fill(target != -1, 0)
    return _reduced(same + apart, reduction)


@operator(f"nn.functional.margin_ranking_loss(input1, input2, target, margin=0, {_REDUCTION})", method=False)
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, -target * (input1 - input2) + margin).

    >>> torch.nn.functional.margin_ranking_loss(torch.zeros(1), torch.ones(1), torch.ones(1))
    tensor(1.)
    """
    reduction = _chosen(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def _rows(input: Tensor, name: str) -> Tensor:
    if input.dim() > 2 or (input.dim() == 2 and input.size(1) == 0) or (input.dim() == 1 and input.size(0) == 0):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: " + str(list(input.shape))
        )
    return input if input.dim() == 2 else input.reshape(1, -1)


@operator(f"nn.functional.multi_margin_loss(input, target, p=1, margin=1.0, weight=None, {_REDUCTION})", method=False)
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Any = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over the other classes of max(0, margin - x[target] + x) ** p.

    >>> torch.nn.functional.multi_margin_loss(torch.tensor([[0., 1.]]), torch.tensor([0]))
    tensor(1.)
    """
    reduction = _chosen(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    rows = _rows(input, "multi_margin_loss")
    classes = target.reshape(-1)
    if target.dim() > 1 or classes.numel() != rows.size(0):
        raise RuntimeError(f"inconsistent target size, expected {[rows.size(0)]} but got {list(target.shape)}")
    if weight is not None and weight.numel() != rows.size(1):
        raise RuntimeError(f"inconsistent weight size, expected {rows.size(1)} but got {list(weight.shape)}")
    if classes.numel() and (int(classes.min()) < 0 or int(classes.max()) >= rows.size(1)):
        raise RuntimeError("target out of range")
    chosen = rows.gather(1, classes.unsqueeze(1))
    gaps = (margin - chosen + rows).clamp_min(0)
    each = gaps * gaps if p == 2 else gaps
    if weight is not None:
        each = each * weight[classes].unsqueeze(1)
    each = each.scatter(1, classes.unsqueeze(1), 0.0).sum(1) / rows.size(1)
    return _reduced(each.reshape(target.shape) if input.dim() == 2 else each[0], reduction)


@operator(f"nn.functional.multilabel_margin_loss(input, target, {_REDUCTION})", method=False)
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The hinge between every target class (listed until the first -1) and every other class, over the classes.

    >>> torch.nn.functional.multilabel_margin_loss(torch.tensor([[0., 1.]]), torch.tensor([[0, -1]]))
    tensor(1.)
    """
    reduction = _chosen(size_average, reduce, reduction)
    rows = _rows(input, "multilabel_margin_loss")
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    listed = target.reshape(rows.shape)
    count, classes = rows.shape
    if listed.numel() and (int(listed.min()) < -1 or int(listed.max()) >= classes):
        raise RuntimeError("target out of range")
    valid = (listed < 0).long().cumsum(1) == 0
    safe = listed.masked_fill(~valid, 0)
    is_target = rows.new_zeros(count, classes).scatter_add(1, safe, valid.to(rows.dtype)) > 0
    chosen = rows.gather(1, safe)
    gaps = (1 - chosen.unsqueeze(2) + rows.unsqueeze(1)).clamp_min(0)
    used = valid.unsqueeze(2) & ~is_target.unsqueeze(1)
    each = gaps.masked_fill(~used, 0).sum((1, 2)) / classes
    return _reduced(each if input.dim() == 2 else each[0], reduction)


def _check_triplet(name: str, reduction: str, margin: float) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


@operator(
    f"nn.functional.triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, {_REDUCTION})",
    method=False,
)
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with p-norm distances.

    >>> torch.nn.functional.triplet_margin_loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 2))
    tensor(1.)
    """
    from lumbre.nn.functional import pairwise_distance

    reduction = _chosen(size_average, reduce, reduction)
    _check_triplet("triplet_margin_loss", reduction, margin)
    if anchor.dim() != positive.dim() or positive.dim() != negative.dim():
        raise RuntimeError(
            f"The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
            f"{anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return _reduced((margin + near - far).clamp_min(0), reduction)


@operator(
    "nn.functional.triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, "
    "swap=False, reduction='mean')",
    method=False,
)
def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """triplet_margin_loss with a distance of one's own.

    >>> zero = torch.zeros(1, 2)
    >>> torch.nn.functional.triplet_margin_with_distance_loss(zero, zero, zero)
    tensor(1.)
    """
    from lumbre.nn.functional import pairwise_distance

    _check_triplet("triplet_margin_with_distance_loss", reduction, margin)
    distance = pairwise_distance if distance_function is None else distance_function
    if anchor.ndim != positive.ndim or positive.ndim != negative.ndim:
        raise RuntimeError(
            f"The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
            f"{anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return _reduced((margin + near - far).clamp_min(0), reduction)


@operator(
    "nn.functional.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', "
    "zero_infinity=False)",
    method=False,
)
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """The negative log-probability of sequences over all their alignments (Graves et al. 2006).

    ``log_probs`` is (T, N, C) or (T, C), ``targets`` (N, S) or all targets in a row; the recursion runs over all
    sequences of the batch at once.

    >>> torch.nn.functional.ctc_loss(torch.zeros(1, 1, 2), torch.tensor([[1]]), [1], [1])
    tensor(0.)
    """
    from lumbre import as_tensor, full

    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    length, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    inputs = as_tensor(input_lengths).reshape(-1).tolist()
    wanted = as_tensor(target_lengths).reshape(-1).tolist()
    if len(inputs) != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(wanted) != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    for steps in inputs:
        if not 0 <= steps <= length:
            raise RuntimeError(
                f"Expected input_lengths to have value at most {length}, but got value {steps} (while checking arguments for "
                "ctc_loss_cpu)"
            )
    most = max(wanted, default=0)
    if targets.dim() == 2 and not single and targets.size(0) == batch and targets.size(1) >= most:
        table = targets.long()
    else:
        table = full((batch, most), blank, dtype=_C.int64)
        flat = targets.long() if targets.dim() == 1 or single else None
        start = 0
        for i, count in enumerate(wanted):
            row = flat.reshape(-1)[start : start + count] if flat is not None else targets[i, :count].long()
            table[i, :count] = row
            start += count
    each = _f["_ctc_losses"](log_probs, table, as_tensor(inputs), as_tensor(wanted), blank, zero_infinity)
    if reduction == "mean":
        return (each / as_tensor(wanted, dtype=each.dtype).clamp_min(1)).mean()
    if reduction == "sum":
        return each.sum()
    return each[0] if single else each
