"""Cross entropy of a linear layer's results, without holding all of them."""

from __future__ import annotations

from math import prod

from lumbre import _C
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor


def _check(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    if input.dim() < 1 or input.dim() > 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    outputs = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise RuntimeError(f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}")
    if len(outputs) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, (N, "
            f"{input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )


@operator(
    "nn.functional.linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction='mean', "
    "ignore_index=None, label_smoothing=0.0, options=None)",
    method=False,
)
def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None, weight: Tensor | None = None,
    reduction: str = "mean", ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """cross_entropy of ``linear(input, linear_weight, linear_bias)``, for an input (N, in) or (in).

    ``linear_weight`` is (C, in), or (C, d1, ..., in) for a loss of several dimensions. ``ignore_index`` is -100 when None.
    With ``options`` (see LinearCrossEntropyOptions) the logits are computed a few rows at a time, for targets that are
    classes.

    >>> torch.nn.functional.linear_cross_entropy(torch.zeros(1, 3), torch.zeros(2, 3), torch.tensor([0]))
    tensor(0.6931)
    """
    from lumbre.nn.functional import cross_entropy, linear

    _check(input, linear_weight, linear_bias)
    outputs = tuple(linear_weight.shape[:-1])
    several = len(outputs) > 1
    if ignore_index is not None and tuple(target.shape) == (*input.shape[:-1], *outputs):
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if options is not None:
        known = reduction in ("mean", "sum", "none")
        if known and label_smoothing == 0.0 and target.dtype is _C.int64 and not several:
            return _in_parts(input, linear_weight, target, linear_bias, weight, reduction, ignore_index, options)
        from warnings import warn

        warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, "
            f"label_smoothing == 0, target.dtype == int64, out_features == (). Got reduction={reduction!r}, "
            f"label_smoothing={label_smoothing}, target.dtype={target.dtype}, out_features={outputs[1:]}, tracing=False, "
            f"linear_bias.shape={None if linear_bias is None else tuple(linear_bias.shape)}.",
            stacklevel=3,
        )
    if several:
        linear_weight = linear_weight.reshape(prod(outputs), input.shape[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(prod(outputs))
    logits = linear(input, linear_weight, linear_bias)
    if several:
        logits = logits.reshape(*input.shape[:-1], *outputs)
    return cross_entropy(
        logits, target, weight=weight, ignore_index=-100 if ignore_index is None else ignore_index, reduction=reduction,
        label_smoothing=label_smoothing,
    )  # fmt: skip


def _in_parts(
    input: Tensor, linear_weight: Tensor, target: Tensor, linear_bias: Tensor | None, weight: Tensor | None, reduction: str,
    ignore_index: int | None, options: Any,
) -> Tensor:  # fmt: skip
    from lumbre import cat
    from lumbre.nn.functional import cross_entropy, linear
    from lumbre.utils.checkpoint import checkpoint

    single = input.dim() == 1
    if single:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    ignored = -100 if ignore_index is None else ignore_index
    each = "none" if reduction == "none" else "sum"

    def part(rows: Tensor, classes: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        return cross_entropy(linear(rows, matrix, bias), classes, weight=weight, ignore_index=ignored, reduction=each)

    step = options.rows(input.size(0), input.size(1), linear_weight.size(0))
    parts = [
        checkpoint(part, rows, classes, linear_weight, linear_bias, use_reentrant=False)
        for rows, classes in zip(input.split(step), target.split(step), strict=True)
    ]
    if reduction == "none":
        losses = cat(parts)
        return losses.squeeze(0) if single else losses
    total = sum(parts[1:], parts[0])
    if reduction == "sum":
        return total
    kept = target[target != ignored]
    return total / (kept.numel() if weight is None else weight[kept].sum())
