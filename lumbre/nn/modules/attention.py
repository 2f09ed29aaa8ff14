"""Attention of several heads."""

from __future__ import annotations

from lumbre import _C, empty
from lumbre.nn import functional as F
from lumbre.nn import init
from lumbre.nn.functional_attention import _additive
from lumbre.nn.modules.linear import NonDynamicallyQuantizableLinear
from lumbre.nn.modules.module import Module
from lumbre.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in ``num_heads`` learned projections of query, key and value, side by side.

    query (L, B, embed_dim), key (S, B, kdim) and value (S, B, vdim), with B first under ``batch_first``, or all
    without B, give the output like the query and the weights (B, L, S), one average or one per head, or None.
    ``key_padding_mask`` (B, S) and ``attn_mask`` (L, S) or (B * num_heads, L, S) shut out where they are True, or are
    added. AssertionError or RuntimeError where arguments do not fit.

    >>> output, weights = torch.nn.MultiheadAttention(4, 2)(*[torch.zeros(3, 1, 4)] * 3)
    >>> output.shape, weights.shape
    (torch.Size([3, 1, 4]), torch.Size([1, 3, 3]))
    """

    __constants__ = ("batch_first",)
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        place = {"device": device, "dtype": dtype}
        self._add_projections(place)
        self.register_parameter("in_proj_bias", Parameter(empty(3 * embed_dim, **place)) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **place)
        self.bias_k = Parameter(empty((1, 1, embed_dim), **place)) if add_bias_kv else None
        self.bias_v = Parameter(empty((1, 1, embed_dim), **place)) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _add_projections(self, place: dict[str, Any]) -> None:
        size, apart = self.embed_dim, ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        if self._qkv_same_embed_dim:
            self.in_proj_weight = Parameter(empty((3 * size, size), **place))
            for name in apart:
                self.register_parameter(name, None)
            return
        for name, columns in zip(apart, (size, self.kdim, self.vdim), strict=True):
            self.register_parameter(name, Parameter(empty((size, columns), **place)))
        self.register_parameter("in_proj_weight", None)

    def _reset_parameters(self) -> None:
        names: tuple[str, ...] = ("in_proj_weight",)
        if not self._qkv_same_embed_dim:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        for name in names:
            init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def __setstate__(self, state: dict) -> None:
        # The first saved modules lack the field.
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        key_padding_mask = _additive(key_padding_mask, "key_padding_mask", query.dtype, attn_mask, True)
        attn_mask = _additive(attn_mask, "attn_mask", query.dtype, None, False)
        turned = self.batch_first and query.dim() == 3
        if turned:
            query, key, value = _turned(query, key, value)
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(0, 1), weights) if turned else (output, weights)


def _turned(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Batch and length exchanged; those that were one tensor stay one."""
    if key.dim() != 3 or value.dim() != 3:
        raise AssertionError(
            "For batched (3-D) `query`, expected `key` and `value` to be 3-D "
            f"but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    turned_key = key.transpose(0, 1)
    turned_query = turned_key if query is key else query.transpose(0, 1)
    turned_value = turned_key if value is key else value.transpose(0, 1)
    return turned_query, turned_key, turned_value
