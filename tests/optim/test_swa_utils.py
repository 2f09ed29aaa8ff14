"""Averaged models, SWALR, batch statistics and swapped states beside PyTorch's."""

from __future__ import annotations

import copy
import warnings

import numpy
import pytest

import lumbre

torch = pytest.importorskip("torch")
BOTH = (torch, lumbre)


def model(module: object) -> object:
    module.manual_seed(3)
    nn = module.nn
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def change(module: object, net: object, by: float) -> None:
    with module.no_grad():
        for param in net.parameters():
            param.mul_(1 + by).add_(by)
        net[1].running_mean += by
        net[1].num_batches_tracked += 3


def functions(module: object) -> dict:
    utils = module.optim.swa_utils
    return {
        "plain": {},
        "buffers": {"use_buffers": True},
        "ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
        "ema of buffers": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9), "use_buffers": True},
        "ema of one": {"avg_fn": utils.get_ema_avg_fn(0.7)},
        "swa of one": {"avg_fn": utils.get_swa_avg_fn()},
        "own": {"avg_fn": lambda average, current, count: 0.25 * average + 0.75 * current + count},
    }


@pytest.mark.parametrize("name", functions(lumbre))
def test_averages(name: str) -> None:
    states = []
    for module in BOTH:
        net = model(module)
        average = module.optim.swa_utils.AveragedModel(net, **functions(module)[name])
        assert average.n_averaged.item() == 0
        for by in (0.1, -0.3, 0.7, 0.2):
            change(module, net, by)
            average.update_parameters(net)
        average.eval()
        output = average(module.ones(2, 3))
        states.append([*average.state_dict().items(), ("output", output.detach())])
    assert [key for key, _ in states[0]] == [key for key, _ in states[1]]
    for (key, theirs), (_, ours) in zip(*states, strict=True):
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], key
        numpy.testing.assert_allclose(ours.numpy(), theirs.numpy(), 2e-6, 2e-6, err_msg=key)


def test_batch_statistics() -> None:
    seen = []
    for module in BOTH:
        net = model(module).eval()
        random = numpy.random.RandomState(0)
        batches = [module.tensor(random.standard_normal((n, 3)).astype("float32")) for n in (4, 6, 5)]
        module.optim.swa_utils.update_bn([(batches[0], 1), [batches[1]], batches[2]], net)
        norm = net[1]
        assert not net.training
        assert norm.momentum == 0.1
        seen.append([norm.running_mean.numpy(), norm.running_var.numpy(), norm.num_batches_tracked.numpy()])
        module.optim.swa_utils.update_bn([3], module.nn.Linear(2, 2))
    for theirs, ours in zip(*seen, strict=True):
        numpy.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"anneal_strategy": "linear"},
        {"anneal_epochs": 0},
        {"anneal_epochs": 3, "swa_lr": [0.1, 0.9]},
        {"anneal_epochs": 1},
    ],
)
def test_swalr(settings: dict) -> None:
    pairs = []
    for module in BOTH:
        groups = [{"params": [module.zeros(1, requires_grad=True)], "lr": 0.5 * (i + 1)} for i in range(2)]
        optimizer = module.optim.SGD(groups)
        pairs.append((optimizer, module.optim.swa_utils.SWALR(optimizer, **{"swa_lr": 0.05, **settings})))
    for _ in range(20):
        assert pairs[1][1].get_last_lr() == pytest.approx(pairs[0][1].get_last_lr(), rel=1e-14)
        for optimizer, schedule in pairs:
            optimizer.step()
            schedule.step()
    state, wanted = pairs[1][1].state_dict(), pairs[0][1].state_dict()
    assert list(state) == list(wanted)
    assert state.pop("_last_lr") == pytest.approx(wanted.pop("_last_lr"))
    assert state == wanted


REFUSED = [
    lambda m, s, o: s.SWALR(o, 0.1, anneal_strategy="x"),
    lambda m, s, o: s.SWALR(o, 0.1, -1),
    lambda m, s, o: s.SWALR(o, 0.1, 2.5),
    lambda m, s, o: s.SWALR(o, [0.1, 0.2]),
    lambda m, s, o: s.SWALR(3, 0.1),
    lambda m, s, o: s.get_ema_avg_fn(2.0),
    lambda m, s, o: s.get_ema_multi_avg_fn(-1),
    lambda m, s, o: s.AveragedModel(
        m.nn.Linear(1, 1), avg_fn=s.get_ema_avg_fn(), multi_avg_fn=s.get_swa_multi_avg_fn()
    ),
]


@pytest.mark.parametrize("make", REFUSED)
def test_refusals(make: object) -> None:
    errors = []
    for module in BOTH:
        optimizer = module.optim.SGD([module.zeros(1, requires_grad=True)])
        with warnings.catch_warnings(), pytest.raises(Exception) as raised:
            warnings.simplefilter("ignore")
            make(module, module.optim.swa_utils, optimizer)
        errors.append((raised.type, str(raised.value)))
    assert errors[1] == errors[0]


def test_swapped_states() -> None:
    results = []
    for module in BOTH:
        p, r = module.ones(2, requires_grad=True), module.ones(1, requires_grad=True)
        optimizer = module.optim.Adam([p, r])
        swap = module.optim.swap_in_optimizer_params_and_state
        p.grad, r.grad = module.ones(2), module.ones(1)
        with pytest.raises(RuntimeError, match="requires initialized optimizer state"), swap(optimizer, {}, {}):
            pass
        optimizer.step()
        others = {"a": module.full((2,), 5.0, requires_grad=True), "b": module.zeros(1)}
        state = copy.deepcopy(optimizer.state_dict())
        state["param_groups"][0]["lr"] = 1.0
        with swap(optimizer, others, state):
            others["a"].grad, others["b"].grad = module.ones(2), module.ones(1)
            optimizer.step()
            optimizer.param_groups[0]["lr"] = 7
        with pytest.raises(KeyError), swap(optimizer, others, state):
            raise KeyError
        results.append([])
        for wrong_params, wrong_state in (
            ({"a": p}, state), (others, {}), (others, {"state": {}, "param_groups": []}),
            (others, {"state": {}, "param_groups": [{"params": [0]}]}), (others, {"state": {}, "param_groups": [{"params": [0, 1]}]}),
        ):  # fmt: skip
            with pytest.raises(RuntimeError) as raised, swap(optimizer, wrong_params, wrong_state):
                pass
            results[-1].append(str(raised.value))
        assert optimizer.param_groups[0]["params"][0] is p
        values = [p, others["a"], others["b"], state["state"][0]["step"], state["state"][0]["exp_avg"]]
        numbers = [round(x, 5) for value in values for x in value.flatten().tolist()]
        results[-1] += [*numbers, optimizer.param_groups[0]["lr"]]
    assert results[1] == results[0]
