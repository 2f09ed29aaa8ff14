"""Dual tensors, linearize, and maps over a batch."""

from __future__ import annotations

import copy

import pytest

import lumbre as torch
from lumbre.autograd import forward_ad


def test_dual_tensors_carry_tangents():
    x, v = torch.full((3,), 2.0), torch.arange(3.0)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, v)
        assert forward_ad.unpack_dual(dual * dual).tangent.tolist() == [0.0, 4.0, 8.0]
        assert forward_ad.unpack_dual(x).tangent is None
        written = forward_ad.make_dual(x.clone(), v)
        written.mul_(3).add_(dual)
        assert forward_ad.unpack_dual(written).tangent.tolist() == [0.0, 4.0, 8.0]
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(x, v)


def test_tangents_are_differentiable():
    x, v = torch.ones(3, requires_grad=True), torch.arange(3.0)
    with forward_ad.dual_level():
        forward_ad.unpack_dual((forward_ad.make_dual(x, v) ** 3).sum()).tangent.backward()
    assert x.grad.tolist() == [0.0, 6.0, 12.0]


def test_linearize_goes_with_jvp():
    x = torch.linspace(-1, 1, 4, dtype=torch.float64)
    v = torch.arange(4.0, dtype=torch.float64)

    def function(t):
        return {"sum": t.sin().sum(), "square": (t * t,)}

    value, push = torch.func.linearize(function, x)
    expected = torch.func.jvp(function, (x,), (v,))
    assert value["sum"].equal(expected[0]["sum"])
    assert push(v)["sum"].equal(expected[1]["sum"]) and push(v)["square"][0].equal(2 * x * v)


def test_nested_transforms():
    x = torch.tensor([1.0, 2.0])
    expected = torch.diag(12 * x * x)
    for outer in (torch.func.jacfwd, torch.func.jacrev):
        for inner in (torch.func.jacfwd, torch.func.jacrev):
            assert outer(inner(lambda t: (t**4).sum()))(x).allclose(expected)


def test_per_sample_gradients():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    x, y = torch.randn(5, 3), torch.randn(5, 1)

    def loss(parameters, x, y):
        return ((torch.func.functional_call(model, parameters, (x[None],)) - y) ** 2).mean()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for i in range(5):
        model.zero_grad()
        ((model(x[i : i + 1]) - y[i]) ** 2).mean().backward()
        for name, p in model.named_parameters():
            assert found[name][i].allclose(p.grad, atol=1e-6)


def test_ensembles():
    models = [torch.nn.Linear(3, 2) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)
    base, x = copy.deepcopy(models[0]), torch.randn(4, 3)

    def call(parameters, buffers, x):
        return torch.func.functional_call(base, (parameters, buffers), (x,))

    found = torch.func.vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    assert found.allclose(torch.stack([model(x) for model in models]))
    found.sum().backward()
    assert parameters["weight"].grad.shape == (3, 2, 3)


def test_structures_of_dimensions():
    x = torch.arange(6.0).reshape(2, 3)
    double = torch.vmap(lambda d: {"a": d["a"] * d["b"], "l": (d["a"],)}, ({"a": 0, "b": None},), {"a": 1, "l": 0})
    found = double({"a": x, "b": 2.0})
    assert found["a"].equal((2 * x).t()) and found["l"][0].equal(x)
    assert torch.vmap(lambda a, b: a * b)(torch.ones(2), b=torch.ones(2)).shape == (2, 2)  # named: the same for all
    assert torch.vmap(torch.vmap(torch.mul, (None, 0)), (0, None))(torch.ones(2), torch.ones(3)).shape == (2, 3)
    assert torch.vmap(lambda a: (a.sum(), a * 2), out_dims=(0, -1))(torch.ones(0, 3))[1].shape == (3, 0)


def test_draws():
    x = torch.zeros(3, 4)
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        torch.vmap(lambda a: a + torch.rand(4))(x)
    same = torch.vmap(lambda a: a + torch.rand(4), randomness="same")(x)
    assert same[0].equal(same[1]) and same[0].equal(same[2])
    torch.manual_seed(0)
    different = torch.vmap(lambda a: a + torch.rand(4), randomness="different")(x)
    torch.manual_seed(0)
    assert different.equal(torch.rand(3, 4))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: torch.vmap(torch.mul)(x, 3), ValueError, "Got in_dim=0 for an input but the input is of type"),
        (lambda x: torch.vmap(torch.mul, (0, 5))(x, x), ValueError, "expected in_dim to satisfy -2 <= in_dim < 2"),
        (lambda x: torch.vmap(torch.mul, [0, 0])(x, x), ValueError, "expected `in_dims` to be int or a"),
        (lambda x: torch.vmap(torch.mul, (0,))(x, x), ValueError, "in_dims is not compatible with the structure"),
        (lambda x: torch.vmap(torch.mul, (None, None))(x, x), ValueError, "Expected at least one Tensor to vmap over"),
        (lambda x: torch.vmap(torch.mul)(x, x.t()), ValueError, r"got sizes \[2, 3\] for the mapped dimension"),
        (lambda x: torch.vmap(lambda a: 3)(x), ValueError, "must only return Tensors, got type <class 'int'>"),
        (lambda x: torch.vmap(lambda a: a, 0, None)(x), ValueError, "can not return a BatchedTensor"),
        (lambda x: torch.vmap(torch.sin, chunk_size=0)(x), ValueError, "chunk_size should be None or greater than 0"),
        (lambda x: torch.func.jvp(torch.sin, (x,), (x, x)), RuntimeError, "to have the same python structure"),
        (lambda x: torch.func.jvp(lambda a: 3, (x,), (x,)), RuntimeError, "to return only tensors, got unsupported"),
        (lambda x: torch.func.grad(torch.sin)(x), RuntimeError, "a scalar Tensor, got tensor with 2 dims"),
    ],
)
def test_refusals(call, kind, message):
    with pytest.raises(kind, match=message):
        call(torch.arange(6.0).reshape(2, 3))
