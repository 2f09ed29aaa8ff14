"""scaled_dot_product_attention by tiles, against PyTorch: sizes around the tiles' edges, masks, layouts, gradients."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
from torch.nn import functional as theirs

import lumbre
from lumbre.nn import functional as ours

TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "bfloat16": 3e-2, "float16": 4e-3}


def to_lumbre(tensor: Any) -> Any:
    """The same values in the same strides; masks and operands alike."""
    if tensor is None:
        return None
    dtype = str(tensor.dtype).removeprefix("torch.")
    flat = torch.as_strided(tensor.detach(), (tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
    values = flat.float() if tensor.dtype in (torch.bfloat16, torch.float16) else flat
    made = lumbre.tensor(values.numpy(), dtype=getattr(lumbre, dtype))
    return made.as_strided(tuple(tensor.shape), tensor.stride(), tensor.storage_offset())


def to_torch(tensor: Any) -> Any:
    return torch.tensor(tensor.detach().double().tolist(), dtype=torch.float64).reshape(tuple(tensor.shape))


def assert_close(actual: Any, expected: Any, dtype: str) -> None:
    assert tuple(actual.shape) == tuple(expected.shape)
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(
        to_torch(actual), expected.detach().double(), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def compare(operands: list, dtype: str, strides: bool = False, **options: Any) -> None:
    """The result and the gradients under both."""
    theirs_in = [each.detach().requires_grad_() for each in operands]
    ours_in = [to_lumbre(each).requires_grad_() for each in operands]
    expected = theirs.scaled_dot_product_attention(*theirs_in, **options)
    mask = to_lumbre(options.pop("attn_mask", None))
    actual = ours.scaled_dot_product_attention(*ours_in, mask, **options)
    assert_close(actual, expected, dtype)
    assert actual.grad_fn.name() == expected.grad_fn.name()
    if strides:
        assert actual.stride() == expected.stride()
    slope = torch.randn(expected.shape, dtype=torch.float64).to(expected.dtype)
    wanted = torch.autograd.grad(expected, theirs_in, slope)
    given = lumbre.autograd.grad(actual, ours_in, to_lumbre(slope))
    for one, other in zip(given, wanted, strict=True):
        assert_close(one, other, dtype)
        if strides:
            assert one.stride() == other.stride()


def masks(kind: str, queries: int, keys: int, leading: tuple[int, ...], dtype: Any) -> dict:
    shapes = {"row": (1, keys), "column": (queries, 1), "one": (1, 1), "whole": (queries, keys)}
    if kind == "causal":
        return {"is_causal": True}
    if kind == "none":
        return {}
    what, _, shape = kind.partition(" ")
    if shape == "heads":
        mask = torch.randn(*leading, queries, keys)
    elif shape == "turned":
        mask = torch.randn(keys, queries).t()
    elif shape == "padding":
        mask = torch.randn(leading[0], *[1] * (len(leading) - 1), 1, keys)
    elif shape == "expanded":
        mask = torch.randn(queries, 1).expand(queries, keys)
    else:
        mask = torch.randn(shapes[shape])
    if what == "bool":
        return {"attn_mask": mask > -0.5}
    return {"attn_mask": mask.masked_fill(mask < -1, float("-inf")).to(dtype)}


KINDS = [
    "none", "causal", "bool whole", "bool row", "bool heads", "bool padding", "bool expanded", "bool turned", "bool one",
    "float whole", "float row", "float column", "float heads", "float padding", "float expanded", "float turned",
]  # fmt: skip
LENGTHS = [1, 2, 5, 15, 16, 17, 31, 32, 33, 64, 70, 251, 252, 253, 260, 300, 513]
WIDTHS = [1, 3, 4, 8, 15, 16, 32, 33, 64, 65]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_against_torch(kind: str, dtype: str) -> None:
    draw = random.Random(kind + dtype)
    torch.manual_seed(0)
    for _ in range(12):
        queries, keys, width = draw.choice(LENGTHS), draw.choice(LENGTHS), draw.choice(WIDTHS)
        values = draw.choice([width, width, draw.choice(WIDTHS)])
        leading = draw.choice(
            [(2, 3), (1, 2), (2,), (1, 1), (2, 1, 2), *([] if kind.endswith(("padding", "heads")) else [()])]
        )
        kinds = getattr(torch, dtype)
        shapes = [(queries, width), (keys, width), (keys, values)]
        operands = [torch.randn(*leading, *shape, dtype=kinds) for shape in shapes]
        scale = draw.choice([None, 0.3])
        compare(operands, dtype, scale=scale, **masks(kind, queries, keys, leading or (1,), kinds))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["none", "causal", "bool whole", "float whole"])
def test_half_types(kind: str, dtype: str) -> None:
    kinds = getattr(torch, dtype)
    operands = [torch.randn(2, 2, 33, 16).to(kinds) for _ in range(3)]
    compare(operands, dtype, **masks(kind, 33, 33, (2, 2), kinds))


@pytest.mark.parametrize("kind", ["none", "causal", "bool heads", "float whole"])
@pytest.mark.parametrize(("heads", "keys"), [(4, 2), (6, 1), (3, 3), (8, 4)])
def test_shared_heads(heads: int, keys: int, kind: str) -> None:
    torch.manual_seed(1)
    shapes = [(2, heads, 40, 8), (2, keys, 37, 8), (2, keys, 37, 8)]
    operands = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    compare(operands, "float64", True, enable_gqa=True, **masks(kind, 40, 37, (2, heads), torch.float64))
    compare([*operands[:2], torch.randn(2, keys, 37, 5).double()], "float64", enable_gqa=True)


@pytest.mark.parametrize(
    "leading",
    [
        ((2, 3), (1, 3), (2, 3)),
        ((2, 3), (2, 1), (2, 1)),
        ((2, 3), (3,), (2, 3)),
        ((2, 3), (), ()),
        ((1,), (3,), (3,)),
        ((), (2,), (1,)),
        ((2, 1, 3), (4, 3), (2, 4, 1)),
    ],
)
def test_leading_dimensions_broadcast(leading: tuple) -> None:
    torch.manual_seed(2)
    operands = [
        torch.randn(*front, *shape, dtype=torch.float64)
        for front, shape in zip(leading, [(7, 4), (9, 4), (9, 5)], strict=True)
    ]
    compare(operands, "float64")
    compare(operands, "float64", attn_mask=torch.randn(7, 9) > 0)


def layouts(length: int) -> list:
    packed = torch.randn(2, length, 3, 4, 8, dtype=torch.float64).permute(2, 0, 3, 1, 4)
    return [
        list(packed),  # as GPTs cut their projections
        [
            torch.randn(length, 2, 3, 8, dtype=torch.float64).permute(1, 2, 0, 3) for _ in range(3)
        ],  # as heads of a layer
        [torch.randn(2, 3, 8, length, dtype=torch.float64).transpose(2, 3) for _ in range(3)],
        [torch.randn(2, 1, length, 8, dtype=torch.float64).expand(2, 3, length, 8) for _ in range(3)],
        [torch.randn(2, 3, 2 * length, 16, dtype=torch.float64)[..., ::2, :8] for _ in range(3)],
    ]


@pytest.mark.parametrize("layout", range(5))
def test_layouts(layout: int) -> None:
    fused = layout in (0, 4)
    compare(layouts(35)[layout], "float64", fused)
    compare(layouts(35)[layout], "float64", fused, is_causal=True)


def test_rows_outside_of_the_batch() -> None:
    """The result's memory is laid as the query's; so are the gradients', which layers take apart without a copy."""
    given = layouts(35)[1]
    expected = theirs.scaled_dot_product_attention(*given)
    leaves = [to_lumbre(each).requires_grad_() for each in given]
    actual = ours.scaled_dot_product_attention(*leaves)
    assert actual.stride() == expected.stride()
    gradients = lumbre.autograd.grad(actual.sum(), leaves)
    assert {each.stride() for each in gradients} == {actual.stride()}


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 3, 5, 0), (2, 3, 6, 0), (2, 3, 6, 4)],
        [(2, 3, 5, 4), (2, 3, 0, 4), (2, 3, 0, 4)],
        [(2, 3, 0, 4), (2, 3, 6, 4), (2, 3, 6, 4)],
        [(0, 3, 5, 4), (0, 3, 6, 4), (0, 3, 6, 4)],
        [(5, 4), (6, 4), (6, 0)],
    ],
)
def test_empty(shapes: list) -> None:
    operands = [torch.randn(shape) for shape in shapes]
    expected = theirs.scaled_dot_product_attention(*operands)
    leaves = [to_lumbre(each).clone().requires_grad_() for each in operands]
    actual = ours.scaled_dot_product_attention(*leaves)
    assert_close(actual, expected, "float32")
    actual.sum().backward()
    assert [tuple(leaf.grad.shape) for leaf in leaves] == shapes


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("kind", ["none", "causal", "bool whole", "float whole"])
@pytest.mark.parametrize("leading", [(2, 2), (2,)])
def test_not_finite(number: float, which: int, kind: str, leading: tuple) -> None:
    torch.manual_seed(3)
    # With fewer keys than a vector has lanes PyTorch takes a row of NaN for one that is shut.
    operands = [torch.randn(*leading, 20, 4) for _ in range(3)]
    operands[which][..., 2, 1] = number
    options = masks(kind, 20, 20, leading, torch.float32)
    expected = theirs.scaled_dot_product_attention(*operands, **options)
    options = {name: to_lumbre(each) if name == "attn_mask" else each for name, each in options.items()}
    assert_close(ours.scaled_dot_product_attention(*map(to_lumbre, operands), **options), expected, "float32")


