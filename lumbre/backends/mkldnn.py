"""``torch.backends.mkldnn``: there is no oneDNN; its switches keep their value, without effect."""

from __future__ import annotations

enabled = True
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False."""
    return False
