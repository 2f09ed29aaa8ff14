"""The function behind ``torch.nn.MultiheadAttention``."""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

from lumbre import _C, baddbmm, bmm, cat, zeros, zeros_like
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
_linear = _C._functions["nn.functional.linear"]
_softmax = _C._functions["nn.functional.softmax"]
_pad = _C._functions["nn.functional.pad"]
_scaled_dot_product_attention = _C._functions["nn.functional.scaled_dot_product_attention"]


def _dropout(input: Tensor, p: float) -> Tensor:
    from lumbre.nn import functional

    return functional.dropout(input, p, True)


class _Inputs(NamedTuple):
    """Batched query (L, B, E), key and value (S, B, ...) and the masks that go with them."""

    query: Tensor
    key: Tensor
    value: Tensor
    key_padding_mask: Tensor | None
    attn_mask: Tensor | None


def _check_ranks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether the query is batched; AssertionError where the others do not go with it."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    batched = query.dim() == 3
    word, rank = ("batched", 3) if batched else ("unbatched", 2)
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"For {word} ({rank}-D) `query`, expected `key` and `value` to be {rank}-D "
            f"but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != rank - 1:
        raise AssertionError(
            f"For {word} ({rank}-D) `query`, expected `key_padding_mask` to be `None` or {rank - 1}-D "
            f"but found {key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"For {word} ({rank}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D "
                f"but found {attn_mask.dim()}-D tensor instead"
            )
        expected = (num_heads, query.size(0), key.size(0))
        if not batched and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return batched


def _additive(
    mask: Tensor | None,
    name: str,
    dtype: _C.dtype,
    other: Tensor | None,
    check: bool,
    other_name: str = "attn_mask",
) -> Tensor | None:
    """A mask as numbers to add: -inf where a bool mask is True."""
    if mask is None:
        return None
    floating = mask.dtype.is_floating_point
    if mask.dtype is not _C.bool and not floating:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check and other is not None and other.dtype is not mask.dtype:
        import warnings

        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=4,
        )
    if floating:
        return mask
    return zeros_like(mask, dtype=dtype).masked_fill_(mask, -inf)


def _project(query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, ...]:
    """Queries, keys and values through one packed weight (3E, E), in as few products as the identities allow."""
    size = query.size(-1)
    if key is value and query is key:
        return _linear(query, weight, bias).chunk(3, -1)
    parts = weight.split([size, 2 * size]) if key is value else weight.chunk(3)
    if bias is None:
        biases: Any = (None,) * len(parts)
    else:
        biases = bias.split([size, 2 * size]) if key is value else bias.chunk(3)
    first = _linear(query, parts[0], biases[0])
    if key is value:
        return first, *_linear(key, parts[1], biases[1]).chunk(2, -1)
    return first, _linear(key, parts[1], biases[1]), _linear(value, parts[2], biases[2])


def _project_apart(
    inputs: _Inputs, embed_dim: int, weights: tuple[Tensor | None, ...], bias: Tensor | None
) -> tuple[Tensor, ...]:
    given = []
    for letter, weight in zip("qkv", weights, strict=True):
        if weight is None:
            raise AssertionError(f"use_separate_proj_weight is True but {letter}_proj_weight is None")
        given.append(weight)
    names = ("query", "key", "value")
    sizes = (embed_dim, inputs.key.size(-1), inputs.value.size(-1))
    for name, size, weight in zip(names, sizes, given, strict=True):
        if tuple(weight.shape) != (embed_dim, size):
            raise AssertionError(f"expecting {name} weights shape of {(embed_dim, size)}, but got {weight.shape}")
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return tuple(map(_linear, inputs[:3], given, biases))


def _static(given: Tensor, name: str, batch_heads: int, head_dim: int) -> Tensor:
    for dim, size in ((0, batch_heads), (2, head_dim)):
        if given.size(dim) != size:
            raise AssertionError(f"expecting {name}.size({dim}) of {size}, but got {given.size(dim)}")
    return given


def _widen(mask: Tensor | None) -> Tensor | None:
    """A mask with one more key, which takes part."""
    return None if mask is None else _pad(mask, (0, 1))


def _check_sizes(inputs: _Inputs, embed_dim: int, num_heads: int, apart: bool) -> None:
    query, key, value = inputs[:3]
    if query.size(-1) != embed_dim:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim}, but got {query.size(-1)}")
    if embed_dim % num_heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if apart:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _checked_mask(mask: Tensor | None, heads: int, length: int, keys: int) -> Tensor | None:
    """The mask of queries and keys as (1 or B * heads, L, S)."""
    if mask is None:
        return None
    expected = (length, keys) if mask.dim() == 2 else (heads, length, keys)
    if tuple(mask.shape) != expected:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}.")
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


