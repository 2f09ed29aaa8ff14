"""Random programs of pointwise operations, reductions, products and writes: compiled as written, to the bit."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lumbre as torch

UNARY = [
    "neg",
    "abs",
    "exp",
    "tanh",
    "sigmoid",
    "sin",
    "relu",
    "square",
    "reciprocal",
    "sqrt",
    "log1p",
    "erf",
    "sign",
    "silu",
]
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "atan2", "hypot"]
SHAPES = [(), (3,), (4, 3), (1, 3), (4, 1), (2, 4, 3), (700,), (40, 1000)]

# A step: (kind, operator, operands), where operands are numbers of earlier values.
steps = st.lists(
    st.tuples(
        st.sampled_from(["unary", "unary", "binary", "binary", "number", "reduce", "view", "write", "where", "cast"]),
        st.integers(0, 30), st.integers(0, 30), st.integers(0, 30),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


def function_of(name):
    return getattr(torch, name, None) or getattr(torch.nn.functional, name)


def run(program, inputs):
    values = list(inputs)

    def pick(i):
        return values[i % len(values)]

    for kind, which, a, b in program:
        x, y = pick(a), pick(b)
        if kind == "unary":
            value = function_of(UNARY[which % len(UNARY)])(x if x.is_floating_point() else x.float())
        elif kind == "binary":
            if x.shape != y.shape and max(x.numel(), y.numel()) > 2000:
                y = y.sum()
            try_shape = torch.broadcast_shapes(x.shape, y.shape) if compatible(x.shape, y.shape) else None
            if try_shape is None:
                y = y.float().mean()
            value = function_of(BINARY[which % len(BINARY)])(x.float(), y.float())
        elif kind == "number":
            value = x * (which - 3) + 0.5
        elif kind == "reduce":
            value = (x.float().sum(), x.float().mean(-1) if x.ndim else x, x.float().amax())[which % 3]
        elif kind == "view":
            value = (x.reshape(-1), x.unsqueeze(0), x.transpose(0, -1) if x.ndim else x, x[..., :2] if x.ndim else x)[
                which % 4
            ]
        elif kind == "write":
            value = x.clone()
            value.mul_(2).add_(which)
        elif kind == "where":
            value = torch.where(x > 0, x, torch.zeros_like(x))
        else:
            value = x.to((torch.float64, torch.float32, torch.int64, torch.bfloat16)[which % 4])
        values.append(value)
    return values[len(inputs) :]


def compatible(a, b):
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b), strict=False))


def same(a, b):
    if a.shape != b.shape or a.dtype != b.dtype or a.stride() != b.stride():
        return False
    return torch.equal(a, b) or torch.equal(torch.nan_to_num(a.double(), 7.25), torch.nan_to_num(b.double(), 7.25))


@pytest.mark.parametrize("recorded", [False, True])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=steps, shapes=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), seed=st.integers(0, 1000))
def test_random_programs(recorded, program, shapes, seed):
    torch.manual_seed(seed)

    def inputs():
        return [torch.randn(shape).requires_grad_(recorded) for shape in shapes]

    program = tuple(program)
    compiled = torch.compile(lambda *inputs: run(program, inputs), fullgraph=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            given_inputs = inputs()
            twins = [x.detach().clone().requires_grad_(recorded) for x in given_inputs]
            expected, results = run(program, given_inputs), compiled(*twins)
            assert all(same(a, b) for a, b in zip(expected, results, strict=True))
            if recorded:
                sum(r.double().sum() for r in expected if r.requires_grad).backward() if any(
                    r.requires_grad for r in expected
                ) else None
                sum(r.double().sum() for r in results if r.requires_grad).backward() if any(
                    r.requires_grad for r in results
                ) else None
                for x, y in zip(given_inputs, twins, strict=True):
                    assert (x.grad is None) == (y.grad is None) and (x.grad is None or same(x.grad, y.grad))
    assert compiled._recordings == 1
