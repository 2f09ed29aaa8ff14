"""Whole programs compiled and as written: the same numbers to the bit, gradients, states and random streams included."""

from __future__ import annotations

import warnings

import pytest

import lumbre as torch

nn, F, optim = torch.nn, torch.nn.functional, torch.optim


def same(a, b):
    if isinstance(a, torch.Tensor):
        names = [t.grad_fn.name() if t.grad_fn is not None else None for t in (a, b)]
        return (
            a.dtype == b.dtype and a.shape == b.shape and a.stride() == b.stride() and names[0] == names[1]
            and a.requires_grad == b.requires_grad and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        )  # fmt: skip
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def check(build, calls=7, recordings=1, program=False):
    """``build`` gives a function, its arguments for the i-th call, and the modules whose state is compared.

    ``program``: nothing of the graph is left, so that none is made.
    """
    torch.manual_seed(0)
    function, arguments, *modules = build()
    torch.manual_seed(0)
    other, _, *twins = build()
    compiled = torch.compile(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(calls):
            results, streams = [], []
            for f in (function, compiled):
                torch.manual_seed(i)
                results.append(f(*arguments(i)))
                streams.append(torch.get_rng_state())
            assert same(*results), (i, results)
            assert torch.equal(*streams)
    compare_states(modules, twins)
    repeated = compiled.forward if isinstance(compiled, nn.Module) else compiled
    assert repeated._recordings == recordings
    assert not program or all(steps > 0 for steps, _ in repeated._programs)


def compare_states(modules, twins):
    for module, twin in zip(modules, twins, strict=True):
        for p, q in zip(module.parameters(), twin.parameters(), strict=True):
            assert torch.equal(p, q) and p._version == q._version
            assert (p.grad is None) == (q.grad is None)
            assert p.grad is None or (torch.equal(p.grad, q.grad) and p.grad.stride() == q.grad.stride())
        for p, q in zip(module.buffers(), twin.buffers(), strict=True):
            assert torch.equal(p, q)


def training(make, optimizer, shape, target, loss, set_to_none=True, **settings):
    def build():
        model = make()
        steps = optimizer(model.parameters(), **settings)

        def step(x, y):
            steps.zero_grad(set_to_none)
            out = model(x)
            value = loss(out[0] if isinstance(out, tuple) else out, y)
            value.backward()
            steps.step()
            return value

        return step, lambda i: (torch.randn(shape), target()), model

    return build


def labels(n, classes=3):
    return lambda: torch.randint(0, classes, (n,))


def small():
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))


def mlp():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def written():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(inplace=True), nn.Linear(16, 3))


def normalised():
    return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3))


def layers():
    return nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.LayerNorm(16), nn.Linear(16, 3))


PROGRAMS = {
    "2-8-1, SGD": training(small, optim.SGD, (4, 2), lambda: torch.randn(4, 1), F.mse_loss, lr=0.1),
    "2-8-1, Adam": training(small, optim.Adam, (4, 2), lambda: torch.randn(4, 1), F.mse_loss),
    "2-8-1, AdamW": training(small, optim.AdamW, (4, 2), lambda: torch.randn(4, 1), F.mse_loss),
    "dropout": training(mlp, optim.Adam, (8, 4), labels(8), F.cross_entropy),
    "in place": training(written, optim.Adam, (8, 4), labels(8), F.cross_entropy),
    "batch norm": training(normalised, optim.SGD, (8, 4), labels(8), F.cross_entropy, lr=0.1, momentum=0.9),
    "convolution": training(cnn, optim.AdamW, (5, 1, 8, 8), labels(5), F.cross_entropy),
    "LSTM": training(lambda: nn.LSTM(4, 6), optim.RMSprop, (5, 3, 4), lambda: torch.randn(5, 3, 6), F.mse_loss),
    "GRU": training(lambda: nn.GRU(4, 6), optim.Adagrad, (5, 3, 4), lambda: torch.randn(5, 3, 6), F.mse_loss),
    "transformer": training(
        lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), optim.NAdam, (3, 5, 16),
        lambda: torch.randn(3, 5, 16), F.l1_loss,
    ),
    "zeroed gradients": training(small, optim.SGD, (4, 2), lambda: torch.randn(4, 1), F.mse_loss, set_to_none=False, lr=0.1),
}  # fmt: skip


WITHOUT_GRAPH = (
    "2-8-1, SGD",
    "2-8-1, Adam",
    "2-8-1, AdamW",
    "batch norm",
    "in place",
    "convolution",
    "LSTM",
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_training(name):
    check(PROGRAMS[name], program=name in WITHOUT_GRAPH)


OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}), (optim.SGD, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.Adadelta, {}), (optim.Adamax, {}), (optim.RAdam, {}), (optim.Rprop, {}), (optim.ASGD, {}),
    (optim.Adam, {"amsgrad": True}), (optim.Adam, {"weight_decay": 0.1, "maximize": True}), (optim.Adafactor, {}),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "settings"), OPTIMIZERS, ids=lambda o: getattr(o, "__name__", ""))
def test_optimizers(optimizer, settings):
    if optimizer is optim.Adafactor:
        pytest.skip("its step reads its state as numbers")
    check(training(layers, optimizer, (8, 4), labels(8), F.cross_entropy, **settings), calls=12)


