"""Transforms, constraints and what maps onto them, held to PyTorch."""

from __future__ import annotations

import pytest

import lumbre
from tests.distributions.cases import agree, agree_between, outcome, t, to_own

torch = pytest.importorskip("torch")

TRANSFORMS = {
    "exp": lambda D, L: D.ExpTransform(),
    "power": lambda D, L: D.PowerTransform(L.tensor(2.0)),
    "powers": lambda D, L: D.PowerTransform(t(L, -1.0, 0.5, 3.0)),
    "sigmoid": lambda D, L: D.SigmoidTransform(),
    "softplus": lambda D, L: D.SoftplusTransform(),
    "tanh": lambda D, L: D.TanhTransform(),
    "abs": lambda D, L: D.AbsTransform(),
    "affine": lambda D, L: D.AffineTransform(1.0, -2.0),
    "affine tensors": lambda D, L: D.AffineTransform(t(L, 1.0, 2.0, 3.0), t(L, -1.0, 2.0, 3.0)),
    "affine event": lambda D, L: D.AffineTransform(t(L, 1.0, 2.0, 3.0), t(L, -1.0, 2.0, 3.0), event_dim=1),
    "affine tensor": lambda D, L: D.AffineTransform(0.0, L.tensor(2.0), event_dim=1),
    "affine matrices": lambda D, L: D.AffineTransform(0.0, 2.0, event_dim=2),
    "softmax": lambda D, L: D.SoftmaxTransform(),
    "stick breaking": lambda D, L: D.StickBreakingTransform(),
    "correlation": lambda D, L: D.CorrCholeskyTransform(),
    "lower cholesky": lambda D, L: D.LowerCholeskyTransform(),
    "positive definite": lambda D, L: D.PositiveDefiniteTransform(),
    "reshape": lambda D, L: D.ReshapeTransform((3,), (1, 3)),
    "reshape matrix": lambda D, L: D.ReshapeTransform((2, 3), (6,)),
    "independent": lambda D, L: D.IndependentTransform(D.ExpTransform(), 1),
    "independent thrice": lambda D, L: D.IndependentTransform(D.ExpTransform(), 3),
    "compose": lambda D, L: D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)]),
    "compose into events": lambda D, L: D.ComposeTransform([D.AffineTransform(1.0, 2.0), D.StickBreakingTransform()]),
    "compose from events": lambda D, L: D.ComposeTransform([D.StickBreakingTransform(), D.ExpTransform()]),
    "identity": lambda D, L: D.identity_transform,
    "cat": lambda D, L: D.CatTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0), D.TanhTransform()], dim=-1),
    "cat rows": lambda D, L: D.CatTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)], dim=0, lengths=[1, 1]),
    "cat lengths": lambda D, L: D.CatTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0, 1)], -1, [1, 2]),
    "stack": lambda D, L: D.StackTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0), D.TanhTransform()], dim=1),
    "stack rows": lambda D, L: D.StackTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)]),
    "normal cdf": lambda D, L: D.CumulativeDistributionTransform(D.Normal(0.0, 1.0)),
    "weibull cdf": lambda D, L: D.CumulativeDistributionTransform(D.Weibull(1.0, 2.0)),
}
INPUTS = [
    torch.tensor([0.3, 0.7, 1.2]),
    torch.tensor([[0.3, 0.7, -1.2], [-0.1, 0.4, 2.0]]),
    torch.tensor(0.5),
    torch.tensor([[0.3, 0.2, 0.2], [0.1, 0.4, 0.9], [0.1, 0.2, 0.3]]),
    torch.zeros(2, 2, 3),
]
SHAPES = [(), (3,), (2, 3), (6,), (4, 4), (3, 3, 3), (1, 3)]


def unequal_shapes(error):
    return isinstance(error, RuntimeError) and "broadcast" in str(error)


