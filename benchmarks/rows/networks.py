"""Whole programs: one training step of each network, its inference, and what modules cost by themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.suite import Row

Names = dict[str, Any]
Step = Callable[[], Any]


def rows() -> Iterator[Row]:
    for name, (make, group, compiled) in NETWORKS.items():
        train = functools.partial(names_of, make, True)
        yield Row(f"{group} steps", f"{name}, training", "step()", train, compiled=compiled)
        if make is not perceptron:
            infer = functools.partial(names_of, make, False)
            yield Row(f"{group} steps", f"{name}, inference", "infer()", infer, compiled=compiled)
    for statement, answer in MODULES.items():
        yield Row("small modules", statement, statement, modules, answer=answer)


def names_of(make: Callable[..., tuple[Step, Step]], training: bool, library: Any) -> Names:
    step, infer = make(library.module, library.compiled)
    return {"step": step} if training else {"infer": infer}


def stepping(torch: Any, net: Any, optimizer: Any, loss: Callable[[Any], Any], x: Any) -> tuple[Step, Step]:
    """A training step that returns its loss, and inference, of a network on a batch."""

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(net(x))
        value.backward()
        optimizer.step()
        return value

    def infer() -> Any:
        with torch.no_grad():
            return net(x)

    return step, infer


def perceptron(torch: Any, compiled: Any) -> tuple[Step, Step]:
    w, b = torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)
    x = torch.randn(3)

    def infer() -> Any:
        return torch.sigmoid((w * x).sum() + b)

    def step() -> Any:
        y = infer()
        y.backward()
        with torch.no_grad():
            w.sub_(w.grad, alpha=0.01)
            b.sub_(b.grad, alpha=0.01)
        w.grad = b.grad = None
        return y

    return step, infer


def small_net(optimizer: str, torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = torch.randn(4, 2), torch.randn(4, 1)
    made = getattr(torch.optim, optimizer)(net.parameters(), lr=0.01)
    return stepping(torch, compiled(net), made, lambda found: nn.functional.mse_loss(found, y), x)


def policy(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    state, action, gain = torch.randn(4), torch.tensor(1), torch.tensor(0.5)

    def loss(odds: Any) -> Any:
        return -torch.distributions.Categorical(logits=odds).log_prob(action) * gain

    return stepping(torch, compiled(net), torch.optim.Adam(net.parameters(), lr=1e-3), loss, state)


def classifier(torch: Any, compiled: Any, net: Any, x: Any, optimizer: str = "Adam") -> tuple[Step, Step]:
    labels = torch.randint(0, 10, (len(x),))
    made = getattr(torch.optim, optimizer)(net.parameters(), lr=1e-3)
    return stepping(torch, compiled(net), made, lambda odds: torch.nn.functional.cross_entropy(odds, labels), x)


def digits(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    return classifier(torch, compiled, net, torch.randn(64, 784))


def dropout(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 10),
    )
    return classifier(torch, compiled, net, torch.randn(64, 784))


def cnn(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(784, 10),
    )  # fmt: skip
    return classifier(torch, compiled, net, torch.randn(64, 1, 28, 28))


def recurrent(kind: str, torch: Any, compiled: Any) -> tuple[Step, Step]:
    net = getattr(torch.nn, kind)(32, 64, batch_first=True)
    series, wanted = torch.randn(16, 32, 32), torch.randn(16, 32, 64)
    adam = torch.optim.Adam(net.parameters())
    return stepping(torch, compiled(net), adam, lambda found: torch.nn.functional.mse_loss(found[0], wanted), series)


def encoder(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn = torch.nn
    net = nn.TransformerEncoder(nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True), 2)
    words, wanted = torch.randn(8, 64, 128), torch.randn(8, 64, 128)
    adam = torch.optim.Adam(net.parameters())
    return stepping(torch, compiled(net), adam, lambda found: nn.functional.mse_loss(found, wanted), words)


def gpt(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            batch, length, width = x.shape
            parts = (
                self.qkv(self.before(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            )
            seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
            return x + self.mlp(self.after(x))

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(96, 64), nn.Embedding(64, 64)
            self.blocks = nn.Sequential(Block(64, 4), Block(64, 4))
            self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 96, bias=False)

        def forward(self, text: Any) -> Any:
            x = self.tokens(text) + self.places(torch.arange(text.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    net = Gpt()
    text = torch.randint(0, 96, (8, 65))
    adam = torch.optim.AdamW(net.parameters(), lr=3e-4)

    def loss(odds: Any) -> Any:
        return functional.cross_entropy(odds.flatten(0, 1), text[:, 1:].flatten())

    return stepping(torch, compiled(net), adam, loss, text[:, :-1].contiguous())


def vae(torch: Any, compiled: Any) -> tuple[Step, Step]:
    nn, functional = torch.nn, torch.nn.functional

    class Vae(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
            self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

        def forward(self, x: Any) -> Any:
            mean, log_variance = self.encoder(x).chunk(2, 1)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            return self.decoder(z), mean, log_variance

    net = Vae()
    x = torch.rand(64, 784)

    def loss(found: Any) -> Any:
        odds, mean, log_variance = found
        likeness = functional.binary_cross_entropy_with_logits(odds, x, reduction="sum")
        return likeness - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()

    return stepping(torch, compiled(net), torch.optim.Adam(net.parameters(), lr=1e-3), loss, x)


# Its maker, the rows' group, and whether torch.compile is measured too (it takes its time).
NETWORKS: dict[str, tuple[Callable[..., tuple[Step, Step]], str, bool]] = {
    "perceptron": (perceptron, "small", False),
    "2-8-1, SGD": (functools.partial(small_net, "SGD"), "small", True),
    "2-8-1, Adam": (functools.partial(small_net, "Adam"), "small", False),
    "4-64-64-2 policy": (policy, "small", True),
    "784-256-10": (digits, "network", True),
    "dropout MLP 784-512-512-10": (dropout, "network", False),
    "CNN 28 x 28": (cnn, "network", True),
    "LSTM 32-64": (functools.partial(recurrent, "LSTM"), "network", False),
    "GRU 32-64": (functools.partial(recurrent, "GRU"), "network", False),
    "transformer encoder": (encoder, "network", False),
    "tiny GPT": (gpt, "network", True),
    "VAE 784-400-20": (vae, "network", False),
}

MODULES: dict[str, str | None] = {
    "torch.nn.Linear(2, 8)": "0",
    "linear(row)": None,
    "net(x)": None,
    "net.state_dict()": None,
    "net.load_state_dict(state)": "0",
    "list(net.parameters())": None,
    "net.zero_grad()": "0",
    "net.train()": "0",
    "copy.deepcopy(net)": "0",
    "torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)": None,
    "optimizer.step()": "list(net.parameters())",
    "torch.func.functional_call(net, state, (x,))": None,
    "normal.sample()": None,
    "normal.log_prob(row)": None,
}


def modules(library: Any) -> Names:
    import copy

    torch = library.module
    nn = torch.nn
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(4, 2)
    net(x).sum().backward()
    return {
        "net": net, "x": x, "state": net.state_dict(), "linear": nn.Linear(3, 3), "row": torch.rand(3), "copy": copy,
        "optimizer": torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9),
        "normal": torch.distributions.Normal(torch.zeros(3), torch.ones(3)),
    }  # fmt: skip
