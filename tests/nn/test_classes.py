"""The classes of nn: their arguments, their kinship, what they print and refuse, as PyTorch has them."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
from programs import compare

import lumbre

NAMES = sorted(
    name
    for name, value in vars(torch.nn).items()
    if inspect.isclass(value) and issubclass(value, torch.nn.Module) and name != "Container"
)


def arguments(cls: type) -> list[tuple[str, str, str]]:
    """Name, default and kind of each constructor argument."""
    found = []
    for each in inspect.signature(cls).parameters.values():
        default = "a function" if callable(each.default) and each.default is not each.empty else repr(each.default)
        found.append((each.name, default.replace("lumbre.", "torch."), each.kind.name))
    return found


def test_no_class_is_missing() -> None:
    assert not {name for name in NAMES if not hasattr(lumbre.nn, name)}


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name: str) -> None:
    assert arguments(getattr(lumbre.nn, name)) == arguments(getattr(torch.nn, name))


def test_kinship() -> None:
    names = NAMES
    for name in names:
        theirs = {other for other in names if issubclass(getattr(torch.nn, name), getattr(torch.nn, other))}
        ours = {other for other in names if issubclass(getattr(lumbre.nn, name), getattr(lumbre.nn, other))}
        assert ours == theirs, name


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_where_programs_import_them_from(name: str) -> None:
    where = getattr(torch.nn, name).__module__
    module = (
        importlib.import_module(where.replace("torch.nn", "lumbre.nn", 1)) if "parallel" not in where else lumbre.nn
    )
    assert getattr(module, name) is getattr(lumbre.nn, name)


def test_a_subclass_has_its_own_arguments() -> None:
    class Mine(lumbre.nn.Dropout):
        def __init__(self, other: int) -> None:
            super().__init__(0.1)

    assert list(inspect.signature(Mine).parameters) == ["other"]


def texts(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    for make in (
        lambda: nn.Identity(3, a=4), lambda: nn.Linear(2, 3, False), lambda: nn.Bilinear(1, 2, 3), lambda: nn.ReLU(True),
        lambda: nn.Threshold(1, 2), lambda: nn.RReLU(), lambda: nn.Hardtanh(-2, 2), lambda: nn.ReLU6(True), lambda: nn.Sigmoid(),
        lambda: nn.Hardsigmoid(), lambda: nn.Hardswish(True), lambda: nn.SiLU(), lambda: nn.Mish(), lambda: nn.ELU(2.0),
        lambda: nn.CELU(), lambda: nn.SELU(), lambda: nn.GLU(), lambda: nn.GELU("tanh"), lambda: nn.Hardshrink(),
        lambda: nn.Softshrink(0.2), lambda: nn.LeakyReLU(), lambda: nn.Softplus(), lambda: nn.PReLU(3), lambda: nn.Softmax(1),
        lambda: nn.Softmin(), lambda: nn.LogSoftmax(dim=0), lambda: nn.Softmax2d(), lambda: nn.Tanhshrink(),
        lambda: nn.Dropout(0.3, True), lambda: nn.Dropout2d(), lambda: nn.AlphaDropout(), lambda: nn.Embedding(3, 4, 1),
        lambda: nn.Embedding(3, 4, max_norm=2, scale_grad_by_freq=True), lambda: nn.EmbeddingBag(3, 4, mode="sum"),
        lambda: nn.Flatten(), lambda: nn.Unflatten(1, (2, 3)), lambda: nn.PixelShuffle(2), lambda: nn.PixelUnshuffle(2),
        lambda: nn.ChannelShuffle(2), lambda: nn.CosineSimilarity(), lambda: nn.PairwiseDistance(), lambda: nn.MSELoss(),
        lambda: nn.CrossEntropyLoss(torch.ones(2)), lambda: nn.NLLLoss(), lambda: nn.BCEWithLogitsLoss(), lambda: nn.CTCLoss(),
        lambda: nn.TripletMarginLoss(), lambda: nn.HuberLoss(delta=2), lambda: nn.KLDivLoss(log_target=True),
        lambda: nn.Dropout(2), lambda: nn.Dropout(p=-1), lambda: nn.ReLU(1, 2), lambda: nn.ReLU(foo=1), lambda: nn.Threshold(1),
        lambda: nn.Embedding(3, 4, 5), lambda: nn.Embedding(3, 4, -5), lambda: nn.Bilinear(0, 2, 3), lambda: nn.Hardtanh(2, 1),
        lambda: nn.Unflatten(1, 3), lambda: nn.Unflatten(1, ("a",)), lambda: nn.HuberLoss(delta=0)(torch.ones(1), torch.ones(1)),
        lambda: nn.MSELoss(reduction="x")(torch.ones(1), torch.ones(1)), lambda: nn.MultiMarginLoss(p=3),
        lambda: nn.MSELoss(size_average=False).reduction, lambda: nn.MSELoss(reduce=False).reduction,
        lambda: nn.Embedding.from_pretrained(torch.ones(2, 3)), lambda: nn.Embedding.from_pretrained(torch.ones(2)),
        lambda: nn.EmbeddingBag.from_pretrained(torch.ones(2, 3)).weight.requires_grad,
        lambda: nn.Softmax2d()(torch.ones(2)), lambda: nn.Dropout2d(0.5)(torch.ones(1, 1, 1, 1)).shape,
        lambda: nn.CrossEntropyLoss(torch.ones(2)).state_dict(), lambda: nn.BCEWithLogitsLoss(pos_weight=torch.ones(1)).state_dict(),
        lambda: nn.TripletMarginLoss(margin=-1), lambda: nn.Linear(2, 3, dtype=torch.float64).weight.dtype,
        lambda: nn.Linear(2, 3, device="cpu").weight.device,
    ):  # fmt: skip
        tries(make)
    torch.manual_seed(1)
    for module in (nn.Embedding(4, 3, 1), nn.EmbeddingBag(4, 3), nn.Bilinear(2, 3, 2), nn.PReLU(2), nn.Linear(3, 2)):
        say([value.hex() for p in module.parameters() for value in p.flatten().tolist()])


def test_texts() -> None:
    compare(texts)
