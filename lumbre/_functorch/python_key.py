"""``torch._functorch.python_key``: nothing is traced."""

from __future__ import annotations

from lumbre.fx.experimental.proxy_tensor import make_fx

__all__ = ["make_fx"]
