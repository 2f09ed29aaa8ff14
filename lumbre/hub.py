"""``torch.hub``: where files of models lie; nothing is downloaded, and it says so."""

from __future__ import annotations

import os
import re
from urllib.parse import urlparse

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DOWNLOADS = ("download_url_to_file", "help", "list", "load")
__all__ = [*_DOWNLOADS, "get_dir", "load_state_dict_from_url", "set_dir"]
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_hub_dir: str | None = None


def _get_torch_home() -> str:
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder whose ``checkpoints`` hold files of models: ``$TORCH_HOME/hub``, or what ``set_dir`` said."""
    return os.path.join(_get_torch_home(), "hub") if _hub_dir is None else _hub_dir


def set_dir(d: str | os.PathLike[str]) -> None:
    """Has files of models looked for in another folder."""
    global _hub_dir
    _hub_dir = os.path.expanduser(d)


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True, check_hash: bool = False,
    file_name: str | None = None, weights_only: bool = False,
) -> Any:  # fmt: skip
    """What the file of that address holds, if it lies in the folder already; NotImplementedError if it does not."""
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    path = os.path.join(folder, file_name or os.path.basename(urlparse(url).path))
    if not os.path.exists(path):
        raise NotImplementedError(f"torch.hub: Lumbre does not download models. Fetch {url} and save it as {path}.")
    from lumbre import load

    return load(path, map_location=map_location, weights_only=weights_only)


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    """NotImplementedError: download the files yourself."""
    raise NotImplementedError("torch.hub: Lumbre does not download models. Fetch the files and use torch.load.")


def __getattr__(name: str) -> object:
    if name in _DOWNLOADS:
        return _refuse
    raise AttributeError(f"module '{_identity.prefix()}hub' has no attribute '{name}'")
