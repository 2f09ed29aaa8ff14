"""Two networks learn to read handwritten digits: one of plain layers, one of convolutions.

    python examples/digits_networks.py              on PyTorch
    python -m lumbre examples/digits_networks.py    on Lumbre, with the same numbers

The data are the 1,797 digits of 8 x 8 pixels that scikit-learn carries. Each network is trained with Adam, tested on
digits that it has not seen, drawn (the losses, and the digits it got wrong), saved, and loaded back.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm


def load(held_out):
    """Training and held-out sets of images (1, 8, 8) from 0 to 1 with their digits."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).float().unsqueeze(1) / 16
    labels = torch.from_numpy(digits.target)
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    return TensorDataset(images[held_out:], labels[held_out:]), (images[:held_out], labels[:held_out])


def plain_network():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10)
    )


def convolutional_network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 4 * 4, 10),
    )


def accuracy(net, images, labels):
    net.eval()
    with torch.no_grad():
        right = (net(images).argmax(1) == labels).float().mean().item()
    net.train()
    return right


def train(name, net, data, test, epochs):
    """The loss of every step, and the accuracy on the held-out digits after every epoch."""
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    losses, accuracies = [], []
    bar = tqdm(range(epochs), desc=name, unit="epoch")
    for _ in bar:
        for images, labels in DataLoader(data, batch_size=64, shuffle=True):
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        accuracies.append(accuracy(net, *test))
        bar.set_postfix(loss=f"{losses[-1]:.4f}", held_out=f"{accuracies[-1]:.2%}", refresh=False)
    return losses, accuracies


def draw(path, runs, test):
    """The losses on the left, the held-out accuracy in the middle, and mistakes on the right."""
    images, labels = test
    figure = plt.figure(figsize=(13, 4))
    left, middle = figure.add_subplot(1, 3, 1), figure.add_subplot(1, 3, 2)
    for name, (_, losses, accuracies) in runs.items():
        left.plot(losses, label=name, linewidth=0.8)
        middle.plot([100 * a for a in accuracies], label=f"{name}: {accuracies[-1]:.2%}")
    left.set(title="Loss", xlabel="step", yscale="log")
    middle.set(title="Held-out digits read right", xlabel="epoch", ylabel="%", ylim=(90, 100))
    middle.legend(loc="lower right")
    left.legend()
    net = runs["convolutions"][0].eval()
    with torch.no_grad():
        guesses = net(images).argmax(1)
    wrong = (guesses != labels).nonzero().flatten().tolist()[:6]
    for place, i in enumerate(wrong):
        axes = figure.add_subplot(2, 9, 7 + place % 3 + 9 * (place // 3))
        axes.imshow(images[i, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{labels[i].item()} read as {guesses[i].item()}", fontsize=8)
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--held-out", type=int, default=360)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, default=Path("out/digits_networks.png"))
    parser.add_argument("--weights", type=Path, default=Path("out/digits_networks.pt"))
    options = parser.parse_args()

    for path in (options.picture, options.weights):
        path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    data, test = load(options.held_out)
    runs = {}
    for name, make in {"plain layers": plain_network, "convolutions": convolutional_network}.items():
        net = make()
        losses, accuracies = train(name, net, data, test, options.epochs)
        runs[name] = (net, losses, accuracies)
        print(f"{name}: {accuracies[-1]:.2%} of {options.held_out} held-out digits read right")
    draw(options.picture, runs, test)

    torch.save({name: net.state_dict() for name, (net, _, _) in runs.items()}, options.weights)
    loaded = convolutional_network()
    loaded.load_state_dict(torch.load(options.weights)["convolutions"])
    same = accuracy(loaded, *test) == runs["convolutions"][2][-1]
    print(f"weights saved to {options.weights} and loaded back: {'the same answers' if same else 'OTHER ANSWERS'}")
    print(f"picture: {options.picture}")


if __name__ == "__main__":
    main()
