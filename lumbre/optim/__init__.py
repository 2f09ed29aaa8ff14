"""``torch.optim``: optimizers and schedules of their learning rates.

>>> p = torch.nn.Parameter(torch.tensor([1.]))
>>> optimizer = torch.optim.SGD([p], lr=0.1)
>>> (p * p).sum().backward(); optimizer.step(); p.data
tensor([0.8000])
"""

from __future__ import annotations

from lumbre import _identity
from lumbre.optim import lr_scheduler
from lumbre.optim.adam import Adam
from lumbre.optim.adamw import AdamW
from lumbre.optim.optimizer import Optimizer
from lumbre.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "swa_utils",
]  # fmt: skip
# Loaded when they are first asked for: these names, each from its file, and the files themselves.
_LAZY = {
    name: name.lower()
    for name in ("ASGD", "Adadelta", "Adagrad", "Adamax", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop")
} | {"Adafactor": "_adafactor", "Muon": "_muon"}


def __getattr__(name: str) -> object:
    if not name.startswith("__"):
        from importlib import import_module

        full = f"{__name__}.{_LAZY.get(name, name)}"
        try:
            module = import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
        else:
            return globals().setdefault(name, getattr(module, name) if name in _LAZY else module)
    raise AttributeError(f"module '{_identity.prefix()}optim' has no attribute '{name}'")
