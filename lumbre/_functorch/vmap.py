"""``torch._functorch.vmap``: names that libraries take from it; ``torch.vmap`` here needs none of them."""

from __future__ import annotations

from lumbre import _absent
from lumbre._C import Tensor
from lumbre._vmap import vmap
from lumbre.utils._pytree import tree_flatten, tree_unflatten

_WHY = "vmap calls the function once per member, with plain tensors"
for _name in (
    "_add_batch_dim", "_broadcast_to_and_flatten", "_create_batched_inputs", "_get_name", "_maybe_remove_batch_dim",
    "_process_batched_inputs", "_remove_batch_dim", "_unwrap_batched", "_validate_and_get_batch_size",
):  # fmt: skip
    globals()[_name] = _absent.refused_function(f"_functorch.vmap.{_name}", _WHY)
del _name
__all__ = ["Tensor", "tree_flatten", "tree_unflatten", "vmap"]
