"""Schedules against PyTorch's: sixty steps, states, resumption, refusals and warnings."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest

import lumbre

torch = pytest.importorskip("torch")


class Halving:
    def __init__(self) -> None:
        self.by = 0.5

    def __call__(self, epoch: int) -> float:
        return self.by**epoch


def optimizer(module: object, kind: str = "SGD", tensor_lr: bool = False, **settings: object) -> object:
    groups = [{"params": [module.zeros(1, requires_grad=True)], "lr": 0.5 * (i + 1)} for i in range(2)]
    if tensor_lr:
        for group in groups:
            group["lr"] = module.tensor(group["lr"])
    if kind == "SGD":
        settings = {"momentum": 0.9, **settings}
    return getattr(module.optim, kind)(groups, lr=0.1, **settings)


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "LambdaLR object": lambda s, o: s.LambdaLR(o, [Halving(), Halving()]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 1 - 1 / (epoch + 2)),
    "StepLR": lambda s, o: s.StepLR(o, 7, 0.3),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 9, 9, 30]),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 8),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 0.9, 13),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.93),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 17, 1.7),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 11, 0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2, 0.02),
    "CosineAnnealingWarmRestarts even": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.1, [1.0, 2.0], 4, 7),
    "CyclicLR triangular2": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 4, mode="triangular2", cycle_momentum=False),
    "CyclicLR exp_range": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 4, mode="exp_range", gamma=0.97),
    "CyclicLR scale_fn": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 4, scale_fn=lambda x: 1 / (x + 1), scale_mode="iterations"
    ),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [1.0, 3.0], 61),
    "OneCycleLR three": lambda s, o: s.OneCycleLR(o, 1.0, epochs=6, steps_per_epoch=11, three_phase=True),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(o, 1.0, 70, anneal_strategy="linear", cycle_momentum=False),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.LinearLR(o), s.ExponentialLR(o, 0.95)]),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o), s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 9), s.StepLR(o, 3)], [4, 17, 40]
    ),
    "SequentialLR restarts": lambda s, o: s.SequentialLR(o, [s.LinearLR(o), s.CosineAnnealingWarmRestarts(o, 6)], [7]),
    "SequentialLR nested": lambda s, o: s.SequentialLR(
        o, [s.SequentialLR(o, [s.ConstantLR(o), s.ExponentialLR(o, 0.9)], [3]), s.StepLR(o, 2)], [12]
    ),
}


def settings_of(optimizer: object) -> list[dict]:
    return [
        {key: value.item() if hasattr(value, "item") else value for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.item() if hasattr(value, "item") else value


@pytest.mark.parametrize("kind", ["SGD", "Adam", "SGD with tensors"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_sixty_steps(name: str, kind: str) -> None:
    tensors = kind.endswith("tensors")
    if tensors and name.startswith(("CyclicLR", "OneCycleLR")):
        pytest.skip("these set the rates that they start from themselves")
    kind = kind.split()[0]
    pairs = []
    for module in (torch, lumbre):
        chosen = optimizer(module, kind, tensors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs.append((chosen, SCHEDULES[name](module.optim.lr_scheduler, chosen)))
    (theirs, reference), (ours, schedule) = pairs
    for step in range(60):
        assert plain(schedule.get_last_lr()) == plain(reference.get_last_lr()), step
        assert settings_of(ours) == settings_of(theirs), step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for chosen, one in pairs:
                chosen.step()
                one.step()
    state, wanted = plain(schedule.state_dict()), plain(reference.state_dict())
    assert state == wanted
    assert list(state) == list(wanted)
    other = optimizer(lumbre, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = SCHEDULES[name](lumbre.optim.lr_scheduler, other)
    again.load_state_dict(schedule.state_dict())
    assert plain(again.state_dict()) == state


@pytest.mark.parametrize("epoch", [0, 1, 6, 10, 21])
@pytest.mark.parametrize(
    "name",
    [
        n
        for n in SCHEDULES
        if not n.startswith(("Chained", "Sequential", "CyclicLR scale", "CyclicLR tri", "OneCycleLR linear"))
    ],
)
def test_jumps_and_resumption(name: str, epoch: int) -> None:
    results = []
    for module in (torch, lumbre):
        chosen = optimizer(module)
        schedule = SCHEDULES[name](module.optim.lr_scheduler, chosen)
        seen = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            schedule.step(epoch)
        seen.append([str(w.message).replace("lumbre", "torch") for w in caught])
        seen.append(schedule.get_last_lr())
        kind = type(schedule)
        given = {"LambdaLR": [lambda e: 0.9**e], "MultiplicativeLR": [lambda e: 0.9], "StepLR": [3], "MultiStepLR": [[3, 7]],
                 "ExponentialLR": [0.9], "CosineAnnealingLR": [10], "CosineAnnealingWarmRestarts": [4],
                 "CyclicLR": [0.1, 1.0, 4], "OneCycleLR": [1.0, 40]}.get(kind.__name__, [])  # fmt: skip
        resumed = kind(chosen, *given, last_epoch=epoch)
        for _ in range(12):
            chosen.step()
            resumed.step()
            seen.append(resumed.get_last_lr())
            seen.append(settings_of(chosen))
        results.append(seen)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "settings",
    [{}, {"mode": "max"}, {"threshold_mode": "abs", "threshold": 0.1}, {"patience": 2, "cooldown": 3},
     {"mode": "max", "threshold_mode": "abs", "patience": 0}, {"min_lr": [0.1, 0.2], "patience": 1}, {"patience": 1, "eps": 1.0}],
)  # fmt: skip
def test_plateau(settings: dict) -> None:
    pairs = []
    for module in (torch, lumbre):
        chosen = optimizer(module)
        pairs.append((chosen, module.optim.lr_scheduler.ReduceLROnPlateau(chosen, **settings)))
    for step in range(60):
        for _, schedule in pairs:
            schedule.step((step * 7919 % 31) / 10 - step / 60)
        assert pairs[0][1].state_dict() == pairs[1][1].state_dict()
        assert list(pairs[0][1].state_dict()) == list(pairs[1][1].state_dict())
        assert pairs[0][1].in_cooldown == pairs[1][1].in_cooldown
        assert settings_of(pairs[0][0]) == settings_of(pairs[1][0])


def plain_adagrad(m: object) -> object:
    return optimizer(m, "Adagrad")


REFUSED = [
    lambda m, s, o: s.LambdaLR(o, [lambda e: 1]),
    lambda m, s, o: s.MultiplicativeLR(o, [lambda e: 1]),
    lambda m, s, o: s.StepLR(optimizer(m), 3, last_epoch=2),
    lambda m, s, o: s.StepLR(3, 3),
    lambda m, s, o: s.MultiStepLR(o, 3),
    lambda m, s, o: s.ConstantLR(o, 1.5),
    lambda m, s, o: s.ConstantLR(o, -0.5),
    lambda m, s, o: s.LinearLR(o, 0),
    lambda m, s, o: s.LinearLR(o, 2),
    lambda m, s, o: s.LinearLR(o, 0.5, 2),
    lambda m, s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda m, s, o: s.CosineAnnealingWarmRestarts(o, 2.5),
    lambda m, s, o: s.CosineAnnealingWarmRestarts(o, 2, 0),
    lambda m, s, o: s.CosineAnnealingWarmRestarts(o, 2, 1, "x"),
    lambda m, s, o: s.CosineAnnealingWarmRestarts(o, 5).step(-1),
    lambda m, s, o: s.CyclicLR(o, 0.1, 1, mode="x"),
    lambda m, s, o: s.CyclicLR(plain_adagrad(m), 0.1, 1),
    lambda m, s, o: s.CyclicLR(o, [0.1], 1),
    lambda m, s, o: s.CyclicLR(o, 0.1, [1]),
    lambda m, s, o: s.CyclicLR(o, 0.1, 1, base_momentum=[0.1]),
    lambda m, s, o: s.OneCycleLR(o, 1.0),
    lambda m, s, o: s.OneCycleLR(o, 1.0, -3),
    lambda m, s, o: s.OneCycleLR(o, 1.0, 2.5),
    lambda m, s, o: s.OneCycleLR(o, 1.0, epochs=0, steps_per_epoch=3),
    lambda m, s, o: s.OneCycleLR(o, 1.0, epochs=2, steps_per_epoch=0),
    lambda m, s, o: s.OneCycleLR(o, 1.0, 10, pct_start=1.5),
    lambda m, s, o: s.OneCycleLR(o, 1.0, 10, pct_start=1),
    lambda m, s, o: s.OneCycleLR(o, 1.0, 10, anneal_strategy="x"),
    lambda m, s, o: s.OneCycleLR(o, [1.0], 10),
    lambda m, s, o: s.OneCycleLR(plain_adagrad(m), 1.0, 10),
    lambda m, s, o: [one.step() for one in [s.OneCycleLR(o, 1.0, 3)] * 5],
    lambda m, s, o: s.ReduceLROnPlateau(o, "x"),
    lambda m, s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda m, s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda m, s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    lambda m, s, o: s.ReduceLROnPlateau(3),
    lambda m, s, o: s.ReduceLROnPlateau(o).get_lr(),
    lambda m, s, o: s.SequentialLR(o, [s.StepLR(o, 3)], [1]),
    lambda m, s, o: s.SequentialLR(o, [], [1]),
    lambda m, s, o: s.SequentialLR(o, [s.StepLR(o, 3), s.StepLR(optimizer(m), 3)], [1]),
    lambda m, s, o: s.SequentialLR(o, [s.StepLR(o, 3), s.ReduceLROnPlateau(o)], [1]),
    lambda m, s, o: s.SequentialLR(o, [s.StepLR(o, 3), 3], [1]),
    lambda m, s, o: s.ChainedScheduler([]),
    lambda m, s, o: s.ChainedScheduler([s.StepLR(o, 3), s.StepLR(optimizer(m), 3)]),
    lambda m, s, o: s.ChainedScheduler([s.StepLR(o, 3), s.ReduceLROnPlateau(o)]),
    lambda m, s, o: s.ChainedScheduler([3]),
    lambda m, s, o: s.LRScheduler(o),
]


@pytest.mark.parametrize("make", REFUSED)
def test_refusals(make: object) -> None:
    errors = []
    for module in (torch, lumbre):
        with warnings.catch_warnings(), pytest.raises(Exception) as raised:
            warnings.simplefilter("ignore")
            make(module, module.optim.lr_scheduler, optimizer(module))
        errors.append((raised.type, str(raised.value)))
    assert errors[0] == errors[1]


def before(module: object) -> None:
    module.optim.lr_scheduler.StepLR(optimizer(module), 3).step()


def after(module: object) -> None:
    chosen = optimizer(module)
    schedule = module.optim.lr_scheduler.StepLR(chosen, 3)
    chosen.step()
    schedule.step()
    module.optim.lr_scheduler.StepLR(chosen, 3).step()


def stepped_too_early(module: object) -> None:
    chosen = optimizer(module)
    chosen.step()
    module.optim.lr_scheduler.StepLR(chosen, 3).step()


def overridden(module: object) -> None:
    chosen = optimizer(module)
    schedule = module.optim.lr_scheduler.StepLR(chosen, 3)
    chosen.step = lambda: None
    schedule.step()


def asked_outside(module: object) -> None:
    for name, make in SCHEDULES.items():
        if not name.startswith(("Sequential", "Chained")):
            make(module.optim.lr_scheduler, optimizer(module)).get_lr()


@pytest.mark.parametrize("run", [before, after, stepped_too_early, overridden, asked_outside])
def test_warnings(run: object) -> None:
    seen = []
    for module in (torch, lumbre):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run(module)
        seen.append([(w.category, str(w.message)) for w in caught])
    assert seen[0] == seen[1]


def test_copies_and_pickles() -> None:
    chosen = optimizer(lumbre)
    schedule = lumbre.optim.lr_scheduler.ExponentialLR(chosen, 0.5)
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        other.optimizer.step()
        other.step()
        assert other.get_last_lr() == [0.25, 0.5]
    assert schedule.get_last_lr() == [0.5, 1.0]
