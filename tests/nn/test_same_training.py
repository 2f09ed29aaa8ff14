"""The same training under both libraries: from one seed, the same losses."""

from __future__ import annotations

import pytest

import lumbre

torch = pytest.importorskip("torch")


def train(library, make, steps):
    """The losses of a few steps; ``make`` gives the parameters, an optimizer and a function that gives the loss."""
    library.manual_seed(0)
    optimizer, loss_of = make(library)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def convolutional(library):
    nn = library.nn
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(0.25), nn.Linear(72, 5),
    )  # fmt: skip
    x, y = library.randn(16, 1, 12, 12), library.randint(0, 5, (16,))
    optimizer = library.optim.Adam(model.parameters(), 1e-2)
    return optimizer, lambda: nn.functional.cross_entropy(model(x), y)


def recurrent(library):
    nn = library.nn
    network, head = nn.LSTM(6, 8, 2, dropout=0.2, batch_first=True), nn.Linear(8, 3)
    x, y = library.randn(4, 7, 6), library.randint(0, 3, (4,))
    optimizer = library.optim.SGD([*network.parameters(), *head.parameters()], 0.5, momentum=0.9)
    return optimizer, lambda: nn.functional.cross_entropy(head(network(x)[0][:, -1]), y)


def attentive(library):
    nn = library.nn
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    x = library.randn(4, 6, 8)
    optimizer = library.optim.AdamW(encoder.parameters(), 1e-2)
    return optimizer, lambda: nn.functional.mse_loss(encoder(x), x)


@pytest.mark.parametrize("make", [convolutional, recurrent, attentive])
def test_losses(make):
    assert train(lumbre, make, 12) == pytest.approx(train(torch, make, 12), rel=2e-4)
