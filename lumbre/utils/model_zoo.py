"""``torch.utils.model_zoo``: the older name of ``torch.hub.load_state_dict_from_url``, and the progress bar of loads."""

from __future__ import annotations

from lumbre.hub import load_state_dict_from_url as load_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["load_url", "tqdm"]


def tqdm(*args: Any, **kwargs: Any) -> Any:
    """The bar of the package ``tqdm``, which is imported at the first use."""
    from tqdm import tqdm as bar

    return bar(*args, **kwargs)
