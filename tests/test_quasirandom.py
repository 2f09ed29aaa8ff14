"""Sobol sequences, the same points under both libraries."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import lumbre
from lumbre import quasirandom

torch = pytest.importorskip("torch", reason="PyTorch is the reference")


def program(library, *arguments):
    """All that an engine says and draws."""
    library.manual_seed(3)
    engine = library.quasirandom.SobolEngine(*arguments)
    found = [repr(engine), library.rand(2).tolist(), engine.sobolstate.tolist(), engine.shift.tolist()]
    for n in (1, 0, 5, 130):
        found += [engine.draw(n).tolist(), engine.num_generated, engine.quasi.tolist()]
    found += [engine.draw(3, dtype=library.float64).tolist(), engine.fast_forward(1000).draw(2).tolist()]
    out = library.empty(0, dtype=library.float64)
    assert engine.draw(2, out=out) is out
    found += [out.tolist(), engine.reset().draw_base2(3).tolist(), engine.draw_base2(3).tolist()]
    return found


@pytest.mark.parametrize("dimension", [1, 2, 8, 9, 40, 500])
@pytest.mark.parametrize("more", [(), (True, 7), (True,)], ids=str)
def test_points(dimension, more):
    assert program(lumbre, dimension, *more) == program(torch, dimension, *more)


def test_last_dimensions():
    ours, theirs = (library.quasirandom.SobolEngine(21201) for library in (lumbre, torch))
    np.testing.assert_array_equal(ours.sobolstate.numpy(), theirs.sobolstate.numpy())


@pytest.mark.parametrize("dimension", [0, -1, 21202])
def test_numbers_of_dimensions(dimension):
    for library in (lumbre, torch):
        with pytest.raises(ValueError, match=r"\[1, 21201\]"):
            library.quasirandom.SobolEngine(dimension)


def test_numbers_that_do_not_balance():
    for library in (lumbre, torch):
        engine = library.quasirandom.SobolEngine(2)
        engine.draw_base2(3)
        with pytest.raises(ValueError, match=r"n=8\+2\*\*2=12"):
            engine.draw_base2(2)
        with pytest.raises(RuntimeError):
            engine.draw(-1)


def test_without_scipy(monkeypatch):
    monkeypatch.setattr(quasirandom, "find_spec", lambda name: None)
    assert quasirandom.SobolEngine(8).draw(2).shape == (2, 8)
    with pytest.raises(NotImplementedError, match="install scipy"):
        quasirandom.SobolEngine(9)
    assert importlib.util.find_spec("scipy")