def both_ways(name):
    """The transform and its inverse, ours and PyTorch's."""
    own = TRANSFORMS[name](lumbre.distributions, lumbre)
    theirs = TRANSFORMS[name](torch.distributions, torch)
    return [(name, own, theirs), (f"{name} inverse", own.inv, theirs.inv)]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_they_say_of_themselves(name):
    again, theirs_again = (TRANSFORMS[name](library.distributions, library) for library in (lumbre, torch))
    for what, own, theirs in both_ways(name):
        agree(f"{what} repr", lambda: repr(own), lambda: repr(theirs))  # noqa: B023
        for attribute in ("bijective", "sign", "event_dim", "domain", "codomain"):
            agree(f"{what} {attribute}", lambda: getattr(own, attribute), lambda: getattr(theirs, attribute))  # noqa: B023
        for side in ("domain", "codomain"):
            for attribute in ("event_dim", "is_discrete"):
                agree(
                    f"{what} {side} {attribute}",
                    lambda: getattr(getattr(own, side), attribute),  # noqa: B023
                    lambda: getattr(getattr(theirs, side), attribute),  # noqa: B023
                )
        assert (own.inv is own.inv, own.inv.inv is own) == (theirs.inv is theirs.inv, theirs.inv.inv is theirs)
        assert (own == again, own != again, own == again.inv) == (
            theirs == theirs_again, theirs != theirs_again, theirs == theirs_again.inv
        )  # fmt: skip
        for shape in SHAPES:
            for method in ("forward_shape", "inverse_shape"):
                expected, _ = outcome(lambda: getattr(theirs, method)(torch.Size(shape)))  # noqa: B023
                if unequal_shapes(expected):
                    assert unequal_shapes(outcome(lambda: getattr(own, method)(lumbre.Size(shape)))[0])  # noqa: B023
                    continue
                agree(
                    f"{what} {method}{shape}",
                    lambda: getattr(own, method)(lumbre.Size(shape)),  # noqa: B023
                    lambda: getattr(theirs, method)(torch.Size(shape)),  # noqa: B023
                )


@pytest.mark.parametrize("name", TRANSFORMS)
def test_values(name):
    for what, own, theirs in both_ways(name):
        for x in INPUTS:
            mine = to_own(x)
            y = agree(f"{what} forward", lambda: own(mine), lambda: theirs(x))  # noqa: B023
            agree(f"{what} domain", lambda: own.domain.check(mine), lambda: theirs.domain.check(x))  # noqa: B023
            if isinstance(y, Exception):
                continue
            ours = to_own(y)
            agree(f"{what} back", lambda: own.inv(ours), lambda: theirs.inv(y))  # noqa: B023
            agree(
                f"{what} jacobian",
                lambda: own.log_abs_det_jacobian(mine, ours),  # noqa: B023
                lambda: theirs.log_abs_det_jacobian(x, y),  # noqa: B023
            )
            agree(f"{what} codomain", lambda: own.codomain.check(ours), lambda: theirs.codomain.check(y))  # noqa: B023


@pytest.mark.parametrize("name", TRANSFORMS)
def test_caches(name):
    def remembered(L, x):
        transform = TRANSFORMS[name](L.distributions, L).with_cache()
        y = transform(x)
        z = transform.inv(transform(x))
        return transform._cache_size, transform(x) is y, z is x, transform.with_cache() is transform

    for x in INPUTS:
        agree(name, lambda: remembered(lumbre, to_own(x)), lambda: remembered(torch, x))  # noqa: B023


def test_gradients_through_transforms():
    def slope(L):
        D = L.distributions
        x = L.tensor([0.3, -0.7, 1.2], requires_grad=True)
        factor = D.CorrCholeskyTransform()(x)
        D.ComposeTransform([D.TanhTransform(), D.AffineTransform(1.0, 2.0)])(factor).square().sum().backward()
        return x.grad

    agree_between("slope", slope)


def library_constraint(name):
    return lambda C, L: getattr(C, name)