@pytest.mark.parametrize("leading", [(2, 2), (2,), ()])
def test_rows_that_are_shut(leading: tuple) -> None:
    torch.manual_seed(4)
    operands = [torch.randn(*leading, 300, 8, dtype=torch.float64) for _ in range(3)]
    mask = torch.rand(300, 300) > 0.5
    mask[7], mask[200], mask[:, :260] = False, False, False
    compare(operands, "float64", attn_mask=mask)
    compare(operands, "float64", attn_mask=torch.zeros(300, 300).double().masked_fill(~mask, float("-inf")))


@pytest.mark.parametrize("kind", ["none", "causal", "bool whole", "float whole"])
@pytest.mark.parametrize("grouped", [False, True])
def test_gradients_of_gradients(kind: str, grouped: bool) -> None:
    lumbre.manual_seed(5)
    options = masks(kind, 4, 5, (2, 2), torch.float64)
    options = {name: to_lumbre(each) if name == "attn_mask" else each for name, each in options.items()}
    heads = 1 if grouped else 2
    leaves = [
        lumbre.randn(2, h, rows, 3, dtype=lumbre.float64).requires_grad_()
        for h, rows in ((2, 4), (heads, 5), (heads, 5))
    ]

    def compute(*operands: Any) -> Any:
        return ours.scaled_dot_product_attention(*operands, enable_gqa=grouped, **options)

    assert lumbre.autograd.gradcheck(compute, leaves)
    assert lumbre.autograd.gradgradcheck(compute, leaves)


