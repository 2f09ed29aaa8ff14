"""Distributions of every family by parameters, for Lumbre and PyTorch alike, and what it means that the two agree."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import lumbre

torch = pytest.importorskip("torch")


def t(library: Any, *values: float) -> Any:
    return library.tensor(list(values))


def matrix(library: Any, *rows: tuple[float, ...]) -> Any:
    return library.tensor([list(row) for row in rows])


def _transformed(L: Any) -> Any:
    D = L.distributions
    steps = [D.TanhTransform(cache_size=1), D.AffineTransform(1.0, t(L, 2.0, -3.0))]
    return D.TransformedDistribution(D.Normal(t(L, 0.5, -1.0), t(L, 0.3, 2.0)), steps)


def _mixture(L: Any) -> Any:
    D = L.distributions
    choice = D.Categorical(matrix(L, (0.3, 0.7), (0.5, 0.5)))
    return D.MixtureSameFamily(choice, D.Normal(matrix(L, (0.0, 2.0), (1.0, 5.0)), 1.0))


# name: what makes it from torch.distributions and the library
_CASES = {
    "bernoulli": lambda D, L: D.Bernoulli(t(L, 0.2, 0.5, 0.9)),
    "bernoulli logits": lambda D, L: D.Bernoulli(logits=t(L, 0.2, -3.0)),
    "bernoulli number": lambda D, L: D.Bernoulli(0.3),
    "beta": lambda D, L: D.Beta(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "beta numbers": lambda D, L: D.Beta(2.0, 0.5),
    "binomial": lambda D, L: D.Binomial(5, t(L, 0.2, 0.7)),
    "binomial logits": lambda D, L: D.Binomial(t(L, 5.0, 9.0), logits=t(L, 0.2, -0.7)),
    "categorical": lambda D, L: D.Categorical(t(L, 1.0, 2.0, 3.0)),
    "categorical logits": lambda D, L: D.Categorical(logits=matrix(L, (0.1, 2.0), (1.0, -1.0))),
    "cauchy": lambda D, L: D.Cauchy(t(L, 0.2, 1.0), t(L, 0.5, 0.3)),
    "chi-squared": lambda D, L: D.Chi2(t(L, 2.0, 1.0)),
    "continuous bernoulli": lambda D, L: D.ContinuousBernoulli(t(L, 0.1, 0.4995, 0.5, 0.5009, 0.8)),
    "continuous bernoulli logits": lambda D, L: D.ContinuousBernoulli(logits=t(L, 0.1, -2.0, 3.0)),
    "continuous bernoulli number": lambda D, L: D.ContinuousBernoulli(0.3, lims=(0.4, 0.6)),
    "dirichlet": lambda D, L: D.Dirichlet(matrix(L, (0.2, 3.0, 1.0), (0.5, 0.5, 9.0))),
    "exponential": lambda D, L: D.Exponential(t(L, 0.2, 3.0)),
    "fisher-snedecor": lambda D, L: D.FisherSnedecor(t(L, 1.0, 3.0, 8.0), t(L, 1.0, 3.0, 8.0)),
    "fisher-snedecor numbers": lambda D, L: D.FisherSnedecor(3.0, 5.0),
    "gamma": lambda D, L: D.Gamma(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "gamma numbers": lambda D, L: D.Gamma(2.0, 3.0),
    "generalized pareto": lambda D, L: D.GeneralizedPareto(
        t(L, 1.0, 2.0, 0.5), t(L, 1.5, 0.7, 3.0), t(L, 0.0, -0.4, 0.3)
    ),
    "generalized pareto numbers": lambda D, L: D.GeneralizedPareto(0.0, 1.0, 0.2),
    "geometric": lambda D, L: D.Geometric(t(L, 0.2, 0.7)),
    "geometric logits": lambda D, L: D.Geometric(logits=t(L, 0.2, -0.7)),
    "gumbel": lambda D, L: D.Gumbel(t(L, 0.0, 1.0), t(L, 1.0, 0.3)),
    "gumbel numbers": lambda D, L: D.Gumbel(0.0, 2.0),
    "half-cauchy": lambda D, L: D.HalfCauchy(t(L, 1.0, 2.0, 0.5)),
    "half-normal": lambda D, L: D.HalfNormal(t(L, 0.2, 1.0)),
    "independent": lambda D, L: D.Independent(D.Normal(L.zeros(2, 3), L.ones(3)), 1),
    "independent bernoulli": lambda D, L: D.Independent(D.Bernoulli(t(L, 0.2, 0.7)), 0),
    "inverse gamma": lambda D, L: D.InverseGamma(t(L, 0.5, 2.5, 1.5), t(L, 1.0, 2.0, 3.0)),
    "kumaraswamy": lambda D, L: D.Kumaraswamy(t(L, 1.0, 2.0, 0.5), t(L, 1.5, 0.7, 3.0)),
    "laplace": lambda D, L: D.Laplace(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "lkj": lambda D, L: D.LKJCholesky(3, 0.5),
    "lkj batch": lambda D, L: D.LKJCholesky(4, t(L, 1.0, 2.0)),
    "log normal": lambda D, L: D.LogNormal(t(L, 0.2, 1.0), t(L, 0.5, 0.3)),
    "logistic normal": lambda D, L: D.LogisticNormal(t(L, 1.0, 2.0, 0.5), t(L, 1.5, 0.7, 3.0)),
    "logistic normal numbers": lambda D, L: D.LogisticNormal(0.0, 1.0),
    "low rank": lambda D, L: D.LowRankMultivariateNormal(
        t(L, 1.0, 2.0, 0.5), matrix(L, (1.0, 0.5), (0.3, -0.2), (0.0, 1.0)), t(L, 1.0, 0.5, 2.0)
    ),
    "low rank batch": lambda D, L: D.LowRankMultivariateNormal(
        L.zeros(2, 3), matrix(L, (1.0,), (0.3,), (0.0,)), t(L, 1.0, 0.5, 2.0)
    ),
    "mixture": lambda D, L: _mixture(L),
    "multinomial": lambda D, L: D.Multinomial(5, t(L, 0.2, 0.7, 0.1)),
    "multivariate": lambda D, L: D.MultivariateNormal(t(L, 1.0, 2.0), matrix(L, (2.0, 0.5), (0.5, 1.0))),
    "multivariate factor": lambda D, L: D.MultivariateNormal(
        t(L, 1.0, 2.0, 0.0), scale_tril=matrix(L, (2.0, 0.0, 0.0), (0.5, 1.0, 0.0), (0.1, -0.3, 0.4))
    ),
    "multivariate precision": lambda D, L: D.MultivariateNormal(
        L.zeros(3, 2), precision_matrix=matrix(L, (2.0, 0.5), (0.5, 1.0))
    ),
    "negative binomial": lambda D, L: D.NegativeBinomial(t(L, 3.0, 5.0, 0.0), t(L, 0.1, 0.9, 0.5)),
    "negative binomial logits": lambda D, L: D.NegativeBinomial(4, logits=t(L, 0.1, -2.0, 3.0)),
    "normal": lambda D, L: D.Normal(t(L, 0.5, -1.0), t(L, 0.3, 2.0)),
    "normal numbers": lambda D, L: D.Normal(0.5, 2.0),
    "one-hot": lambda D, L: D.OneHotCategorical(t(L, 1.0, 2.0, 3.0)),
    "pareto": lambda D, L: D.Pareto(t(L, 1.0, 2.0, 0.5), t(L, 1.5, 0.7, 3.0)),
    "poisson": lambda D, L: D.Poisson(t(L, 0.2, 3.0, 40.0)),
    "relaxed bernoulli": lambda D, L: D.RelaxedBernoulli(L.tensor(0.7), t(L, 0.1, 0.6)),
    "relaxed bernoulli logits": lambda D, L: D.RelaxedBernoulli(L.tensor(0.7), logits=t(L, 0.1, 0.6)),
    "relaxed logit": lambda D, L: D.relaxed_bernoulli.LogitRelaxedBernoulli(L.tensor(0.7), t(L, 0.1, 0.6)),
    "relaxed one-hot": lambda D, L: D.RelaxedOneHotCategorical(L.tensor(0.7), t(L, 0.1, 0.6, 0.3)),
    "relaxed one-hot logits": lambda D, L: D.RelaxedOneHotCategorical(L.tensor(0.7), logits=L.zeros(2, 3)),
    "relaxed logarithms": lambda D, L: D.relaxed_categorical.ExpRelaxedCategorical(L.tensor(0.7), t(L, 0.1, 0.6, 0.3)),
    "sticks": lambda D, L: D.TransformedDistribution(D.Normal(L.zeros(3), 1.0), D.StickBreakingTransform()),
    "straight through": lambda D, L: D.OneHotCategoricalStraightThrough(t(L, 1.0, 2.0, 3.0)),
    "student": lambda D, L: D.StudentT(t(L, 2.5, 1.5, 0.5), t(L, 0.5, 0.3, 0.0)),
    "transformed": lambda D, L: _transformed(L),
    "uniform": lambda D, L: D.Uniform(t(L, 0.0, -1.0), t(L, 1.0, 3.0)),
    "von mises": lambda D, L: D.VonMises(t(L, 1.0, 2.0, 0.5), t(L, 1.5, 0.7, 13.0)),
    "weibull": lambda D, L: D.Weibull(t(L, 1.0, 2.0), t(L, 1.5, 0.7)),
    "weibull numbers": lambda D, L: D.Weibull(1.0, 2.0),
    "wishart": lambda D, L: D.Wishart(L.tensor(3.5), matrix(L, (2.0, 0.5), (0.5, 1.0))),
    "wishart factors": lambda D, L: D.Wishart(t(L, 3.5, 4.0), scale_tril=matrix(L, (2.0, 0.0), (0.5, 1.0))),
    "wishart precision": lambda D, L: D.Wishart(3, precision_matrix=matrix(L, (2.0, 0.5), (0.5, 1.0))),
}
MAKERS = {name: (lambda L, make=make: make(L.distributions, L)) for name, make in _CASES.items()}


def named(text: object) -> str:
    """Text with PyTorch's name for ours."""
    return str(text).replace("lumbre.", "torch.")


