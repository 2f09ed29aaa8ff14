"""Kullback-Leibler divergences held to PyTorch: every pair of families, shapes, errors, dispatch."""

from __future__ import annotations

import pytest

import lumbre
from tests.distributions.cases import MAKERS, agree, agree_between, matrix, t

torch = pytest.importorskip("torch")

# A second distribution of each family, so that a family meets another of itself; batches of 1 and 2 that broadcast.
OTHERS = {
    "bernoulli": lambda D, L: D.Bernoulli(matrix(L, (0.0,), (1.0,), (0.4,))),
    "beta": lambda D, L: D.Beta(t(L, 2.0), t(L, 1.5)),
    "binomial": lambda D, L: D.Binomial(5, matrix(L, (0.5,), (0.1,))),
    "binomial of fewer": lambda D, L: D.Binomial(3, t(L, 0.5)),
    "categorical": lambda D, L: D.Categorical(t(L, 0.0, 2.0, 1.0)),
    "cauchy": lambda D, L: D.Cauchy(t(L, 1.0), t(L, 0.3)),
    "continuous bernoulli": lambda D, L: D.ContinuousBernoulli(t(L, 0.7)),
    "dirichlet": lambda D, L: D.Dirichlet(t(L, 1.0, 2.0, 3.0)),
    "exponential": lambda D, L: D.Exponential(matrix(L, (1.0,), (2.0,))),
    "gamma": lambda D, L: D.Gamma(t(L, 2.0), t(L, 0.7)),
    "geometric": lambda D, L: D.Geometric(t(L, 0.4)),
    "gumbel": lambda D, L: D.Gumbel(t(L, 0.3), t(L, 1.4)),
    "half-normal": lambda D, L: D.HalfNormal(t(L, 2.0)),
    "half-cauchy": lambda D, L: D.HalfCauchy(t(L, 2.0)),
    "inverse gamma": lambda D, L: D.InverseGamma(t(L, 2.0), t(L, 0.7)),
    "independent": lambda D, L: D.Independent(D.Normal(L.ones(2, 3), L.ones(3)), 1),
    "independent twice": lambda D, L: D.Independent(D.Normal(L.ones(2, 3), L.ones(3)), 2),
    "laplace": lambda D, L: D.Laplace(t(L, 0.3), t(L, 1.4)),
    "log normal": lambda D, L: D.LogNormal(t(L, 0.3), t(L, 1.4)),
    "low rank": lambda D, L: D.LowRankMultivariateNormal(L.zeros(4, 1, 3), L.ones(3, 1), L.ones(3)),
    "multivariate": lambda D, L: D.MultivariateNormal(L.zeros(2, 3), 2 * L.eye(3)),
    "normal": lambda D, L: D.Normal(t(L, 0.3), t(L, 1.4)),
    "one-hot": lambda D, L: D.OneHotCategorical(t(L, 3.0, 2.0, 1.0)),
    "pareto": lambda D, L: D.Pareto(t(L, 0.8), t(L, 2.5)),
    "poisson": lambda D, L: D.Poisson(t(L, 2.0)),
    "uniform wide": lambda D, L: D.Uniform(t(L, -9.0), t(L, 90.0)),
    "uniform above": lambda D, L: D.Uniform(t(L, 1.5), t(L, 2.5)),
    "uniform within": lambda D, L: D.Uniform(t(L, 0.2), t(L, 0.7)),
    "weibull": lambda D, L: D.Weibull(t(L, 1.0), t(L, 2.0)),
}
ALL = {**MAKERS, **{f"{name}, another": (lambda L, m=make: m(L.distributions, L)) for name, make in OTHERS.items()}}
MADE = {name: (make(lumbre), make(torch)) for name, make in ALL.items()}


@pytest.mark.parametrize("name", ALL)
def test_every_pair(name):
    p, p_theirs = MADE[name]
    for other, (q, q_theirs) in MADE.items():
        agree(
            f"KL({name} || {other})",
            lambda: lumbre.distributions.kl_divergence(p, q),  # noqa: B023
            lambda: torch.distributions.kl_divergence(p_theirs, q_theirs),  # noqa: B023
            3e-5,
        )


def test_every_registered_pair_is_met():
    ours, theirs = (
        {(p.__name__, q.__name__) for p, q in library.distributions.kl._KL_REGISTRY} for library in (lumbre, torch)
    )
    assert ours == theirs
    families = {type(q).__name__ for _, q in MADE.values()}
    assert {name for pair in theirs for name in pair} - {"ExponentialFamily"} <= families


def test_gradients():
    def slopes(L):
        D = L.distributions
        results = []
        for p, q in ((D.Gamma, D.Normal), (D.Beta, D.ContinuousBernoulli), (D.Pareto, D.Gamma), (D.Gumbel, D.Gumbel)):
            x = L.tensor([1.5, 3.0], requires_grad=True)
            y = L.tensor([0.3, 0.6], requires_grad=True)
            other = q(y) if q is D.ContinuousBernoulli else q(y, y)
            D.kl_divergence(p(x, x), other).sum().backward()
            results += [x.grad, y.grad]
        return L.stack(results)

    agree_between("slopes", slopes, 1e-4)


def test_factors_that_broadcast():
    def full(L):
        return L.distributions.MultivariateNormal(L.ones(2), 2 * L.eye(2).expand(3, 1, 2, 2))

    def low(L):
        return L.distributions.LowRankMultivariateNormal(L.zeros(4, 2), L.ones(2, 1), L.ones(2))

    for p in (full, low):
        for q in (full, low):
            agree_between("batches", lambda L: L.distributions.kl_divergence(p(L), q(L)))  # noqa: B023


def test_registration_and_ambiguity():
    def run(L):
        D = L.distributions

        class First(D.Normal):
            pass

        class Second(First):
            pass

        D.register_kl(First, D.Normal)(lambda p, q: "first")
        D.register_kl(D.Normal, First)(lambda p, q: "second")
        normal = D.Normal(0.0, 1.0)
        first, second = First(0.0, 1.0), Second(0.0, 1.0)
        answers = [D.kl_divergence(a, b) for a in (normal, first, second) for b in (normal, first, second)]
        D.register_kl(First, First)(lambda p, q: "third")
        answers += [D.kl_divergence(first, second)]
        for pair in ((First, D.Normal), (D.Normal, First), (First, First)):
            del D.kl._KL_REGISTRY[pair]
        D.kl._KL_MEMOIZE.clear()
        return answers

    agree_between("dispatch", run)
    agree_between("not a class", lambda L: L.distributions.register_kl(1, L.distributions.Normal))
