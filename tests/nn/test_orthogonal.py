"""Orthogonal weights, and cross entropy of a linear layer in parts."""

from __future__ import annotations

import pytest

import lumbre as torch


@pytest.mark.parametrize("map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_weights_stay_orthogonal(map, shape):
    torch.manual_seed(0)
    net = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(shape[1], shape[0]), orthogonal_map=map)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    before = net.weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.ones(1, shape[1])).exp().sum().backward()
        optimizer.step()
    weight = net.weight if shape[0] >= shape[1] else net.weight.T
    assert (weight.T @ weight).allclose(torch.eye(min(shape)), atol=1e-5)
    assert not net.weight.allclose(before)
    net.weight = torch.eye(*shape)
    assert net.weight.allclose(torch.eye(*shape), atol=1e-6)


def test_maps_without_a_base_cannot_be_assigned():
    net = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(2, 2), use_trivialization=False)
    with pytest.raises(NotImplementedError, match="It is not possible to assign to the matrix exponential"):
        net.weight = torch.eye(2)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_parts_give_the_whole(reduction):
    torch.manual_seed(0)
    x, w, target = torch.randn(7, 3), torch.randn(5, 3), torch.tensor([0, 1, -100, 3, 4, 0, 1])
    found = []
    for options in (None, torch.nn.LinearCrossEntropyOptions(batch_chunk_size=3)):
        leaves = [x.clone().requires_grad_(), w.clone().requires_grad_()]
        loss = torch.nn.functional.linear_cross_entropy(
            *leaves, target, weight=torch.arange(1.0, 6.0), reduction=reduction, options=options
        )
        loss.sum().backward()
        found.append([loss, *(leaf.grad for leaf in leaves)])
    assert all(a.allclose(b, atol=1e-6) for a, b in zip(*found, strict=True))