CONSTRAINTS = {
    name: library_constraint(name)
    for name in (
        "boolean", "corr_cholesky", "dependent", "lower_cholesky", "lower_triangular", "nonnegative",
        "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
        "real", "real_vector", "simplex", "square", "symmetric", "unit_interval",
    )
} | {
    "greater than": lambda C, L: C.greater_than(2.0),
    "greater than whole": lambda C, L: C.greater_than(2),
    "greater than tensor": lambda C, L: C.greater_than(t(L, 1.0, 2.0, 3.0)),
    "greater or equal": lambda C, L: C.greater_than_eq(-1.0),
    "less than": lambda C, L: C.less_than(3.0),
    "interval": lambda C, L: C.interval(-1.0, 2.0),
    "interval to one": lambda C, L: C.interval(0, 1),
    "half open": lambda C, L: C.half_open_interval(0.0, 1.0),
    "half open above": lambda C, L: C.half_open_interval(1.0, 3.0),
    "integers": lambda C, L: C.integer_interval(1, 3),
    "counts": lambda C, L: C.multinomial(4),
    "independent": lambda C, L: C.independent(C.positive, 1),
    "independent none": lambda C, L: C.independent(C.positive, 0),
    "cat": lambda C, L: C.cat([C.positive, C.real], -1, [1, 2]),
    "cat elsewhere": lambda C, L: C.cat([C.positive, C.real], 7, [1, 2]),
    "cat of wrong lengths": lambda C, L: C.cat([C.positive, C.real], 0, [1]),
    "cat of numbers": lambda C, L: C.cat([1]),
    "stack": lambda C, L: C.stack([C.positive, C.real, C.unit_interval], -1),
    "stack elsewhere": lambda C, L: C.stack([C.positive, C.real], 7),
    "stack of numbers": lambda C, L: C.stack([1]),
    "mixture": lambda C, L: C.MixtureSameFamilyConstraint(C.positive),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints(name):
    def make(library):
        return CONSTRAINTS[name](library.distributions.constraints, library)

    if isinstance(agree_between("repr", make), Exception):
        return
    own, theirs = make(lumbre), make(torch)
    assert type(own).__name__ == type(theirs).__name__
    for attribute in ("event_dim", "is_discrete"):
        agree(attribute, lambda: getattr(own, attribute), lambda: getattr(theirs, attribute))  # noqa: B023
    for x in [*INPUTS, torch.eye(3), torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 3.0, 2.0])]:
        agree(f"check {x}", lambda: own.check(to_own(x)), lambda: theirs.check(x))  # noqa: B023
    for registry in ("biject_to", "transform_to"):
        found, _ = outcome(lambda: getattr(lumbre.distributions, registry)(own))  # noqa: B023
        expected, _ = outcome(lambda: getattr(torch.distributions, registry)(theirs))  # noqa: B023
        agree(registry, lambda: found, lambda: expected)  # noqa: B023
        if isinstance(expected, Exception):
            assert str(found) == str(expected)
            continue
        for x in INPUTS:
            y = agree(f"{registry} forward", lambda: found(to_own(x)), lambda: expected(x))  # noqa: B023
            if not isinstance(y, Exception):
                agree(f"{registry} back", lambda: found.inv(to_own(y)), lambda: expected.inv(y))  # noqa: B023


WRONG = {
    "cache": lambda D, L: D.ExpTransform(cache_size=2),
    "cat of numbers": lambda D, L: D.CatTransform([1]),
    "cat of wrong lengths": lambda D, L: D.CatTransform([D.ExpTransform()], 0, [1, 2]),
    "stack of numbers": lambda D, L: D.StackTransform([1]),
    "sizes": lambda D, L: D.ReshapeTransform((2,), (3,)),
    "no constraint": lambda D, L: D.biject_to.register(3, lambda constraint: constraint),
    "no constraint's class": lambda D, L: D.transform_to.register(int)(lambda constraint: constraint),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    assert isinstance(agree_between(name, lambda L: WRONG[name](L.distributions, L)), Exception)


def test_own_constraints_register():
    def run(L):
        D = L.distributions

        class Even(D.constraints.Constraint):
            def check(self, value):
                return value % 2 == 0

        registry = D.constraint_registry.ConstraintRegistry()

        @registry.register(Even)
        def double(constraint):
            return D.AffineTransform(0, 2)

        return repr(registry(Even())), repr(Even()), repr(D.identity_transform)

    agree_between("registry", run)
