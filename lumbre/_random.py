"""The default generator: seeds and states."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


def manual_seed(seed: Any) -> _C.Generator:
    """Starts the default generator's stream of a seed: the same seed gives the same numbers. Returns the generator.

    Seeds lie between -2**63 and 2**64 - 1, and negative ones count down from 2**64; ValueError for others.

    >>> torch.manual_seed(7).initial_seed()
    7
    """
    number = int(seed)
    if not -(2**63) <= number < 2**64:
        raise ValueError("Overflow when unpacking long long")
    return _C.default_generator.manual_seed(number % 2**64)


def seed() -> int:
    """Seeds the default generator from the operating system and returns the seed."""
    return _C.default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator's stream began with."""
    return _C.default_generator.initial_seed()


def get_rng_state() -> _C.Tensor:
    """The default generator's state: a uint8 tensor of 5056 elements, as PyTorch lays it out."""
    return _C.default_generator.get_state()


def set_rng_state(new_state: _C.Tensor) -> None:
    """Puts a state of ``get_rng_state()`` back."""
    _C.default_generator.set_state(new_state)
