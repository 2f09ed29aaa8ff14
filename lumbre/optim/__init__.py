"""``torch.optim``: optimizers and schedules of their learning rates.

>>> p = torch.nn.Parameter(torch.tensor([1.]))
>>> optimizer = torch.optim.SGD([p], lr=0.1)
>>> (p * p).sum().backward(); optimizer.step(); p.data
tensor([0.8000])
"""

from __future__ import annotations

from lumbre import _identity, _listed
from lumbre.optim.adam import Adam
from lumbre.optim.adamw import AdamW
from lumbre.optim.optimizer import Optimizer
from lumbre.optim.sgd import SGD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lumbre.optim import lr_scheduler, swa_utils
    from lumbre.optim._adafactor import Adafactor
    from lumbre.optim._muon import Muon
    from lumbre.optim._stateless import swap_in_optimizer_params_and_state
    from lumbre.optim.adadelta import Adadelta
    from lumbre.optim.adagrad import Adagrad
    from lumbre.optim.adamax import Adamax
    from lumbre.optim.asgd import ASGD
    from lumbre.optim.lbfgs import LBFGS
    from lumbre.optim.nadam import NAdam
    from lumbre.optim.radam import RAdam
    from lumbre.optim.rmsprop import RMSprop
    from lumbre.optim.rprop import Rprop

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
    "swap_in_optimizer_params_and_state",
]
# Loaded when they are first asked for: these names, each from its file, and the files themselves.
_LAZY = {
    name: name.lower()
    for name in ("ASGD", "Adadelta", "Adagrad", "Adamax", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop")
} | {"Adafactor": "_adafactor", "Muon": "_muon", "swap_in_optimizer_params_and_state": "_stateless"}


def __getattr__(name: str) -> Any:
    if (module := _listed.submodule(__name__, _LAZY.get(name, name))) is not None:
        return globals().setdefault(name, getattr(module, name) if name in _LAZY else module)
    raise AttributeError(f"module '{_identity.prefix()}optim' has no attribute '{name}'")


_listed.complete_dict(__name__, _LAZY)
