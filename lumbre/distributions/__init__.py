"""``torch.distributions``: probability distributions; each loads when it is first asked for.

>>> torch.distributions.Normal(0., 1.)
Normal(loc: 0.0, scale: 1.0)
"""

from __future__ import annotations

from lumbre import _identity, _listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHERE = {
    "CatTransform": "transforms",
    "CorrCholeskyTransform": "transforms",
    "CumulativeDistributionTransform": "transforms",
    "LowerCholeskyTransform": "transforms",
    "PositiveDefiniteTransform": "transforms",
    "ReshapeTransform": "transforms",
    "StackTransform": "transforms",
    "ContinuousBernoulli": "continuous_bernoulli",
    "FisherSnedecor": "fishersnedecor",
    "GeneralizedPareto": "generalized_pareto",
    "Gumbel": "gumbel",
    "HalfCauchy": "half_cauchy",
    "InverseGamma": "inverse_gamma",
    "Kumaraswamy": "kumaraswamy",
    "LKJCholesky": "lkj_cholesky",
    "LogisticNormal": "logistic_normal",
    "LowRankMultivariateNormal": "lowrank_multivariate_normal",
    "NegativeBinomial": "negative_binomial",
    "Pareto": "pareto",
    "RelaxedBernoulli": "relaxed_bernoulli",
    "RelaxedOneHotCategorical": "relaxed_categorical",
    "VonMises": "von_mises",
    "Weibull": "weibull",
    "Wishart": "wishart",
    "biject_to": "constraint_registry",
    "transform_to": "constraint_registry",
    "AbsTransform": "transforms",
    "AffineTransform": "transforms",
    "ComposeTransform": "transforms",
    "ExpTransform": "transforms",
    "IndependentTransform": "transforms",
    "PowerTransform": "transforms",
    "SigmoidTransform": "transforms",
    "SoftmaxTransform": "transforms",
    "SoftplusTransform": "transforms",
    "StickBreakingTransform": "transforms",
    "TanhTransform": "transforms",
    "Transform": "transforms",
    "identity_transform": "transforms",
    "TransformedDistribution": "transformed_distribution",
    "LogNormal": "log_normal",
    "OneHotCategorical": "one_hot_categorical",
    "OneHotCategoricalStraightThrough": "one_hot_categorical",
    "Cauchy": "cauchy",
    "HalfNormal": "half_normal",
    "Chi2": "chi2",
    "StudentT": "studentT",
    "Geometric": "geometric",
    "MixtureSameFamily": "mixture_same_family",
    "Binomial": "binomial",
    "Multinomial": "multinomial",
    "Bernoulli": "bernoulli",
    "Beta": "beta",
    "Categorical": "categorical",
    "Dirichlet": "dirichlet",
    "Distribution": "distribution",
    "Exponential": "exponential",
    "ExponentialFamily": "exp_family",
    "Gamma": "gamma",
    "Independent": "independent",
    "Laplace": "laplace",
    "MultivariateNormal": "multivariate_normal",
    "Normal": "normal",
    "Poisson": "poisson",
    "Uniform": "uniform",
    "kl_divergence": "kl",
    "register_kl": "kl",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if (module := _listed.submodule(__name__, _WHERE.get(name, name))) is not None:
        value = globals()[name] = getattr(module, name) if name in _WHERE else module
        return value
    raise AttributeError(f"module '{_identity.prefix()}distributions' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


_listed.complete_dict(__name__, _WHERE)  # Pyro walks it
