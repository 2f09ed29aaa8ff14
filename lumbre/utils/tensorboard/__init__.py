"""``torch.utils.tensorboard``: writes what TensorBoard shows, with the package ``tensorboard``."""

from __future__ import annotations

try:
    import tensorboard  # noqa: F401
except ImportError as error:
    raise ImportError(
        "torch.utils.tensorboard writes with the package 'tensorboard': pip install tensorboard", name="tensorboard"
    ) from error

from lumbre.utils.tensorboard.writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
