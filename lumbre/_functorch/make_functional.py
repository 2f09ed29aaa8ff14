"""``torch._functorch.make_functional``: modules as functions of their parameters, as ``functorch`` had them."""

from __future__ import annotations

from lumbre import _absent

_WHY = "use torch.func.functional_call, which takes the module and its parameters"
FunctionalModule, FunctionalModuleWithBuffers = (
    _absent.refused_class(f"_functorch.make_functional.{name}", _WHY)
    for name in ("FunctionalModule", "FunctionalModuleWithBuffers")
)
make_functional, make_functional_with_buffers, combine_state_for_ensemble = (
    _absent.refused_function(f"_functorch.make_functional.{name}", _WHY)
    for name in ("make_functional", "make_functional_with_buffers", "combine_state_for_ensemble")
)
__all__ = [
    "FunctionalModule", "FunctionalModuleWithBuffers", "combine_state_for_ensemble", "make_functional",
    "make_functional_with_buffers",
]  # fmt: skip
