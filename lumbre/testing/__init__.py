"""``torch.testing``: comparing results and making inputs."""

from __future__ import annotations

from lumbre.testing._comparison import assert_allclose, assert_close
from lumbre.testing._creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
