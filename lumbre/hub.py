"""``torch.hub``: nothing is downloaded, and it says so."""

from __future__ import annotations

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_NAMES = ["download_url_to_file", "help", "list", "load", "load_state_dict_from_url"]


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    """NotImplementedError: download the files yourself."""
    raise NotImplementedError("torch.hub: Lumbre does not download models. Fetch the files and use torch.load.")


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return _refuse
    raise AttributeError(f"module '{_identity.prefix()}hub' has no attribute '{name}'")
