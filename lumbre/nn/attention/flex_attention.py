"""``torch.nn.attention.flex_attention``: attention that is compiled for each program, which Lumbre does not do."""

from __future__ import annotations

from lumbre import _absent

_WHY = "Lumbre compiles no kernels for score functions; give torch.nn.functional.scaled_dot_product_attention a mask"
_DEFAULT_SPARSE_BLOCK_SIZE = 128
AuxOutput, AuxRequest, BlockMask = (
    _absent.refused_class(f"nn.attention.flex_attention.{name}", _WHY)
    for name in ("AuxOutput", "AuxRequest", "BlockMask")
)
and_masks, create_block_mask, create_mask, create_nested_block_mask, flex_attention, noop_mask, or_masks = (
    _absent.refused_function(f"nn.attention.flex_attention.{name}", _WHY)
    for name in (
        "and_masks", "create_block_mask", "create_mask", "create_nested_block_mask", "flex_attention", "noop_mask", "or_masks",
    )
)  # fmt: skip
__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask", "create_nested_block_mask", "flex_attention", "noop_mask",
    "or_masks",
]  # fmt: skip
