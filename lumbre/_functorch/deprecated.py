"""``torch._functorch.deprecated``: what the package ``functorch`` offers under its own name, most of it ``torch.func``'s."""

from __future__ import annotations

from lumbre import _absent
from lumbre._functorch.make_functional import combine_state_for_ensemble, make_functional, make_functional_with_buffers
from lumbre.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp, vmap

functionalize = _absent.refused_function("func.functionalize", _absent._GRAPHS)
__all__ = [
    "combine_state_for_ensemble", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "make_functional", "make_functional_with_buffers", "vjp", "vmap",
]  # fmt: skip
