"""Attention as functions, held against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import lumbre
from lumbre.nn import functional as ours

torch = pytest.importorskip("torch")
theirs = torch.nn.functional


def to_lumbre(value):
    return lumbre.tensor(value.detach().numpy().copy()) if isinstance(value, torch.Tensor) else value


def assert_close(actual, expected, **tolerance):
    if expected is None:
        assert actual is None
        return
    assert tuple(actual.shape) == tuple(expected.shape)
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), **(tolerance or {"atol": 3e-6, "rtol": 1e-5}))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.5},
        {"dropout_p": 0.4},
        {"attn_mask": "bool"},
        {"attn_mask": "shut"},
        {"attn_mask": "float"},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(3, 8), (2, 3, 8), (2, 2, 3, 8)])
def test_scaled_dot_product(options, shape):
    torch.manual_seed(0)
    query, key = torch.randn(shape), torch.randn(*shape[:-2], 5, 8)
    value = torch.randn(*shape[:-2], 5, 4 if len(shape) < 4 else 8)
    options = dict(options)
    kind = options.pop("attn_mask", None)
    if kind:
        mask = torch.randn(3, 5)
        options["attn_mask"] = {"float": mask, "bool": mask < 1, "shut": mask < -9}[kind]
    torch.manual_seed(5)
    expected = theirs.scaled_dot_product_attention(query, key, value, **options)
    lumbre.manual_seed(5)
    options = {name: to_lumbre(each) for name, each in options.items()}
    actual = ours.scaled_dot_product_attention(to_lumbre(query), to_lumbre(key), to_lumbre(value), **options)
    assert_close(actual, expected)


def test_grouped_queries():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 4, 3, 6), torch.randn(2, 2, 5, 6), torch.randn(2, 2, 5, 6)
    expected = theirs.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    actual = ours.scaled_dot_product_attention(*map(to_lumbre, (query, key, value)), enable_gqa=True)
    assert_close(actual, expected)


def both(call):
    results = []
    for library, functional in ((torch, theirs), (lumbre, ours)):
        with pytest.raises(Exception) as caught:
            call(library, functional)
        results.append((type(caught.value), str(caught.value).splitlines()[0].replace("lumbre.", "torch.")))
    return results


@pytest.mark.parametrize(
    ("shapes", "options"),
    [
        (((4,), (4,), (4,)), {}),
        (((2, 4), (3, 5), (3, 5)), {}),
        (((2, 4), (3, 4), (2, 5)), {}),
        (((2, 4), (3, 4), (3, 5)), {"dropout_p": 1.5}),
        (((2, 4, 3, 6), (2, 2, 4, 6), (2, 2, 4, 6)), {}),
        (((2, 3, 3, 6), (2, 2, 4, 6), (2, 2, 4, 6)), {"enable_gqa": True}),
    ],
)
def test_scaled_dot_product_errors(shapes, options):
    theirs_said, ours_said = both(
        lambda library, f: f.scaled_dot_product_attention(*map(library.zeros, shapes), **options)
    )
    assert theirs_said == ours_said


def heads(library, functional, q=(3, 2, 4), k=(5, 2, 4), v=None, num_heads=2, **options):
    generator = np.random.default_rng(0)

    def made(*shape, dtype=None):
        return library.tensor(generator.standard_normal(shape).astype("float32"))

    arguments = {
        "in_proj_weight": made(12, 4),
        "in_proj_bias": made(12),
        "bias_k": None,
        "bias_v": None,
        "add_zero_attn": False,
        "dropout_p": 0.0,
        "out_proj_weight": made(4, 4),
        "out_proj_bias": made(4),
    }
    for name, value in options.items():
        if isinstance(value, tuple):
            value = made(*value) if len(value) != 2 or value[0] != "bool" else made(*value[1]) > 0.7
        elif isinstance(value, dict):
            value = library.zeros(value["shape"], dtype=getattr(library, value["dtype"]))
        arguments[name] = value
    library.manual_seed(3)
    tensors = [made(*each) for each in (q, k, v or k)]
    if q == k == v:
        tensors = [tensors[0]] * 3
    return functional.multi_head_attention_forward(*tensors, 4, num_heads, **arguments)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k": (3, 2, 4), "v": (3, 2, 4)},
        {"q": (3, 4), "k": (5, 4)},
        {"attn_mask": ("bool", (3, 5))},
        {"attn_mask": (4, 3, 5)},
        {"key_padding_mask": ("bool", (2, 5)), "attn_mask": ("bool", (3, 5)), "need_weights": False},
        {"key_padding_mask": (2, 5), "attn_mask": (3, 5)},
        {"attn_mask": (3, 5), "is_causal": True, "need_weights": False},
        {"attn_mask": (3, 5), "is_causal": True},
        {"add_zero_attn": True, "attn_mask": (3, 5)},
        {"bias_k": (1, 1, 4), "bias_v": (1, 1, 4), "key_padding_mask": (2, 5)},
        {"average_attn_weights": False},
        {"dropout_p": 0.5},
        {"dropout_p": 0.5, "need_weights": False},
        {"dropout_p": 0.5, "training": False},
        {"in_proj_bias": None, "out_proj_bias": None},
        {"static_k": (4, 7, 2), "static_v": (4, 7, 2)},
        {
            "k": (5, 2, 3),
            "v": (5, 2, 6),
            "use_separate_proj_weight": True,
            "in_proj_weight": None,
            "q_proj_weight": (4, 4),
            "k_proj_weight": (4, 3),
            "v_proj_weight": (4, 6),
        },
    ],
    ids=str,
)
def test_heads(options):
    expected, actual = heads(torch, theirs, **options), heads(lumbre, ours, **options)
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"v": (6, 2, 4)},
        {"q": (3, 2, 5)},
        {"k": (5, 4)},
        {"q": (3, 4)},
        {"q": (4,)},
        {"num_heads": 3},
        {"key_padding_mask": {"shape": (2, 5), "dtype": "int64"}},
        {"key_padding_mask": (2, 4)},
        {"key_padding_mask": (5,)},
        {"attn_mask": (3, 4)},
        {"attn_mask": (2, 3, 5)},
        {"attn_mask": (5,)},
        {"attn_mask": {"shape": (3, 5), "dtype": "uint8"}},
        {"q": (3, 4), "k": (5, 4), "attn_mask": (1, 3, 5)},
        {"is_causal": True},
        {"bias_k": (1, 1, 4)},
        {"bias_v": (1, 1, 4)},
        {"use_separate_proj_weight": True},
        {"in_proj_weight": None},
        {"static_k": (3, 7, 2), "static_v": (4, 7, 2)},
        {"static_k": (4, 7, 3), "static_v": (4, 7, 2)},
        {"static_k": (4, 7, 2), "static_v": (4, 7, 2), "bias_k": (1, 1, 4), "bias_v": (1, 1, 4)},
    ],
    ids=str,
)
def test_heads_errors(options):
    theirs_said, ours_said = both(lambda library, f: heads(library, f, **options))
    assert theirs_said == ours_said


def test_mismatched_masks_warn():
    with pytest.warns(UserWarning, match="mismatched key_padding_mask"):
        heads(lumbre, ours, key_padding_mask=("bool", (2, 5)), attn_mask=(3, 5))
