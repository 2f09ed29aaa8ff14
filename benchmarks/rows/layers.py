"""The functions of networks on images and sequences: convolutions, pooling, normalisation, attention; and their gradients."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.suite import Limit, Operand, Row, statement_row, table

# Name, images (batch, channels, height, width), kernels (out, in / groups, height, width), further arguments.
CONVOLUTIONS = [
    ("first of the CNN", (64, 1, 28, 28), (8, 1, 3, 3), "padding=1"),
    ("second of the CNN", (64, 8, 14, 14), (16, 8, 3, 3), "padding=1"),
    ("3 x 3", (8, 64, 56, 56), (64, 64, 3, 3), "padding=1"),
    ("3 x 3, stride 2", (8, 64, 56, 56), (128, 64, 3, 3), "stride=2, padding=1"),
    ("1 x 1", (8, 64, 56, 56), (128, 64, 1, 1), ""),
    ("5 x 5", (8, 32, 28, 28), (64, 32, 5, 5), "padding=2"),
    ("7 x 7, stride 2, three colours", (4, 3, 224, 224), (64, 3, 7, 7), "stride=2, padding=3"),
    ("3 x 3, dilated", (8, 32, 28, 28), (32, 32, 3, 3), "padding=2, dilation=2"),
    ("3 x 3 of 256 channels", (8, 256, 14, 14), (256, 256, 3, 3), "padding=1"),
    ("3 x 3 of 512 channels", (8, 512, 7, 7), (512, 512, 3, 3), "padding=1"),
    ("depthwise, stride 2", (8, 64, 112, 112), (64, 1, 3, 3), "stride=2, padding=1, groups=64"),
    ("depthwise", (8, 64, 56, 56), (64, 1, 3, 3), "padding=1, groups=64"),
    ("one image", (1, 3, 32, 32), (16, 3, 3, 3), "padding=1"),
]
MEDIUM = """
F.max_pool2d(images, 2)
F.avg_pool2d(images, 2)
F.adaptive_avg_pool2d(images, 1)
F.batch_norm(images, mean, variance, weight, bias, training=True)
F.batch_norm(images, mean, variance, weight, bias, training=False)
F.group_norm(images, 4)
F.interpolate(images, scale_factor=2, mode="nearest")
F.interpolate(images, scale_factor=2, mode="bilinear")
F.pad(images, (1, 1, 1, 1), mode="reflect")
F.unfold(images[:, :8], 3)
F.conv_transpose2d(images[:, :16], kernels, stride=2)
F.conv1d(series, filters, padding=1)
F.embedding(words, vectors)
F.embedding_bag(words, vectors)
F.one_hot(words, 1000)
F.linear(words.float(), thin)
F.scaled_dot_product_attention(heads, heads, heads)
F.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
F.nll_loss(log_odds, words[0])
F.ctc_loss(chances, labels, lengths, label_lengths)
"""
GRADIENTS = """
F.conv2d(pictures, weights, padding=1).sum().backward()          gives: weights.grad
F.max_pool2d(pictures, 2).sum().backward()                       gives: pictures.grad
F.batch_norm(pictures, None, None, training=True).mul(pictures).sum().backward() gives: pictures.grad
F.embedding(words, table).sum().backward()                       gives: table.grad
F.scaled_dot_product_attention(query, query, query).sum().backward() gives: query.grad
"""
ATTENTION = """
F.scaled_dot_product_attention({0}, {1}, {2}){3}
F.scaled_dot_product_attention({0}, {1}, {2}, is_causal=True){3}
F.scaled_dot_product_attention({0}, {1}, {2}, attn_mask=mask){3}
"""
# Batch, heads, length, width.
ATTENTIONS = [(8, 8, 256, 64), (1, 8, 2048, 64)]
LARGE = """
F.conv2d(large, weights, padding=1)
F.max_pool2d(large, 2)
F.avg_pool2d(large, 2)
F.batch_norm(large, mean, variance, weight, bias, training=True)
F.relu(large)
F.group_norm(large, 4)
F.interpolate(large, scale_factor=2, mode="nearest")
large.permute(0, 2, 3, 1).contiguous()
large.mean((2, 3))
"""


def rows(large: tuple[int, ...] = (32, 32, 156, 156)) -> Iterator[Row]:
    for name, images, kernels, arguments in CONVOLUTIONS:
        statement = f"F.conv2d(images, kernels, {arguments})"
        operands = {"images": Operand(images), "kernels": Operand(kernels, values="centred")}
        limit = Limit("float32", convolution_flops(images, kernels, arguments))
        yield statement_row("medium convolution", statement, operands, name=name, limit=limit)
    yield from table("medium layers", MEDIUM, OPERANDS)
    yield from table("medium layer gradients", GRADIENTS, OPERANDS)
    for shape in ATTENTIONS:
        operands = attention_operands(shape)
        yield from table(f"attention of {shape}", ATTENTION.format("q", "k", "v", ""), operands)
        backward = ATTENTION.format("a", "b", "c", ".sum().backward() gives: a.grad")
        yield from table(f"attention of {shape}, gradients", backward, operands)
    yield from table("large layers", LARGE, OPERANDS | {"large": Operand(large)})


def attention_operands(shape: tuple[int, ...]) -> dict[str, Operand]:
    plain = {name: Operand(shape, values="centred", seed=seed) for seed, name in enumerate("qkv")}
    learnt = {name: Operand(shape, values="centred", seed=seed, gradient=True) for seed, name in enumerate("abc")}
    return plain | learnt | {"mask": Operand((shape[2], shape[2]), values="centred")}


def convolution_flops(images: tuple[int, ...], kernels: tuple[int, ...], arguments: str) -> int:
    given = eval(f"dict({arguments})")
    stride, padding, dilation = given.get("stride", 1), given.get("padding", 0), given.get("dilation", 1)
    sides = [
        (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(images[2:], kernels[2:], strict=True)
    ]
    out, inputs, height, width = kernels
    return 2 * images[0] * out * sides[0] * sides[1] * inputs * height * width


OPERANDS = {
    "images": Operand((16, 32, 32, 32)),
    "pictures": Operand((16, 32, 32, 32), gradient=True),
    "weights": Operand((32, 32, 3, 3), values="centred", gradient=True),
    "kernels": Operand((16, 16, 2, 2), values="centred"),
    "mean": Operand((32,), values="zeros"),
    "variance": Operand((32,), values="ones"),
    "weight": Operand((32,)),
    "bias": Operand((32,), values="centred"),
    "series": Operand((16, 64, 256)),
    "filters": Operand((64, 64, 3), values="centred"),
    "words": Operand((16, 64), "int64", "integers"),
    "vectors": Operand((1000, 128)),
    "table": Operand((1000, 128), gradient=True),
    "thin": Operand((128, 64)),
    "heads": Operand((8, 4, 64, 32), values="centred"),
    "query": Operand((8, 4, 64, 32), values="centred", gradient=True),
    "log_odds": Operand((64, 100)),
    "chances": Operand((50, 16, 20), values="centred"),
    "labels": Operand((16, 10), "int64", "labels"),
    "lengths": Operand((16,), "int64", "fifty"),
    "label_lengths": Operand((16,), "int64", "tens"),
}