def test_gradient_of_the_mask() -> None:
    operands = [torch.randn(2, 2, 6, 4, dtype=torch.float64) for _ in range(3)]
    mask = torch.randn(6, 6, dtype=torch.float64)
    gradients = []
    for library, functional, converted in ((torch, theirs, lambda t: t.clone()), (lumbre, ours, to_lumbre)):
        leaf = converted(mask).requires_grad_()
        out = functional.scaled_dot_product_attention(*map(converted, operands), leaf)
        gradients.append(library.autograd.grad((out * out).sum(), leaf)[0])
    assert_close(gradients[1], gradients[0], "float64")


@pytest.mark.parametrize(("heads", "causal"), list(itertools.product([1, 3, 8], [False, True])))
def test_threads_do_not_matter(heads: int, causal: bool) -> None:
    lumbre.manual_seed(6)
    results = []
    operands = [lumbre.randn(1, heads, 700, 32).requires_grad_() for _ in range(3)]
    before = lumbre.get_num_threads()
    try:
        for count in (1, 2, 3):
            lumbre.set_num_threads(count)
            out = ours.scaled_dot_product_attention(*operands, is_causal=causal)
            results.append([out, *lumbre.autograd.grad((out * out).sum(), operands)])
    finally:
        lumbre.set_num_threads(before)
    for other in results[1:]:
        assert all(bool((one == two).all()) for one, two in zip(results[0], other, strict=True))


def test_memory() -> None:
    """The scores of these heads would take 537 MB."""
    program = """
import resource, lumbre
from lumbre.nn import functional
q, k, v = (lumbre.randn(1, 8, 4096, 64).requires_grad_() for _ in range(3))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
forward = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out.backward(lumbre.ones_like(out))
print(forward - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    forward, both = map(int, run.stdout.split())
    inputs = 3 * 8 * 4096 * 64 * 4 // 1024
    assert forward < inputs
    assert both < 3 * inputs