@operator(
    "nn.functional.multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, "
    "in_proj_bias, bias_k, bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, "
    "key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None, "
    "k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None, average_attn_weights=True, "
    "is_causal=False)",
    method=False,
)
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads with given weights: the output (L, B, E) and the weights (B, L, S) or None.

    query (L, B, E), key and value (S, B, ...), or all without B. Bool masks shut out where they are True, others are
    added. See ``torch.nn.MultiheadAttention``. AssertionError or RuntimeError where arguments do not fit.

    >>> eye = torch.eye(2)
    >>> out, weights = torch.nn.functional.multi_head_attention_forward(
    ...     eye, eye, eye, 2, 1, eye.repeat(3, 1), None, None, None, False, 0.0, eye, None
    ... )
    >>> weights.shape
    torch.Size([2, 2])
    """
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    key_padding_mask, attn_mask, is_causal = _numeric_masks(
        query.dtype, key_padding_mask, attn_mask, is_causal, need_weights
    )
    inputs = _batched(batched, query, key, value, key_padding_mask, attn_mask)
    _check_sizes(inputs, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if use_separate_proj_weight:
        apart = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _project_apart(inputs, embed_dim_to_check, apart, in_proj_bias)
    else:
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _project(*inputs[:3], in_proj_weight, in_proj_bias)
    length, batch, size = q.shape
    heads, head_dim = batch * num_heads, size // num_heads
    key_padding_mask, mask = inputs[3:]
    mask = _checked_mask(mask, heads, length, key.size(0))
    if bias_k is not None and bias_v is not None:
        if static_k is not None:
            raise AssertionError("bias cannot be added to static key.")
        if static_v is not None:
            raise AssertionError("bias cannot be added to static value.")
        k, v = cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)])
        mask, key_padding_mask = _widen(mask), _widen(key_padding_mask)
    elif bias_k is not None or bias_v is not None:
        names = ("bias_k", "bias_v") if bias_k is not None else ("bias_v", "bias_k")
        raise AssertionError("{} is set but {} is None".format(*names))
    q = q.reshape(length, heads, head_dim).transpose(0, 1)
    k = _heads(k, heads, head_dim) if static_k is None else _static(static_k, "static_k", heads, head_dim)
    v = _heads(v, heads, head_dim) if static_v is None else _static(static_v, "static_v", heads, head_dim)
    if add_zero_attn:
        k, v = (cat([each, zeros(heads, 1, head_dim, dtype=each.dtype)], 1) for each in (k, v))
        mask, key_padding_mask = _widen(mask), _widen(key_padding_mask)
    mask = _merge_masks(mask, key_padding_mask, batch, num_heads, k.size(1))
    out, weights = _attend(q, k, v, mask, num_heads, dropout_p if training else 0.0, need_weights, is_causal)
    out = _linear(out.reshape(length * batch, size), out_proj_weight, out_proj_bias)
    out = out.view(length, batch, out.size(1))
    if weights is not None and average_attn_weights:
        weights = weights.mean(1)
    if batched:
        return out, weights
    return out.squeeze(1), None if weights is None else weights.squeeze(0)


def _numeric_masks(
    dtype: _C.dtype, padding: Tensor | None, mask: Tensor | None, is_causal: bool, need_weights: bool
) -> tuple[Tensor | None, Tensor | None, bool]:
    """Both masks as numbers to add, and whether the causal hint may stand for the mask."""
    padding = _additive(padding, "key_padding_mask", dtype, mask, True)
    if is_causal and mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and padding is None and not need_weights:
        return None, None, True
    return padding, _additive(mask, "attn_mask", dtype, None, False), is_causal and padding is None


def _batched(
    batched: bool, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
) -> _Inputs:
    if batched:
        return _Inputs(query, key, value, padding, mask)
    wide_key = key.unsqueeze(1)
    wide_query = wide_key if query is key else query.unsqueeze(1)
    wide_value = wide_key if value is key else value.unsqueeze(1)
    return _Inputs(wide_query, wide_key, wide_value, None if padding is None else padding.unsqueeze(0), mask)


def _heads(rows: Tensor, heads: int, head_dim: int) -> Tensor:
    """(S, B, E) as (B * heads, S, head_dim)."""
    return rows.reshape(rows.size(0), heads, head_dim).transpose(0, 1)


def _merge_masks(mask: Tensor | None, padding: Tensor | None, batch: int, num_heads: int, keys: int) -> Tensor | None:
    if padding is None:
        return mask
    if padding.size(0) != batch:
        raise AssertionError(f"Expected key_padded_mask.shape[0] to be {batch}, but got {padding.size(0)}")
    if padding.size(1) != keys:
        raise AssertionError(f"Expected key_padded_mask.shape[1] to be {keys}, but got {padding.size(1)}")
    padding = padding.view(batch, 1, 1, keys).expand(-1, num_heads, -1, -1).reshape(batch * num_heads, 1, keys)
    return padding if mask is None else mask + padding


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    num_heads: int,
    dropout_p: float,
    need_weights: bool,
    is_causal: bool,
) -> tuple[Tensor, Tensor | None]:
    """The heads' outputs as (L, B, E), and the weights (B, heads, L, S) where they are wanted."""
    heads, length, head_dim = q.shape
    batch = heads // num_heads
    if need_weights:
        scaled = q * sqrt(1.0 / head_dim)
        scores = bmm(scaled, k.transpose(1, 2)) if mask is None else baddbmm(mask, scaled, k.transpose(1, 2))
        weights = _softmax(scores, -1)
        if dropout_p > 0:
            weights = _dropout(weights, dropout_p)
        return bmm(weights, v).transpose(0, 1), weights.view(batch, num_heads, length, k.size(1))
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.size(0) == 1 else mask.view(batch, num_heads, -1, k.size(1))
    q, k, v = (each.view(batch, num_heads, each.size(1), head_dim) for each in (q, k, v))
    out = _scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    return out.permute(2, 0, 1, 3), None