def to_own(value: Any) -> Any:
    """PyTorch's tensor as ours."""
    return lumbre.tensor(value.tolist(), dtype=getattr(lumbre, str(value.dtype).split(".")[-1]))


def outcome(run: Any) -> tuple[Any, list[tuple[str, str]]]:
    """What a program gives, or the exception it ends with, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = run()
        except Exception as error:
            value = error
    return value, [(each.category.__name__, named(each.message)) for each in caught]


def agree(what: str, own_run: Any, their_run: Any, tolerance: float = 1e-5) -> Any:
    """Runs both and holds values, shapes, dtypes, text, warnings and errors against each other; gives PyTorch's."""
    theirs, their_warnings = outcome(their_run)
    own, own_warnings = outcome(own_run)
    if isinstance(theirs, Exception):
        assert type(own).__name__ == type(theirs).__name__, (what, own, theirs)
        assert named(own).split("\n")[0] == str(theirs).split("\n")[0], what
        return theirs
    assert not isinstance(own, Exception), (what, repr(own))
    assert own_warnings == their_warnings, what
    if isinstance(theirs, torch.Tensor):
        assert str(own.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1], what
        assert tuple(own.shape) == tuple(theirs.shape), what
        torch.testing.assert_close(
            torch.tensor(own.tolist(), dtype=torch.float64),
            torch.tensor(theirs.tolist(), dtype=torch.float64),
            rtol=tolerance, atol=tolerance, equal_nan=True, msg=lambda text: f"{what}: {text}",
        )  # fmt: skip
    else:
        assert named(own) == str(theirs), what
    return theirs


def agree_between(what: str, run: Any, tolerance: float = 1e-5) -> Any:
    """``agree`` for a program that takes the library."""
    return agree(what, lambda: run(lumbre), lambda: run(torch), tolerance)
