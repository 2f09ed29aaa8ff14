"""``functorch``: the package from which ``torch.func`` came, under whose name some libraries still import it."""

from __future__ import annotations

from lumbre import __version__
from lumbre._functorch.deprecated import (
    combine_state_for_ensemble,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    make_functional,
    make_functional_with_buffers,
    vjp,
    vmap,
)
from lumbre._functorch.make_functional import FunctionalModule, FunctionalModuleWithBuffers
from lumbre._functorch.python_key import make_fx

__all__ = [
    "FunctionalModule", "FunctionalModuleWithBuffers", "__version__", "combine_state_for_ensemble", "functionalize",
    "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "make_functional", "make_functional_with_buffers",
    "make_fx", "vjp", "vmap",
]  # fmt: skip
