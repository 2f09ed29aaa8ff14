"""``torch.fx.experimental.proxy_tensor``: nothing is traced."""

from __future__ import annotations

from lumbre import _absent

make_fx = _absent.refused_function("fx.experimental.proxy_tensor.make_fx", _absent._GRAPHS)
__all__ = ["get_proxy_mode", "make_fx"]


def get_proxy_mode() -> None:
    """None: there is no trace."""
