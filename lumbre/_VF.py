"""``torch._VF``: the recurrent functions under the name that PyTorch's own modules call them by."""

from __future__ import annotations

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        import lumbre

        try:
            return getattr(lumbre, name)
        except AttributeError:
            pass
    raise AttributeError(f"module '{_identity.prefix()}_VF' has no attribute '{name}'")