class GPT(nn.Module):
    def __init__(self, words=17, length=8, width=16, heads=2, depth=2):
        super().__init__()
        self.heads = heads
        self.token, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "before": nn.LayerNorm(width), "qkv": nn.Linear(width, 3 * width), "out": nn.Linear(width, width),
                    "after": nn.LayerNorm(width), "up": nn.Linear(width, 4 * width), "down": nn.Linear(4 * width, width),
                }
            )
            for _ in range(depth)
        )  # fmt: skip
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.token.weight

    def forward(self, ids, targets=None):
        batch, length = ids.shape
        x = self.token(ids) + self.place(torch.arange(length))
        for block in self.blocks:
            parts = block["qkv"](block["before"](x)).split(x.shape[-1], dim=-1)
            q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + block["out"](y.transpose(1, 2).reshape(batch, length, -1))
            x = x + block["down"](F.gelu(block["up"](block["after"](x))))
        logits = self.head(self.norm(x))
        if targets is None:
            return logits
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


def words(i):
    return torch.randint(0, 17, (3, 8)), torch.randint(0, 17, (3, 8))


def test_a_small_language_model():
    def build():
        model = GPT()
        steps = optim.AdamW(model.parameters(), lr=1e-2)

        def step(x, y):
            _, loss = model(x, y)
            steps.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            steps.step()
            return loss

        return step, words, model

    check(build, calls=10)


def test_its_forward_alone():
    def build():
        model = GPT()
        return model, words, model

    check(build)


def test_gradients_of_a_compiled_module():
    """Backward outside: the graph is the one that a call as written leaves."""
    torch.manual_seed(0)
    model = layers()
    torch.manual_seed(0)
    twin = layers()
    compiled = torch.compile(twin)
    for i in range(6):
        torch.manual_seed(i)
        x, y = torch.randn(8, 4, requires_grad=True), torch.randint(0, 3, (8,))
        z = x.detach().clone().requires_grad_()
        first, second = F.cross_entropy(model(x), y), F.cross_entropy(compiled(z), y)
        assert torch.equal(first, second)
        if i == 3:  # gradients of gradients
            (g,) = torch.autograd.grad(first, x, create_graph=True)
            (h,) = torch.autograd.grad(second, z, create_graph=True)
            first, second = first + (g * g).sum(), second + (h * h).sum()
        first.backward()
        second.backward()
        assert torch.equal(x.grad, z.grad)
        compare_states([model], [twin])
    assert compiled.forward._recordings == 1


def test_arguments_and_results_in_containers():
    def build():
        model = nn.Linear(4, 2)

        def function(batch, *, scale=2.0, flags=(True, None)):
            with torch.no_grad():
                y = model(batch["x"]) * scale
            total = y.max(dim=1)
            return {"y": y, "parts": [batch["x"], y + 1], "best": total, "flag": flags[0], "n": y.shape[0]}

        return function, lambda i: ({"x": torch.randn(3, 4), "unused": [1, "a"]},), model

    check(build)


def test_views_and_writes():
    def function(x):
        y = x.clone()
        y[0] = 7.0
        y[:, 1] += 1
        y[1:, ::2] = x[:-1, ::2]
        y[..., None][0].mul_(2)
        y.t().add_(1)
        z = y[[0, 2]]
        y[torch.tensor([True, False, True])] = 0.5
        return y, z, y.T.contiguous(), y.view(-1)[2:5], x[y.argmax(1)[:1]]

    check(lambda: (function, lambda i: (torch.randn(3, 4),)))


def test_random_draws():
    def function(x):
        y = F.dropout(x, 0.5) + torch.rand(3, 4) + torch.randn_like(x)
        y.uniform_(0, 1)
        return y, torch.bernoulli(torch.full((5,), 0.3)), torch.randperm(5), torch.multinomial(torch.ones(4), 2)

    check(lambda: (function, lambda i: (torch.randn(3, 4),)))


def test_constants_of_numbers():
    def function(x):
        table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        table += x
        return table, torch.as_tensor([1, 2]), torch.arange(3.0), torch.zeros(2, requires_grad=True) + x

    check(lambda: (function, lambda i: (torch.randn(2, 2),)))


def test_modes():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        with torch.no_grad():
            a = w * x
        with torch.inference_mode():
            b = w * x
        with torch.enable_grad():
            c = w * x
        return a, b.clone(), c

    check(lambda: (function, lambda i: (torch.randn(3),)))
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            check(lambda: (function, lambda i: (torch.randn(3),)))


def test_a_function_that_leaves_a_mode():
    compiled = torch.compile(lambda x: (torch.set_grad_enabled(False), x * 2)[1])
    for _ in range(4):
        compiled(torch.ones(2))
        assert not torch.is_grad_enabled()
        torch.set_grad_enabled(True)


def test_gradients_inside():
    def function(x):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x)
        return g.detach(), h

    check(lambda: (function, lambda i: (torch.randn(3),)))


def test_accumulated_gradients():
    def build():
        model = small()

        def step(x):
            model(x).sum().backward()

        return step, lambda i: (torch.randn(4, 2),), model

    check(build, recordings=1)


def test_writes_of_other_dtypes():
    def function(x, n):
        y = x.clone()
        y.lt_(0.5)
        n.add_(2)
        z = x.double()
        z.add_(x)
        return (
            y,
            n * 1,
            z,
            (x > 0).mul_(True),
            x.clone().copy_(n),
            torch.add(x, 1, out=torch.zeros(3, dtype=torch.float64)),
        )

    check(lambda: (function, lambda i: (torch.randn(3), torch.arange(3))))
