"""``torch.optim``: optimizers and schedules of their learning rates.

>>> p = torch.nn.Parameter(torch.tensor([1.]))
>>> optimizer = torch.optim.SGD([p], lr=0.1)
>>> (p * p).sum().backward(); optimizer.step(); p.data
tensor([0.8000])
"""

from __future__ import annotations

from lumbre import _identity
from lumbre.optim import lr_scheduler
from lumbre.optim.adam import Adam, AdamW
from lumbre.optim.elementwise import ASGD, Adadelta, Adagrad, Adamax, NAdam, RAdam, RMSprop, Rprop
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
_LAZY = {"LBFGS": "lbfgs", "Adafactor": "adafactor", "Muon": "muon"}
# Files that PyTorch names otherwise.
_FILES = {
    name.lower(): "elementwise"
    for name in ("ASGD", "Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop")
}


def __getattr__(name: str) -> object:
    if name == "adamw":
        from lumbre.optim import adam

        return adam
    if not name.startswith("__"):
        from importlib import import_module

        where = _LAZY.get(name, _FILES.get(name, name))
        full = f"{__name__}.{where}"
        try:
            module = import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
        else:
            return getattr(module, name) if name in _LAZY else module
    raise AttributeError(f"module '{_identity.prefix()}optim' has no attribute '{name}'")
