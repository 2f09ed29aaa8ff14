"""``torch.mps``: there is no such device (``_no_device``)."""

from lumbre._no_device import *  # noqa: F403
