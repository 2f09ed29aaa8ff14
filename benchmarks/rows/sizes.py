"""1,000 by 1,000 elements and 100 MB of them: every family of operators, the dtypes, and the layouts of memory."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

from benchmarks.suite import BYTES, Limit, Operand, Row, table

Shapes = dict[str, dict[str, tuple[int, int]]]  # by size, and by dtype or what else decides
DTYPES = ("float32", "float64", "int64", "bfloat16", "bool")
SHAPES: Shapes = {
    "medium": dict.fromkeys((*DTYPES, "strided"), (1000, 1000)),
    "large": {  # 100 MB; of strided ones every other row and column
        "float32": (5000, 5000), "float64": (2500, 5000), "int64": (2500, 5000), "bfloat16": (5000, 10000), "bool": (10000, 10000),
        "strided": (2500, 2500),
    },
}  # fmt: skip

# In these tables R and C stand for the numbers of rows and columns.
UNARY = """
torch.exp(a)                                np: np.exp(a)
torch.log(a)                                np: np.log(a)
torch.tanh(a)                               np: np.tanh(a)
torch.sigmoid(a)
torch.sqrt(a)                               np: np.sqrt(a)
torch.rsqrt(a)
torch.abs(c)                                np: np.abs(c)
torch.sin(a)                                np: np.sin(a)
-a                                          np: -a
torch.round(a)                              np: np.round(a)
torch.erf(a)
torch.relu(c)
F.gelu(c)
F.silu(c)
torch.clamp(c, 0, 1)                        np: np.clip(c, 0, 1)
torch.log1p(a)                              np: np.log1p(a)
torch.isnan(a)                              np: np.isnan(a)
"""
SPECIAL_MEDIUM = """
torch.exp2(c)                               np: np.exp2(c)
torch.expm1(c)                              np: np.expm1(c)
torch.log2(a)                               np: np.log2(a)
torch.log10(a)                              np: np.log10(a)
torch.tan(c)                                np: np.tan(c)
torch.asin(c)                               np: np.arcsin(c)
torch.acos(c)                               np: np.arccos(c)
torch.atan(c)                               np: np.arctan(c)
torch.sinh(c)                               np: np.sinh(c)
torch.acosh(a + 1)                          np: np.arccosh(a + 1)
torch.atanh(c)
torch.sinc(c)
torch.logit(u)
torch.erfc(c)
torch.erfinv(c)
torch.special.ndtri(u)
torch.special.log_ndtr(c)
torch.lgamma(a)
torch.digamma(a)
torch.polygamma(1, a)
torch.igamma(a[:100], b[:100])
torch.special.zeta(a[:100] + 1, b[:100])
torch.i0(c)
torch.special.i1e(c)
torch.special.bessel_j0(a)
torch.special.modified_bessel_k1(a)
torch.special.airy_ai(c[:100])
torch.special.legendre_polynomial_p(c[:100], 3)
torch.xlogy(a, b)
torch.logaddexp(a, b)                       np: np.logaddexp(a, b)
torch.hypot(a, b)                           np: np.hypot(a, b)
torch.frexp(c)                              gives: torch.frexp(c).mantissa
a ** -1
F.elu(c)
F.softplus(c)
F.mish(c)
F.logsigmoid(c)
F.hardswish(c)
F.gelu(x).sum().backward()                  gives: x.grad
"""
BINARY = """
a + b                                       np: a + b
a * b                                       np: a * b
a / b                                       np: a / b
a * 2 + 1                                   np: a * 2 + 1
torch.maximum(a, b)                         np: np.maximum(a, b)
a ** b                                      np: a ** b
a ** 2                                      np: a ** 2
torch.atan2(a, b)                           np: np.arctan2(a, b)
torch.fmod(a, b)                            np: np.fmod(a, b)
a > b                                       np: a > b
torch.where(a > b, a, b)                    np: np.where(a > b, a, b)
torch.addcmul(a, a, b)
torch.lerp(a, b, 0.3)
a + row                                     np: a + row
a + column                                  np: a + column
"""
IN_PLACE = """
a.mul_(1.0)                                 np: np.multiply(a, np.float32(1), out=a)
a.add_(b, alpha=0.0)
a.copy_(b)
a.zero_()
torch.add(a, b, out=c)                      np: np.add(a, b, out=c)
"""
REDUCTIONS = """
a.sum()                                     np: a.sum()
a.mean()                                    np: a.mean()
a.max()                                     np: a.max()
a.argmax()                                  np: a.argmax()
a.std()                                     np: a.std(ddof=1)
signs.prod()                                np: signs.prod()
a.norm()                                    np: np.linalg.norm(a)
(a > 0).all()                               np: (a > 0).all()
a.sum(0)                                    np: a.sum(0)
a.sum(1)                                    np: a.sum(1)
a.mean(1)                                   np: a.mean(1)
a.amax(0)                                   np: a.max(0)
a.amax(1)                                   np: a.max(1)
a.argmax(0)                                 np: a.argmax(0)
a.argmax(1)                                 np: a.argmax(1)
a.max(1)
a.var(0)                                    np: a.var(0, ddof=1)
a.var(1)                                    np: a.var(1, ddof=1)
torch.logsumexp(a, 1)
torch.count_nonzero(c > 0)                  np: np.count_nonzero(c > 0)
"""
SCANS = """
torch.cumsum(a, 0)                          np: np.cumsum(a, 0)
torch.cumsum(a, 1)                          np: np.cumsum(a, 1)
torch.cumprod(signs, 1)                     np: np.cumprod(signs, 1)
torch.cummax(a, 1)
torch.diff(a, dim=1)                        np: np.diff(a, axis=1)
"""
SORTING = """
torch.sort(a[:1000])                        gives: torch.sort(a[:1000]).values
torch.topk(a[:1000], 10)                    gives: torch.topk(a[:1000], 10).values
"""
SORTING_MEDIUM = """
torch.sort(a, 0)                            gives: torch.sort(a, 0).values
torch.argsort(a, 1)                         np: np.argsort(a, 1)  gives: 0
torch.median(a, 1)                          gives: torch.median(a, 1).values
torch.kthvalue(a, 10, 1)                    gives: torch.kthvalue(a, 10, 1).values
torch.quantile(a[:100], 0.5, 1)             np: np.quantile(a[:100], 0.5, 1)
torch.unique(i)                             np: np.unique(i)
torch.bincount(i.flatten())                 np: np.bincount(i.reshape(-1))
torch.histc(a, 100, 0, 2)
torch.searchsorted(sorted_row, a)           np: np.searchsorted(sorted_row, a)
"""
INDEXING = """
a[p]                                        np: a[p]
a[:, p]                                     np: a[:, p]
a[c > 0]                                    np: a[c > 0]
a[p, :] = 1.0                               gives: a.sum()
a.index_select(0, p)                        np: np.take(a, p, 0)
a.gather(1, q)                              np: np.take_along_axis(a, q, 1)
a.scatter(1, q, 1.0)
a.index_add(0, p, a)
a.masked_fill(c > 0, 0.0)
torch.nonzero(c > 0)                        np: np.argwhere(c > 0)
a.masked_select(c > 0)
a[1:-1, 1:-1].clone()                       np: a[1:-1, 1:-1].copy()
"""
STRUCTURE = """
a.clone()                                   np: a.copy()
a.T.contiguous()                            np: np.ascontiguousarray(a.T)
torch.cat((a, b))                           np: np.concatenate((a, b))
torch.cat((a, b), 1)                        np: np.concatenate((a, b), 1)
torch.stack((a, b))                         np: np.stack((a, b))
a.flip(0)
a.roll(1, 1)                                np: np.roll(a, 1, 1)
a.repeat(2, 1)                              np: np.tile(a, (2, 1))
a.tril()                                    np: np.tril(a)
F.pad(a, (1, 1, 1, 1))                      np: np.pad(a, 1)
a.to(torch.float64)                         np: a.astype(np.float64)
a.to(torch.bfloat16)
a.to(torch.int64)                           np: a.astype(np.int64)
(c > 0).float()                             np: (c > 0).astype(np.float32)
torch.equal(a, a2)                          np: np.array_equal(a, a2)
torch.allclose(a, a2)                       np: np.allclose(a, a2)
"""
CREATION = """
torch.zeros(R, C)                           np: np.zeros((R, C), np.float32)
torch.ones(R, C)                            np: np.ones((R, C), np.float32)
torch.arange(R * C)                         np: np.arange(R * C)
torch.linspace(0, 1, R * C)
"""
RANDOM = """
torch.rand(R, C)
torch.randn(R, C)
torch.randint(0, 100, (R, C))
torch.bernoulli(u)
F.dropout(a)
torch.normal(0.0, u)
"""
RANDOM_MEDIUM = """
torch.randperm(R * C)
torch.multinomial(u, 10)
torch.empty(R, C).exponential_()
"""
ROWWISE = """
torch.softmax(c, 1)
torch.softmax(c, 0)
torch.log_softmax(c, 1)
F.layer_norm(c, (C,))
F.normalize(c)
F.cross_entropy(c, target)
F.mse_loss(a, b)
F.binary_cross_entropy_with_logits(c, u)
F.smooth_l1_loss(a, b)
torch.cdist(c[:100], b)
"""
GRADIENTS = """
(x * b).sum().backward()                    gives: x.grad
torch.sigmoid(x).sum().backward()           gives: x.grad
torch.softmax(x, 1).mul(b).sum().backward() gives: x.grad
F.layer_norm(x, (C,)).mul(b).sum().backward() gives: x.grad
F.cross_entropy(x, target).backward()       gives: x.grad
x[p].sum().backward()                       gives: x.grad
x.T.contiguous().mul(2).sum().backward()    gives: x.grad
x.std().backward()                          gives: x.grad
"""
LINEAR_ALGEBRA = """
torch.linalg.solve(s, t)                    np: np.linalg.solve(s, t)
torch.linalg.inv(s)                         np: np.linalg.inv(s)
torch.linalg.cholesky(s)                    np: np.linalg.cholesky(s)
torch.linalg.qr(t)                          gives: torch.linalg.qr(t).R.abs()
torch.linalg.svdvals(t)                     np: np.linalg.svd(t, compute_uv=False)
torch.linalg.svd(t)                         gives: torch.linalg.svd(t).S
torch.linalg.eigh(s)                        gives: torch.linalg.eigh(s).eigenvalues
torch.linalg.slogdet(s)                     np: np.linalg.slogdet(s)
torch.linalg.lstsq(s, t)                    gives: torch.linalg.lstsq(s, t).solution
torch.linalg.matrix_power(u, 5)
torch.einsum("ij,kj->ik", s, t)             np: np.einsum("ij,kj->ik", s, t, optimize=True)
torch.kron(t[:30, :30], t[:30, :30])        np: np.kron(t[:30, :30], t[:30, :30])
"""
NUMBERS = """
a + b                                       np: a + b
a * b                                       np: a * b
a > b                                       np: a > b
torch.where(a > b, a, b)                    np: np.where(a > b, a, b)
a.sum()                                     np: a.sum()
a.sum(0)                                    np: a.sum(0)
a.sum(1)                                    np: a.sum(1)
a.max()                                     np: a.max()
torch.cumsum(a, 1)                          np: np.cumsum(a, 1)
a[p]                                        np: a[p]
torch.cat((a, b))                           np: np.concatenate((a, b))
a.clone()                                   np: a.copy()
a.T.contiguous()                            np: np.ascontiguousarray(a.T)
a.float()                                   np: a.astype(np.float32)
torch.sort(a[:500], 1)                      gives: torch.sort(a[:500], 1).values
"""
REAL = """
torch.exp(a)                                np: np.exp(a)
torch.sigmoid(a)
torch.sqrt(a)                               np: np.sqrt(a)
a / b                                       np: a / b
a.mean()                                    np: a.mean()
torch.softmax(a, 1)
"""
REAL_MEDIUM = """
torch.log(a)                                np: np.log(a)
torch.sin(a)                                np: np.sin(a)
torch.erf(a)
a ** b                                      np: a ** b
torch.lgamma(a)
F.gelu(a)
"""
INTEGERS = """
a // b                                      np: a // b
a % b                                       np: a % b
a & b                                       np: a & b
a << 2                                      np: a << 2
"""
TRUTH = """
a & b                                       np: a & b
a ^ b                                       np: a ^ b
~a                                          np: ~a
a.all()                                     np: a.all()
a.any(1)                                    np: a.any(1)
a.sum()                                     np: a.sum()
torch.nonzero(a)
a[p]                                        np: a[p]
torch.where(a, a, b)                        np: np.where(a, a, b)
torch.cat((a, b))                           np: np.concatenate((a, b))
a.float()                                   np: a.astype(np.float32)
a.clone()                                   np: a.copy()
"""
LAYOUTS = """
a + b                                       np: a + b
a + contiguous                              np: a + contiguous
torch.exp(a)                                np: np.exp(a)
a > b                                       np: a > b
a.sum()                                     np: a.sum()
a.sum(0)                                    np: a.sum(0)
a.sum(1)                                    np: a.sum(1)
a.amax(1)                                   np: a.max(1)
torch.softmax(a, 1)
a.contiguous()                              np: np.ascontiguousarray(a)
a.to(torch.float64)                         np: a.astype(np.float64)
contiguous.copy_(a)                         np: np.copyto(contiguous, a)  gives: contiguous
"""
# What each of these reads and writes is known: held against a copy of memory when the tensors are large.
MEMORY_BOUND = {
    "a + b": "aab", "a * b": "aab", "a / b": "aab", "torch.maximum(a, b)": "aab", "-a": "aa", "torch.abs(c)": "aa",
    "torch.relu(c)": "aa", "torch.sqrt(a)": "aa", "a + row": "aa", "a + column": "aa", "a ** 2": "aa",
    "torch.clamp(c, 0, 1)": "aa", "torch.add(a, b, out=c)": "aaa", "a.mul_(1.0)": "aa", "a.copy_(b)": "aa", "a.clone()": "aa",
    "torch.exp(a)": "aa", "torch.sigmoid(a)": "aa", "torch.tanh(a)": "aa",
}  # fmt: skip


def rows(shapes: Shapes = SHAPES) -> Iterator[Row]:
    for size, of_size in shapes.items():
        yield from floats(size, of_size["float32"])
        for dtype in DTYPES[1:]:
            yield from other_dtype(size, dtype, of_size[dtype])
        for layout in ("transposed", "broadcast", "strided"):
            shape = of_size.get(layout, of_size["float32"])
            of_layout = functools.partial(Operand, shape, layout=layout)
            operands = {"a": of_layout(), "b": of_layout(seed=1), "contiguous": Operand(shape)}
            yield from table(f"{size} {layout}", LAYOUTS, operands)
    side = functools.partial(Operand, (256, 256), "float64")
    operands = {"s": side(values="definite"), "t": side(), "u": side(values="unit")}
    yield from table("medium linear algebra float64", LINEAR_ALGEBRA, operands)


def floats(size: str, shape: tuple[int, int]) -> Iterator[Row]:
    r, c = shape
    of = functools.partial(Operand, shape)
    operands = {
        "a": of(), "a2": of(), "b": of(seed=1), "c": of(values="centred"), "u": of(values="unit"), "signs": of(values="signs"),
        "i": of("int64", "integers"), "row": Operand((c,)), "column": Operand((r, 1)), "x": of(gradient=True),
        "p": Operand((r,), "int64", "positions"), "q": of("int64", "positions"), "target": Operand((r,), "int64", "positions"),
        "sorted_row": Operand((c,), values="sorted"),
    }  # fmt: skip
    families = {"unary": UNARY, "binary": BINARY, "in-place": IN_PLACE, "reductions": REDUCTIONS, "scans": SCANS, "sorting": SORTING,
                "indexing": INDEXING, "structure": STRUCTURE, "creation": CREATION, "rowwise": ROWWISE, "gradients": GRADIENTS}  # fmt: skip
    if size == "medium":
        families["sorting"] += SORTING_MEDIUM
        families["special"] = SPECIAL_MEDIUM
    for family, text in families.items():
        for row in table(f"{size} {family}", sized(text, shape), operands):
            yield limited(row, "float32", shape) if size == "large" else row
    randoms = RANDOM + (RANDOM_MEDIUM if size == "medium" else "")
    yield from table(f"{size} random", sized(randoms, shape), operands, random=True)


def other_dtype(size: str, dtype: str, shape: tuple[int, int]) -> Iterator[Row]:
    values = {"int64": "integers", "bool": "half"}.get(dtype, "uniform")
    of = functools.partial(Operand, shape, dtype, values)
    operands = {"a": of(), "b": of(seed=1), "p": Operand((shape[0],), "int64", "positions")}
    text = {"float64": NUMBERS + REAL, "int64": NUMBERS + INTEGERS, "bfloat16": NUMBERS + REAL, "bool": TRUTH}[dtype]
    if (size, dtype) == ("medium", "float64"):
        text += REAL_MEDIUM
    if dtype == "bfloat16":  # NumPy has no such numbers
        text = "\n".join(without_numpy(line) for line in text.splitlines())
    for row in table(f"{size} {dtype}", text, operands):
        yield limited(row, dtype, shape) if size == "large" else row


def without_numpy(line: str) -> str:
    rest, mark, answer = line.partition(" gives: ")
    return rest.partition(" np: ")[0] + mark + answer


def sized(text: str, shape: tuple[int, int]) -> str:
    r, c = shape
    return "\n".join(
        line.replace("R * C", str(r * c)).replace("(R, C", f"({r}, {c}").replace("(C,)", f"({c},)")
        for line in text.splitlines()
    )


def limited(row: Row, dtype: str, shape: tuple[int, int]) -> Row:
    """The row with the bytes that it has to move, where they are known."""
    blocks = MEMORY_BOUND.get(row.statement)
    if blocks is None:
        return row
    return dataclasses.replace(row, limit=Limit("copy", len(blocks) * math.prod(shape) * BYTES[dtype]))
