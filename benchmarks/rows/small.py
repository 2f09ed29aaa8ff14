"""Small tensors, where the cost of a call is all there is: three numbers, or a 4 by 2 matrix."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.suite import Operand, Row, table

OPERANDS = {
    "a": Operand((3,)),
    "b": Operand((3,), seed=1),
    "zero": Operand((3,), values="zeros"),
    "one": Operand((1,)),
    "v": Operand((4, 2)),
    "w": Operand((2, 4), seed=1),
    "m": Operand((3, 3), values="definite"),
    "i": Operand((3,), "int64", "integers"),
    "p": Operand((3,), "int64", "positions"),
    "mask": Operand((3,), "bool", "half", seed=5),
    "n": Operand((3,), layout="array"),
    "x": Operand((3,), gradient=True),
    "y": Operand((3,), gradient=True, seed=1),
    "vx": Operand((4, 2), gradient=True),
}

CREATION = """
torch.tensor([1.0, 2.0, 3.0])               np: np.array([1.0, 2.0, 3.0], np.float32)
torch.tensor(2.0)                           np: np.array(2.0, np.float32)
torch.tensor([[1, 2], [3, 4]])              np: np.array([[1, 2], [3, 4]])
torch.ones(4, 2)                            np: np.ones((4, 2), np.float32)
torch.zeros(3)                              np: np.zeros(3, np.float32)
torch.empty(3)                              np: np.empty(3, np.float32)  gives: torch.empty(3).shape
torch.full((3,), 2.0)                       np: np.full((3,), 2.0, np.float32)
torch.arange(3)                             np: np.arange(3)
torch.linspace(0, 1, 3)
torch.eye(3)                                np: np.eye(3, dtype=np.float32)
torch.zeros_like(a)                         np: np.zeros_like(a)
a.clone()                                   np: a.copy()
a.new_zeros(3)
"""
RANDOM = """
torch.rand(3)
torch.randn(3)
torch.randint(0, 10, (3,))
torch.randperm(3)
torch.bernoulli(torch.ones(3))
torch.manual_seed(0)                        gives: 0
"""
INDEXING = """
a[1]                                        np: a[1]
a[-1]                                       np: a[-1]
a[0:2]                                      np: a[0:2]
v[:, 1:]                                    np: v[:, 1:]
v[0, 1]                                     np: v[0, 1]
v[..., 0]                                   np: v[..., 0]
v[None]                                     np: v[None]
a[mask]                                     np: a[mask]
a[p]                                        np: a[p]
v[:, p[0] - p[0]]
a[1] = 1.0                                  gives: a
v[:, 0] = 1.0                               gives: v
a[mask] = 1.0                               gives: a
a.gather(0, p)                              np: np.take_along_axis(a, p, 0)
a.index_select(0, p)                        np: np.take(a, p)
a.masked_fill(mask, 0.0)
torch.where(a > b, a, b)                    np: np.where(a > b, a, b)
for row in v: pass                          gives: v[0]
"""
VIEWS = """
v.reshape(2, 4)                             np: v.reshape(2, 4)
v.view(-1)                                  np: v.reshape(-1)
v.transpose(0, 1)                           np: v.transpose(1, 0)
v.T                                         np: v.T
a.unsqueeze(0)                              np: np.expand_dims(a, 0)
a.expand(4, 3)                              np: np.broadcast_to(a, (4, 3))
v.permute(1, 0)                             np: v.transpose(1, 0)
v.flatten()                                 np: v.reshape(-1)
v.squeeze()                                 np: v.squeeze()
torch.chunk(v, 2)                           np: np.split(v, 2)
v.unbind(0)
a.detach()
torch.cat((a, b))                           np: np.concatenate((a, b))
torch.stack((a, b))                         np: np.stack((a, b))
v.contiguous()                              np: np.ascontiguousarray(v)
"""
POINTWISE = """
a + b                                       np: a + b
a * 2                                       np: a * 2
1 - a                                       np: 1 - a
a / b                                       np: a / b
a ** 2                                      np: a ** 2
a > b                                       np: a > b
-a                                          np: -a
i + i                                       np: i + i
a + i
mask & mask                                 np: mask & mask
v + a[:2]
torch.sigmoid(a)
torch.exp(a)                                np: np.exp(a)
torch.tanh(a)                               np: np.tanh(a)
torch.relu(a)
torch.abs(a)                                np: np.abs(a)
torch.clamp(a, 0, 1)                        np: np.clip(a, 0, 1)
torch.maximum(a, b)                         np: np.maximum(a, b)
torch.sqrt(a)                               np: np.sqrt(a)
torch.addcmul(a, a, b, value=0.5)
torch.lerp(a, b, 0.5)
torch.isnan(a)                              np: np.isnan(a)
"""
REDUCTIONS = """
torch.sum(a)                                np: np.sum(a)
a.mean()                                    np: a.mean()
a.max()                                     np: a.max()
a.argmax()                                  np: a.argmax()
a.std()                                     np: a.std(ddof=1)
a.norm()                                    np: np.linalg.norm(a)
a.prod()                                    np: a.prod()
v.sum(0)                                    np: v.sum(0)
v.max(1)
v.mean((0, 1))                              np: v.mean((0, 1))
(a > b).all()                               np: (a > b).all()
torch.cumsum(a, 0)                          np: np.cumsum(a, 0)
torch.softmax(a, 0)
torch.logsumexp(a, 0)
torch.allclose(a, a)                        np: np.allclose(a, a)
torch.equal(a, b)                           np: np.array_equal(a, b)
torch.sort(a)
torch.topk(a, 2)
torch.dot(a, b)                             np: np.dot(a, b)
v @ w                                       np: v @ w
m @ a
torch.linalg.inv(m)                         np: np.linalg.inv(m)
torch.linalg.solve(m, a)
"""
CONVERSIONS = """
one.item()                                  np: one.item()
float(one)
a.tolist()                                  np: a.tolist()
a.numpy()
torch.from_numpy(n)
torch.as_tensor(n)
a.to(torch.float64)                         np: a.astype(np.float64)
a.int()                                     np: a.astype(np.int32)
a.bool()                                    np: a.astype(bool)
a.to(torch.bfloat16)
a.to("cpu")
a.shape                                     np: a.shape  gives: list(a.shape)
len(a)                                      np: len(a)
repr(a)                                     gives: 0
"""
IN_PLACE = """
a.mul_(1.0)                                 np: np.multiply(a, 1.0, out=a)
a.add_(zero)                                np: np.add(a, zero, out=a)
a.add_(zero, alpha=0.5)
a.zero_()
a.fill_(1.0)
a.copy_(b)
a.clamp_(0, 2)
a += zero                                   gives: a
torch.add(a, b, out=zero)                   np: np.add(a, b, out=zero)
a.normal_()
a.uniform_()
a.masked_fill_(mask, 1.0)
"""
GRADIENTS = """
x * y
torch.sigmoid(x)
x.sum()
x[1]
vx.reshape(2, 4)
torch.cat((x, y))
with torch.no_grad(): x * y                 gives: x * y
(x * y).sum().backward()                    gives: x.grad
torch.sigmoid((x * y).sum()).backward()     gives: x.grad
torch.autograd.grad((x * y).sum(), (x, y))
torch.autograd.grad(torch.autograd.grad((x * x * y).sum(), x, create_graph=True)[0].sum(), y)
F.mse_loss(x, a).backward()                 gives: x.grad
x.grad = None                               gives: x
"""


def rows() -> Iterator[Row]:
    yield from table("small creation", CREATION, OPERANDS)
    yield from table("small random", RANDOM, OPERANDS, random=True)
    yield from table("small indexing", INDEXING, OPERANDS)
    yield from table("small views", VIEWS, OPERANDS)
    yield from table("small pointwise", POINTWISE, OPERANDS)
    yield from table("small reductions", REDUCTIONS, OPERANDS)
    yield from table("small conversions", CONVERSIONS, OPERANDS)
    yield from table("small in-place", IN_PLACE, OPERANDS)
    yield from table("small gradients", GRADIENTS, OPERANDS)
