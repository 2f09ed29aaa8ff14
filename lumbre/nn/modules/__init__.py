"""The modules of ``torch.nn``, gathered from their files."""

from __future__ import annotations

from importlib import import_module

_FILES = (
    "module", "container", "linear", "activation", "dropout", "sparse", "loss", "distance", "flatten",
    "pixelshuffle", "channelshuffle", "lazy", "conv", "pooling", "normalization", "batchnorm", "instancenorm", "rnn", "transformer", "attention", "padding", "upsampling", "fold",
    "adaptive", "linear_cross_entropy_options",
)  # fmt: skip

__all__: list[str] = []
for _file in _FILES:
    try:
        _module = import_module(f"{__name__}.{_file}")
    except ModuleNotFoundError as _error:
        if _error.name != f"{__name__}.{_file}":
            raise
        continue
    for _name in _module.__all__:
        globals()[_name] = getattr(_module, _name)
    __all__ += _module.__all__
del _file, _module, _name
