"""Distributions held to PyTorch: draws from one seed, densities, moments, errors, text."""

from __future__ import annotations

import pytest

import lumbre

torch = pytest.importorskip("torch")


def t(library, *values, dtype="float32"):
    return library.tensor(list(values), dtype=getattr(library, dtype))


MAKERS = {
    "normal": lambda L: L.distributions.Normal(t(L, 0.5, -1.0), t(L, 0.3, 2.0)),
    "normal numbers": lambda L: L.distributions.Normal(0.5, 2.0),
    "uniform": lambda L: L.distributions.Uniform(t(L, 0.0, -1.0), t(L, 1.0, 3.0)),
    "categorical": lambda L: L.distributions.Categorical(t(L, 1.0, 2.0, 3.0)),
    "categorical logits": lambda L: L.distributions.Categorical(logits=L.tensor([[0.1, 2.0], [1.0, -1.0]])),
    "bernoulli": lambda L: L.distributions.Bernoulli(t(L, 0.2, 0.5, 0.9)),
    "bernoulli logits": lambda L: L.distributions.Bernoulli(logits=t(L, 0.2, -3.0)),
    "cauchy": lambda L: L.distributions.Cauchy(t(L, 0.2, 1.0), t(L, 0.5, 0.3)),
    "half-normal": lambda L: L.distributions.HalfNormal(t(L, 0.2, 1.0)),
    "chi-squared": lambda L: L.distributions.Chi2(t(L, 2.0, 1.0)),
    "student": lambda L: L.distributions.StudentT(t(L, 2.5, 1.5, 0.5), t(L, 0.5, 0.3, 0.0)),
    "geometric": lambda L: L.distributions.Geometric(t(L, 0.2, 0.7)),
    "mixture": lambda L: L.distributions.MixtureSameFamily(
        L.distributions.Categorical(L.tensor([[0.3, 0.7], [0.5, 0.5]])),
        L.distributions.Normal(L.tensor([[0.0, 2.0], [1.0, 5.0]]), 1.0),
    ),
    "binomial": lambda L: L.distributions.Binomial(5, t(L, 0.2, 0.7)),
    "multinomial": lambda L: L.distributions.Multinomial(5, t(L, 0.2, 0.7, 0.1)),
    "log normal": lambda L: L.distributions.LogNormal(t(L, 0.2, 1.0), t(L, 0.5, 0.3)),
    "one-hot": lambda L: L.distributions.OneHotCategorical(t(L, 1.0, 2.0, 3.0)),
    "straight through": lambda L: L.distributions.OneHotCategoricalStraightThrough(t(L, 1.0, 2.0, 3.0)),
    "transformed": lambda L: L.distributions.TransformedDistribution(
        L.distributions.Normal(t(L, 0.5, -1.0), t(L, 0.3, 2.0)),
        [L.distributions.TanhTransform(cache_size=1), L.distributions.AffineTransform(1.0, t(L, 2.0, -3.0))],
    ),
    "sticks": lambda L: L.distributions.TransformedDistribution(
        L.distributions.Normal(L.zeros(3), 1.0), L.distributions.StickBreakingTransform()
    ),
    "exponential": lambda L: L.distributions.Exponential(t(L, 0.2, 3.0)),
    "poisson": lambda L: L.distributions.Poisson(t(L, 0.2, 3.0, 40.0)),
    "laplace": lambda L: L.distributions.Laplace(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "gamma": lambda L: L.distributions.Gamma(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "beta": lambda L: L.distributions.Beta(t(L, 0.2, 3.0), t(L, 1.0, 0.5)),
    "dirichlet": lambda L: L.distributions.Dirichlet(L.tensor([[0.2, 3.0, 1.0], [0.5, 0.5, 9.0]])),
    "independent": lambda L: L.distributions.Independent(L.distributions.Normal(L.zeros(2, 3), L.ones(3)), 1),
    "multivariate": lambda L: L.distributions.MultivariateNormal(t(L, 1.0, 2.0), L.tensor([[2.0, 0.5], [0.5, 1.0]])),
    "multivariate precision": lambda L: L.distributions.MultivariateNormal(
        L.zeros(3, 2), precision_matrix=L.tensor([[2.0, 0.5], [0.5, 1.0]])
    ),
}


def named(text):
    return str(text).replace("lumbre.", "torch.")


def close(own, theirs, tolerance=2e-6):
    assert str(own.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    assert tuple(own.shape) == tuple(theirs.shape)
    torch.testing.assert_close(
        torch.tensor(own.tolist()), torch.tensor(theirs.tolist()), rtol=tolerance, atol=tolerance, equal_nan=True
    )


@pytest.mark.parametrize("name", MAKERS)
def test_draws_densities_and_moments(name):
    own, theirs = MAKERS[name](lumbre), MAKERS[name](torch)
    assert named(repr(own)) == repr(theirs)
    assert tuple(own.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(own.event_shape) == tuple(theirs.event_shape)
    assert named(repr(own.support)) == repr(theirs.support)
    for shape in ((), (7,), (3, 20)):
        lumbre.manual_seed(5), torch.manual_seed(5)
        a, b = own.sample(shape), theirs.sample(shape)
        close(a, b)
        assert lumbre.rand(1).tolist() == torch.rand(1).tolist()
        close(own.log_prob(lumbre.tensor(b.tolist(), dtype=a.dtype)), theirs.log_prob(b), 2e-5)
        if theirs.has_rsample:
            lumbre.manual_seed(5), torch.manual_seed(5)
            close(own.rsample(shape), theirs.rsample(shape))
    if type(theirs) is torch.distributions.TransformedDistribution:
        return
    for what in ("mean", "mode", "variance", "stddev"):
        try:
            expected = getattr(theirs, what)
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                getattr(own, what)
            continue
        close(getattr(own, what), expected)
    try:
        expected = theirs.entropy()
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            own.entropy()
    else:
        close(own.entropy(), expected, 2e-5)
    wide, expected = own.expand((4, *own.batch_shape)), theirs.expand((4, *theirs.batch_shape))
    assert named(repr(wide)) == repr(expected)


@pytest.mark.parametrize("name", ["normal", "uniform", "laplace", "exponential", "gamma"])
def test_cumulative(name):
    own, theirs = MAKERS[name](lumbre), MAKERS[name](torch)
    close(own.cdf(lumbre.tensor([0.25, 0.5])), theirs.cdf(torch.tensor([0.25, 0.5])))
    if name != "gamma":
        close(own.icdf(lumbre.tensor([0.25, 0.5])), theirs.icdf(torch.tensor([0.25, 0.5])))


@pytest.mark.parametrize("name", ["normal", "bernoulli", "categorical", "exponential", "poisson", "laplace", "gamma",
                                  "beta", "dirichlet", "multivariate", "uniform", "independent"])  # fmt: skip
def test_divergence(name):
    other = {
        "normal": lambda L: L.distributions.Normal(t(L, 0.0, 1.0), t(L, 1.0, 1.0)),
        "bernoulli": lambda L: L.distributions.Bernoulli(t(L, 0.5, 0.1, 0.2)),
        "categorical": lambda L: L.distributions.Categorical(t(L, 3.0, 2.0, 1.0)),
        "exponential": lambda L: L.distributions.Exponential(t(L, 1.0, 2.0)),
        "poisson": lambda L: L.distributions.Poisson(t(L, 1.0, 2.0, 3.0)),
        "laplace": lambda L: L.distributions.Laplace(t(L, 0.0, 1.0), t(L, 1.0, 1.0)),
        "gamma": lambda L: L.distributions.Gamma(t(L, 1.0, 2.0), t(L, 2.0, 1.0)),
        "beta": lambda L: L.distributions.Beta(t(L, 1.0, 2.0), t(L, 2.0, 1.0)),
        "dirichlet": lambda L: L.distributions.Dirichlet(t(L, 1.0, 2.0, 3.0)),
        "multivariate": lambda L: L.distributions.MultivariateNormal(t(L, 0.0, 0.5), L.eye(2)),
        "uniform": lambda L: L.distributions.Uniform(t(L, -1.0, 0.0), t(L, 2.0, 4.0)),
        "independent": lambda L: L.distributions.Independent(L.distributions.Normal(L.ones(2, 3), L.ones(3)), 1),
    }[name]
    own = lumbre.distributions.kl_divergence(MAKERS[name](lumbre), other(lumbre))
    close(own, torch.distributions.kl_divergence(MAKERS[name](torch), other(torch)), 2e-5)


WRONG = {
    "negative scale": lambda L: L.distributions.Normal(t(L, 1.0, 2.0), -1.0),
    "text": lambda L: L.distributions.Normal("a", 1),
    "no weights": lambda L: L.distributions.Categorical(),
    "scalar weights": lambda L: L.distributions.Categorical(L.tensor(1.0)),
    "negative weights": lambda L: L.distributions.Categorical(t(L, -1.0, 2.0)),
    "beyond the support": lambda L: L.distributions.Categorical(L.ones(2, 3)).log_prob(L.tensor(3)),
    "number for a value": lambda L: L.distributions.Normal(0.0, 1.0).log_prob(3),
    "shape": lambda L: L.distributions.Normal(L.zeros(2), 1.0).log_prob(L.zeros(3)),
    "event shape": lambda L: L.distributions.MultivariateNormal(L.zeros(2), L.eye(2)).log_prob(L.tensor(1.0)),
    "crossed bounds": lambda L: L.distributions.Uniform(1.0, 0.0),
    "singular": lambda L: L.distributions.MultivariateNormal(L.zeros(2), L.ones(2, 2)),
    "no matrix": lambda L: L.distributions.MultivariateNormal(L.zeros(2)),
    "too many dimensions": lambda L: L.distributions.Independent(L.distributions.Normal(L.zeros(3), 1.0), 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    with pytest.raises(Exception) as expected:
        WRONG[name](torch)
    with pytest.raises(type(expected.value)) as own:
        WRONG[name](lumbre)
    assert named(own.value).split("\n") == str(expected.value).split("\n")


@pytest.mark.parametrize("maker", [
    lambda L, x: L.distributions.Normal(x, x).rsample((5,)),
    lambda L, x: L.distributions.Gamma(x, x).rsample((5,)),
    lambda L, x: L.distributions.Beta(x, x + 1).rsample((5,)),
    lambda L, x: L.distributions.Dirichlet(x).rsample((5,)) * L.arange(3.0),
    lambda L, x: L.distributions.Categorical(logits=x).log_prob(L.tensor(1)),
])  # fmt: skip
def test_gradients(maker):
    lumbre.manual_seed(1), torch.manual_seed(1)
    own = lumbre.tensor([0.5, 2.0, 7.0], requires_grad=True)
    theirs = torch.tensor([0.5, 2.0, 7.0], requires_grad=True)
    maker(lumbre, own).sum().backward()
    maker(torch, theirs).sum().backward()
    # PyTorch approximates the slopes of gamma and beta draws to about three digits.
    close(own.grad, theirs.grad, 2e-3)


@pytest.mark.parametrize("maker", [
    lambda L: L.distributions.ExpTransform(),
    lambda L: L.distributions.PowerTransform(L.tensor(2.0)),
    lambda L: L.distributions.SigmoidTransform(),
    lambda L: L.distributions.SoftplusTransform(),
    lambda L: L.distributions.TanhTransform(),
    lambda L: L.distributions.AffineTransform(1.0, -2.0, event_dim=1),
    lambda L: L.distributions.StickBreakingTransform(),
    lambda L: L.distributions.IndependentTransform(L.distributions.ExpTransform(), 1),
    lambda L: L.distributions.ComposeTransform([L.distributions.TanhTransform(), L.distributions.ExpTransform()]),
])  # fmt: skip
def test_transforms(maker):
    own, theirs = maker(lumbre), maker(torch)
    x, z = lumbre.tensor([[0.3, 0.7, 1.2]]), torch.tensor([[0.3, 0.7, 1.2]])
    assert repr(own) == repr(theirs)
    assert repr(own.inv) == repr(theirs.inv)
    assert (repr(own.domain), repr(own.codomain)) == (repr(theirs.domain), repr(theirs.codomain))
    y, w = own(x), theirs(z)
    close(y, w)
    close(own.inv(y), theirs.inv(w), 1e-5)
    close(own.log_abs_det_jacobian(x, y), theirs.log_abs_det_jacobian(z, w), 1e-5)
    assert own == own
    assert own.inv.inv(x).tolist() == y.tolist()
