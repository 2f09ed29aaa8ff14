"""What errors in a network say beside PyTorch's message, and the warnings where beginners lose hours."""

from __future__ import annotations

import copy
import warnings

import pytest

import lumbre as torch
from lumbre import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(5, 3))

    def forward(self, x):
        return self.net(x)


def notes_of(attempt, kind=Exception):
    with pytest.raises(kind) as caught:
        attempt()
    return getattr(caught.value, "__notes__", [])


def test_the_place_is_the_way_from_the_outermost_module():
    notes = notes_of(lambda: Net()(torch.ones(2, 4)), RuntimeError)
    assert notes == [
        "in net.2 (Linear) of Net, which was given float32 (2, 8)",
        "Linear(5, 3) takes (*, 5): make it Linear(8, 3)",
    ]


def test_the_message_stays_as_it_is():
    with pytest.raises(RuntimeError) as plain:
        nn.functional.linear(torch.ones(2, 8), torch.ones(3, 5), torch.ones(3))
    with pytest.raises(RuntimeError) as noted:
        Net()(torch.ones(2, 4))
    assert str(noted.value) == str(plain.value)


@pytest.mark.parametrize(
    "module, args, advice",
    [
        (lambda: nn.Linear(12, 2), [(5, 3, 4)], "x.flatten(1)"),
        (lambda: nn.Linear(3, 2), [(3, 5)], "x.T"),
        (lambda: nn.Conv2d(3, 8, 3), [(2, 9, 9, 3)], "x.permute(0, 3, 1, 2)"),
        (lambda: nn.Conv2d(1, 8, 3), [(9, 9)], "x.unsqueeze(0)"),
        (lambda: nn.Conv2d(3, 8, 3), [(2, 4, 9, 9)], "Conv2d(4, 8, ...)"),
        (lambda: nn.BatchNorm2d(3), [(2, 4, 5, 5)], "BatchNorm2d(4)"),
        (lambda: nn.LayerNorm(3), [(2, 4)], "LayerNorm(4)"),
        (lambda: nn.GroupNorm(2, 4), [(2, 6)], "GroupNorm(2, 6)"),
        (lambda: nn.LSTM(3, 4), [(5, 2, 7)], "LSTM(7, 4)"),
        (lambda: nn.GRUCell(3, 4), [(2, 7)], "GRUCell(7, 4)"),
        (lambda: nn.BCELoss(), [(4,), (4, 1)], "target.reshape((4,))"),
        (lambda: nn.BCEWithLogitsLoss(), [(4, 1), (4,)], "target.reshape((4, 1))"),
    ],
)
def test_advice_on_shapes(module, args, advice):
    notes = notes_of(lambda: module()(*(torch.zeros(shape) for shape in args)))
    assert any(advice in note for note in notes), notes


@pytest.mark.parametrize(
    "module, args, advice",
    [
        (lambda: nn.Linear(2, 2), lambda: [torch.ones(2, 2, dtype=torch.int64)], "x.to(torch.float32)"),
        (lambda: nn.Linear(2, 2), lambda: [torch.ones(2, 2, dtype=torch.float64)], "x.float()"),
        (lambda: nn.Embedding(10, 3), lambda: [torch.tensor([1, 12])], "Embedding(13, 3)"),
        (lambda: nn.Embedding(10, 3), lambda: [torch.ones(2)], "x.long()"),
        (lambda: nn.CrossEntropyLoss(), lambda: [torch.ones(2, 3), torch.ones(2)], "target.long()"),
        (lambda: nn.CrossEntropyLoss(), lambda: [torch.ones(2, 3), torch.tensor([0, 3])], "3 classes, 0 to 2"),
        (
            lambda: nn.CrossEntropyLoss(), lambda: [torch.ones(2, 3), torch.zeros(2, 1, dtype=torch.int64)],
            "target.squeeze(1)",
        ),
        (lambda: nn.NLLLoss(), lambda: [torch.ones(2, 3), torch.tensor([0, -1])], "from -1 to 0"),
    ],
)  # fmt: skip
def test_advice_on_contents(module, args, advice):
    notes = notes_of(lambda: module()(*args()))
    assert any(advice in note for note in notes), notes


def test_what_the_advice_names_works():
    bad = torch.zeros(2, 9, 9, 3)
    assert nn.Conv2d(3, 8, 3)(bad.permute(0, 3, 1, 2)).shape == (2, 8, 7, 7)
    assert nn.Linear(12, 2)(torch.zeros(5, 3, 4).flatten(1)).shape == (5, 2)
    assert nn.Embedding(13, 3)(torch.tensor([1, 12])).shape == (2, 3)


def test_other_errors_are_left_alone():
    class Odd(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    assert notes_of(lambda: Odd()(torch.ones(1)), KeyError) == []


def test_errors_of_the_program_say_where():
    class Odd(nn.Module):
        def forward(self, x):
            raise ValueError("mine")

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([nn.Identity(), Odd()])

        def forward(self, x):
            return self.parts[1](x)

    notes = notes_of(
        lambda: Around()(
            torch.ones(1),
        ),
        ValueError,
    )
    assert notes == ["in parts.1 (Odd) of Around, which was given float32 (1,)"]


def test_hooked_modules_and_keywords_are_explained_too():
    net = Net()
    net.register_forward_hook(lambda *args: None)
    assert notes_of(lambda: net(x=torch.ones(2, 4)))[0].startswith("in net.2 (Linear) of Net")


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss])
def test_losses_between_columns_and_rows_warn(loss):
    with pytest.warns(UserWarning, match="target size"):
        loss()(torch.ones(4, 1), torch.ones(4))


def steps(zero, count=5, kind=torch.optim.SGD):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = kind(model.parameters(), lr=0.01)
    for _ in range(count):
        zero(model, optimizer)
        (model(torch.randn(4, 3)) - 1).pow(2).mean().backward()
        optimizer.step()
    return optimizer


def by_data(model, optimizer):
    for param in model.parameters():
        if param.grad is not None:
            param.grad.data.zero_()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_gradients_that_are_never_zeroed_warn_once(kind):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        steps(lambda model, optimizer: None, 6, kind)
    assert [str(each.message)[:30] for each in caught] == ["The gradients were not zeroed "]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "zero",
    [
        lambda model, optimizer: optimizer.zero_grad(),
        lambda model, optimizer: optimizer.zero_grad(set_to_none=False),
        lambda model, optimizer: model.zero_grad(),
        by_data,
        lambda model, optimizer: [param.grad.zero_() for param in model.parameters() if param.grad is not None],
    ],
)
def test_zeroed_gradients_do_not_warn_and_nothing_is_left(zero):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = steps(zero)
    assert optimizer._watch is None and not optimizer._hooked
    for param in optimizer.param_groups[0]["params"]:
        assert param.__reduce_ex__(2)[0].__name__ == "_rebuild_parameter"  # no state beside the numbers


def test_several_passes_between_steps_do_not_warn():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            for _ in range(3):
                model(torch.randn(4, 3)).pow(2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()


def test_optimizers_are_copied_without_the_watch():
    optimizer = steps(lambda model, optimizer: optimizer.zero_grad(), 1)
    assert copy.deepcopy(optimizer)._watch is None
