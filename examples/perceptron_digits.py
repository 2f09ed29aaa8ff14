"""One neuron learns to tell a handwritten digit from all others, with every step of learning written out.

    python examples/perceptron_digits.py              on PyTorch
    python -m lumbre examples/perceptron_digits.py    on Lumbre

The neuron weighs the 64 pixels of an image, adds a bias, and squashes the sum to a number between 0 and 1:

    h = W·X + b        y = sigmoid(h)

y is read as "how sure am I that this is the digit". Learning means changing W and b a little, many times, so that y
comes closer to the truth. No automatic differentiation here: the two derivatives are short enough to write by hand.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from tqdm import tqdm


def load(digit: int, held_out: int):
    """Images as rows of 64 numbers from 0 to 1, and whether each is the digit: to learn from, and held out."""
    digits = load_digits()
    images = torch.from_numpy(digits.data).float() / 16
    labels = torch.from_numpy(digits.target)
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    truth = (labels == digit).float()
    return images[held_out:], truth[held_out:], images[:held_out], truth[:held_out], labels[:held_out]


def neuron(X, W, b):
    return torch.sigmoid(X @ W + b)


def cross_entropy(y, truth):
    """How surprised the neuron is by the truth, on average: 0 when it was sure and right."""
    y = y.clamp(1e-7, 1 - 1e-7)
    return -(truth * torch.log(y) + (1 - truth) * torch.log(1 - y)).mean().item()


def train(X, truth, X_test, truth_test, steps: int, rate: float):
    W = torch.randn(64) * 0.01
    b = torch.zeros(1)
    losses = []
    bar = tqdm(range(steps), unit="step")
    for step in bar:
        y = neuron(X, W, b)
        if step % 10 == 0:
            losses.append((step, cross_entropy(y, truth), cross_entropy(neuron(X_test, W, b), truth_test)))
            bar.set_postfix(loss=f"{losses[-1][1]:.4f}", refresh=False)

        # The derivative of the loss by h is simply (y - truth); the chain rule takes it on to W and b.
        dh = (y - truth) / len(X)
        dW = X.T @ dh
        db = dh.sum()

        W -= rate * dW
        b -= rate * db
    return W, b, losses


def draw(path: Path, digit: int, losses, W, mistakes, summary: str) -> None:
    ink, faint, blue, red = "#222222", "#9a9a9a", "#2f6db3", "#c8443c"
    plt.rcParams.update({"font.size": 10.5, "text.color": ink, "axes.edgecolor": faint, "axes.labelcolor": ink})
    figure = plt.figure(figsize=(13, 5), layout="constrained")
    figure.suptitle(f"One neuron that knows the digit {digit}   ({summary})", fontsize=13, fontweight="bold")
    left, middle, right = figure.subfigures(1, 3, width_ratios=[1.05, 1, 1.15])

    axes = left.subplots()
    steps, train_loss, test_loss = zip(*losses, strict=True)
    axes.plot(steps, train_loss, color=blue, linewidth=2)
    axes.plot(steps, test_loss, color=red, linewidth=2)
    # The curves carry their own names: no legend to look up.
    axes.annotate("images it learns from", (steps[-1], train_loss[-1]), (0, -18), textcoords="offset points",
                  ha="right", color=blue)  # fmt: skip
    axes.annotate("images it has never seen", (steps[-1], test_loss[-1]), (0, 11), textcoords="offset points",
                  ha="right", color=red)  # fmt: skip
    left.suptitle("How wrong it is while it learns", fontsize=12)
    lowest = 0.6 * min(train_loss + test_loss)
    axes.set(xlabel="step", ylabel="cross-entropy", yscale="log", ylim=(lowest, 1))
    ticks = [tick for tick in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if tick >= lowest]
    axes.set_yticks(ticks, labels=map(str, ticks))
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e8e8e8")
    axes.set_axisbelow(True)

    axes = middle.subplots()
    limit = W.abs().max().item()
    picture = axes.imshow(W.reshape(8, 8).numpy(), cmap="RdBu", vmin=-limit, vmax=limit)
    middle.suptitle("What it looks for: the weights W", fontsize=12)
    axes.set(xticks=[], yticks=[], anchor="N")
    axes.spines[:].set_visible(False)
    bar = middle.colorbar(picture, ax=axes, orientation="horizontal", shrink=0.7, pad=0.03, ticks=[-limit, 0, limit])
    bar.ax.set_xticklabels(["ink speaks against", "0", f"ink speaks for a {digit}"])
    bar.outline.set_visible(False)

    rows, columns = 3, 3
    right.suptitle("Where it is wrong and most sure of itself", fontsize=12)
    for place, axes in enumerate(right.subplots(rows, columns).flat):
        axes.set_axis_off()
        if place < len(mistakes):
            image, label, y = mistakes[place]
            axes.imshow(image.reshape(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
            said = f"says {digit}" if y > 0.5 else f"says not {digit}"
            axes.set_title(f"a {label}: {said}, y = {y:.2f}", fontsize=8)

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digit", type=int, default=8, choices=range(10), help="the digit to learn (8)")
    parser.add_argument("--steps", type=int, default=2000, help="how many times W and b are changed (2000)")
    parser.add_argument("--rate", type=float, default=2.0, help="how far each time (2.0)")
    parser.add_argument("--seed", type=int, default=0, help="for the shuffle and the first weights (0)")
    parser.add_argument("--output", type=Path, default=Path("out/perceptron_digits.png"), help="the picture")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    X, truth, X_test, truth_test, labels_test = load(options.digit, held_out=450)
    W, b, losses = train(X, truth, X_test, truth_test, options.steps, options.rate)

    y = neuron(X_test, W, b)
    wrong = (y > 0.5) != (truth_test > 0.5)
    accuracy = 1 - wrong.float().mean().item()
    lazy = 1 - truth_test.mean().item()
    print(f"held-out accuracy: {100 * accuracy:.2f}% of {len(y)} images ({100 * lazy:.2f}% by always saying no)")

    surest_first = torch.argsort((y - truth_test).abs(), descending=True)
    mistakes = [(X_test[i], labels_test[i].item(), y[i].item()) for i in surest_first.tolist() if wrong[i]]
    draw(options.output, options.digit, losses, W, mistakes, f"right on {100 * accuracy:.1f}% of new images")
    print(f"the picture is in {options.output}")


if __name__ == "__main__":
    main()
