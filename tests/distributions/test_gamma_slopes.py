"""Slopes of gamma and beta draws against 40 digits, for parameters far apart."""

from __future__ import annotations

import pytest

import lumbre
from lumbre.distributions._gamma_draws import beta_slope, gamma_slope

mp = pytest.importorskip("mpmath")


@pytest.mark.parametrize("a", [1e-3, 0.05, 0.5, 3.0, 30.0, 1e4])
def test_gamma(a):
    quantiles = [0.2, 0.8, 1.0, 1.3, 4.0] if a < 10 else [1 - 3 * a**-0.5, 1.0, 1 + 4 * a**-0.5]
    draws = lumbre.tensor([a * each for each in quantiles], dtype=lumbre.float64)
    own = gamma_slope(lumbre.full_like(draws, a), draws).tolist()
    with mp.workdps(40):
        for x, slope in zip(draws.tolist(), own, strict=True):
            change = mp.diff(lambda shape: mp.gammainc(shape, 0, x, regularized=True), a)  # noqa: B023
            density = mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))
            assert slope == pytest.approx(float(-change / density), rel=1e-7)


@pytest.mark.parametrize(("a", "b"), [(0.01, 0.01), (0.5, 2.0), (3.0, 0.1), (20.0, 300.0), (0.3, 1e3), (1e3, 0.3)])
def test_beta(a, b):
    mean = a / (a + b)
    above = min(mean + 3 * (mean * (1 - mean) / (a + b + 1)) ** 0.5, (1 + mean) / 2)
    draws = lumbre.tensor([mean * 0.6, mean, above], dtype=lumbre.float64)
    own = beta_slope(draws, lumbre.full_like(draws, a), lumbre.full_like(draws, b)).tolist()
    with mp.workdps(40):
        for x, slope in zip(draws.tolist(), own, strict=True):
            change = mp.diff(lambda first: mp.betainc(first, b, 0, x, regularized=True), a)  # noqa: B023
            density = mp.exp((a - 1) * mp.log(x) + b * mp.log1p(-x)) / mp.beta(a, b)
            assert slope == pytest.approx(float(-change / density), rel=1e-7)


def test_draws_rounded_to_the_ends_have_slopes():
    concentration = lumbre.full((400, 2), 0.01, requires_grad=True)
    draws = lumbre.distributions.Dirichlet(concentration).rsample()
    assert bool((draws == 1).any())
    (draws * lumbre.tensor([1.0, 2.0])).sum().backward()
    assert bool(concentration.grad.isfinite().all())


def test_second_slopes_are_refused():
    for make in (lumbre.distributions.Gamma, lumbre.distributions.Beta):
        a = lumbre.tensor([0.5, 2.0], requires_grad=True)
        (slope,) = lumbre.autograd.grad(make(a, 1.0).rsample().square().sum(), a, create_graph=True)
        with pytest.raises((NotImplementedError, RuntimeError)):
            lumbre.autograd.grad(slope.sum(), a)


def test_many_draws_come_in_blocks():
    shape = lumbre.full((3, 3000), 2.5, requires_grad=True)
    lumbre.manual_seed(0)
    draws = lumbre.distributions.Gamma(shape, 1.0).rsample()
    draws.sum().backward()
    flat, values = shape.detach().reshape(-1)[:10], draws.detach().reshape(-1)[:10]
    assert shape.grad.reshape(-1)[:10].tolist() == pytest.approx(gamma_slope(flat, values).tolist(), rel=1e-6)
    assert gamma_slope(lumbre.ones(0), lumbre.ones(0)).shape == (0,)
