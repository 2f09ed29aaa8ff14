"""What distributions with parameters of one kind have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

from lumbre import Size, Tensor
from lumbre.distributions.categorical import Categorical
from lumbre.distributions.utils import lazy_property, logits_to_probs, probs_to_logits


class BothOdds:
    """``probs`` and ``logits``: the one that was not given is computed when it is first asked for."""

    @lazy_property
    def logits(self) -> Tensor:
        """Log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """Probabilities of one, or of success."""
        return logits_to_probs(self.logits, is_binary=True)


class OfOdds(BothOdds):
    """A distribution whose parameter is the one of ``probs`` and ``logits`` that was given."""

    _param: Tensor

    def _set_param(self, param: Tensor, is_logits: bool) -> None:
        self._param = param
        if is_logits:
            self.logits = param
        else:
            self.probs = param

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._param.size()


class OfCategorical:
    """A distribution of what a categorical one draws, with its parameters."""

    _categorical: Categorical

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._categorical._new(*args, **kwargs)

    @property
    def probs(self) -> Tensor:
        """Normalised probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Normalised logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """The shape of the weights."""
        return self._categorical.param_shape
