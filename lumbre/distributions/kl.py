"""Kullback-Leibler divergences, by pairs of distributions."""

from __future__ import annotations

# The pairs register themselves as their modules load.
from lumbre.distributions import _kl_mixed, _kl_same  # noqa: F401
from lumbre.distributions._kl_registry import _KL_MEMOIZE, _KL_REGISTRY, kl_divergence, register_kl  # noqa: F401

__all__ = ["kl_divergence", "register_kl"]
