"""Objects behind the graph: what Python's cycle collector finds, and what a tensor keeps although Python let go of it."""

from __future__ import annotations

import gc
import os
import resource
import weakref

import pytest

import lumbre as torch


class Probe:
    """Something whose end can be watched."""


class Tagged(torch.Tensor):
    pass


class Keeps(torch.autograd.Function):
    """A function whose context holds its result and a probe."""

    @staticmethod
    def forward(ctx, x, probe):
        ctx.probe, ctx.result = probe, x * 2
        return ctx.result

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def leaf():
    return torch.ones(2, requires_grad=True)


def holding(*objects):
    """A hook that keeps objects and changes nothing."""

    def hook(*_):
        return None if objects else 0

    return hook


def hook_of_a_leaf(probe):
    x = leaf()
    x.register_hook(holding(x, probe))


def hook_of_a_result(probe):
    x = leaf()
    y = x * 2
    y.register_hook(holding(y, probe))
    y.sum().backward()


def hook_of_a_node(probe):
    x = leaf()
    y = x * 2
    y.grad_fn.register_hook(holding(y, probe))


def prehook_of_a_node(probe):
    x = leaf()
    node = (x * 2).grad_fn
    node.register_prehook(holding(node, probe))


def hook_after_accumulation(probe):
    x = leaf()
    x.register_post_accumulate_grad_hook(holding(x, probe))
    (x * 2).sum().backward()


def context_of_a_function(probe):
    Keeps.apply(leaf(), probe)


def attribute_through_the_graph(probe):
    x = leaf()
    x.me, x.probe, x.result = x, probe, x * 2


def gradient_that_knows_its_tensor(probe):
    x = leaf()
    x.grad = torch.ones(2)
    x.grad.of, x.grad.probe = x, probe


def subclass(probe):
    x = torch.ones(2).as_subclass(Tagged)
    x.me, x.probe = x, probe


MAKERS = [
    hook_of_a_leaf, hook_of_a_result, hook_of_a_node, prehook_of_a_node, hook_after_accumulation, context_of_a_function,
    attribute_through_the_graph, gradient_that_knows_its_tensor, subclass,
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
def test_cycles_are_collected(make):
    probes = []
    for _ in range(3):
        probe = Probe()
        probes.append(weakref.ref(probe))
        make(probe)
        del probe
    gc.collect()
    gc.collect()  # what a tensor keeps is seen at the second look
    assert all(probe() is None for probe in probes)


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer holds back what was freed")
def test_memory_stays_flat():
    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def round():
        for make in MAKERS:
            make(bytearray(10_000))

    for _ in range(100):
        round()
    before = memory()
    for _ in range(1200):
        round()
    assert memory() - before < 20_000  # KiB; leaked probes alone would be 100,000


def test_a_tensor_keeps_its_object():
    p = torch.nn.Parameter(torch.ones(2))
    p.tag, identity, watched = 5, id(p), weakref.ref(p)
    y = p * 2
    del p
    for _ in range(3):  # more than once
        gc.collect()
        found = y.grad_fn.next_functions[0][0].variable
        assert type(found) is torch.nn.Parameter and found.tag == 5
        assert id(found) == identity and watched() is found
        del found
    del y
    assert watched() is None


def test_base_and_gradient_keep_their_attributes():
    base = torch.ones(3)
    base.tag = "base"
    view = base[:2]
    del base
    assert view._base.tag == "base"
    x, gradient = leaf(), torch.ones(2)
    gradient.tag = "gradient"
    x.grad = gradient
    del gradient
    assert x.grad.tag == "gradient"


def test_retained_gradient_of_a_tensor_that_is_gone():
    x = leaf()
    y = x * 2
    y.retain_grad()
    z = y.sum()
    del y
    others = [torch.zeros(2) for _ in range(10)]  # where its memory was
    z.backward()
    assert x.grad.tolist() == [2.0, 2.0] and all(one.grad is None for one in others)
