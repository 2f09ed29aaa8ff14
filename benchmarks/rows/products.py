"""Products of matrices: square, tall, thin, batched, transposed, with vectors; and what they are made of in networks."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.suite import Limit, Operand, Row, statement_row

SQUARE = {
    "float32": (8, 16, 32, 64, 128, 256, 512, 1024, 2048),
    "float64": (8, 64, 256, 512, 1024),
    "bfloat16": (64, 512),
    "int64": (64, 256),
}
# Name, left, right; a T after a shape is an operand whose memory lies the other way round.
SHAPES = [
    ("tall", "4096x64", "64x64"),
    ("wide", "64x64", "64x4096"),
    ("thin inside", "1024x8", "8x1024"),
    ("long inside", "32x8192", "8192x32"),
    ("left transposed", "512x512T", "512x512"),
    ("right transposed", "512x512", "512x512T"),
    ("both transposed", "512x512T", "512x512T"),
    ("odd", "509x491", "491x503"),
    ("matrix and vector", "1000x1000", "1000"),
    ("transposed matrix and vector", "1000x1000T", "1000"),
    ("vector and matrix", "1000", "1000x1000"),
    ("large matrix and vector", "5000x5000", "5000"),
    ("vectors", "1000000", "1000000"),
    ("batch of 64", "64x32x32", "64x32x32"),
    ("batch of 1000, tiny", "1000x4x4", "1000x4x4"),
    ("batch of 8, large", "8x256x256", "8x256x256"),
    ("batch and one matrix", "64x32x128", "128x128"),
    ("batch, right transposed", "64x32x32", "64x32x32T"),
]
NETWORKS = [
    ("linear 64 x 784, 256", "F.linear(x, w, b)", {"x": (64, 784), "w": (256, 784), "b": (256,)}),
    ("linear 1 x 64, 64", "F.linear(x, w, b)", {"x": (1, 64), "w": (64, 64), "b": (64,)}),
    ("addmm 256", "torch.addmm(b, x, w)", {"x": (256, 256), "w": (256, 256), "b": (256,)}),
    ("bilinear", "F.bilinear(x, y, w)", {"x": (64, 32), "y": (64, 32), "w": (16, 32, 32)}),
    ("einsum of a batch", 'torch.einsum("bij,bjk->bik", x, y)', {"x": (64, 32, 32), "y": (64, 32, 32)}),
    ("tensordot", "torch.tensordot(x, y, 2)", {"x": (64, 32, 16), "y": (32, 16, 64)}),
    ("outer", "torch.outer(x, y)", {"x": (1000,), "y": (1000,)}),
    ("cumulative: multi_dot", "torch.linalg.multi_dot((x, y, w))", {"x": (64, 512), "y": (512, 64), "w": (64, 512)}),
]


def rows() -> Iterator[Row]:
    for dtype, sides in SQUARE.items():
        for n in sides:
            operands = {name: Operand((n, n), dtype, values_of(dtype), seed=seed) for seed, name in enumerate("ab")}
            limit = Limit(dtype, 2 * n**3) if dtype.startswith("float") and n >= 64 else None
            numpy = None if dtype == "bfloat16" else "a @ b"
            yield statement_row(f"product {dtype}", "a @ b", operands, numpy, name=f"{n} x {n}", limit=limit)
    for name, left, right in SHAPES:
        operands = {"a": operand(left, 0), "b": operand(right, 1)}
        yield statement_row("product", "a @ b", operands, "a @ b", name=f"{name}: {left} @ {right}")
    for name, statement, shapes in NETWORKS:
        operands = {
            key: Operand(shape, values="centred", seed=seed) for seed, (key, shape) in enumerate(shapes.items())
        }
        yield statement_row("product", statement, operands, name=name)
    for name, left, right in (("square", "256x256", "256x256"), ("batch", "64x32x32", "64x32x32")):
        operands = {"a": operand(left, 0, gradient=True), "b": operand(right, 1, gradient=True)}
        yield statement_row(
            "product", "(a @ b).sum().backward()", operands, answer="b.grad", name=f"with gradients, {name}: {left}"
        )


def values_of(dtype: str) -> str:
    return "integers" if dtype == "int64" else "centred"


def operand(text: str, seed: int, gradient: bool = False) -> Operand:
    shape = tuple(int(side) for side in text.removesuffix("T").split("x"))
    layout = "transposed" if text.endswith("T") else "contiguous"
    return Operand(shape, values="centred", layout=layout, seed=seed, gradient=gradient)
