"""Optimizers and schedules held against PyTorch's, on the inputs of its database."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
from torch.testing._internal.common_optimizers import optim_db

import lumbre

INFOS = {info.optim_cls.__name__: info for info in optim_db if info.optim_cls.__name__ != "SparseAdam"}
CASES = [(name, i) for name, info in INFOS.items() for i, _ in enumerate(info.optim_inputs_func(device="cpu"))]


def value_of(value):
    """Settings that are tensors of PyTorch, in ours."""
    if isinstance(value, torch.Tensor):
        return lumbre.tensor(value.tolist())
    if isinstance(value, tuple):
        return tuple(value_of(one) for one in value)
    return value


def curve(module, cls, settings, dtype):
    rng = np.random.default_rng(0)
    data = [rng.standard_normal(shape).astype(dtype) for shape in ((3, 4), (4, 2))]
    params = [module.tensor(one.tolist(), dtype=getattr(module, dtype), requires_grad=True) for one in data]
    optimizer = getattr(module.optim, cls)(params, **settings)
    x = module.tensor(rng.standard_normal((5, 3)).astype(dtype).tolist(), dtype=getattr(module, dtype))

    def closure():
        optimizer.zero_grad()
        loss = ((x @ params[0]).tanh() @ params[1]).pow(2).mean()
        loss.backward()
        return loss

    # Twenty iterations each: rounding errors grow.
    losses = [float(optimizer.step(closure)) for _ in range(1 if cls == "LBFGS" else 8)]
    return losses, [p.detach().numpy() for p in params], optimizer


@pytest.mark.parametrize(("name", "index"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps(name, index, dtype):
    settings = INFOS[name].optim_inputs_func(device="cpu")[index].kwargs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, weights, theirs = curve(torch, name, settings, dtype)
        got, ours, optimizer = curve(lumbre, name, {k: value_of(v) for k, v in settings.items()}, dtype)
    tolerance = 2e-5 if dtype == "float32" else 1e-9
    if name in ("LBFGS", "Muon"):
        tolerance = 2e-2 if name == "Muon" else 1e-3 if dtype == "float32" else 1e-6
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    for a, b in zip(ours, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance * 10, atol=tolerance)
    assert repr(optimizer) == repr(theirs)
    mine, given = optimizer.state_dict(), theirs.state_dict()
    assert {k: set(v) for k, v in mine["state"].items()} == {k: set(v) for k, v in given["state"].items()}
    assert [set(g) for g in mine["param_groups"]] == [set(g) for g in given["param_groups"]]


@pytest.mark.parametrize("name", sorted(INFOS))
def test_wrong_settings_are_refused(name):
    for case in (
        INFOS[name].optim_error_inputs_func("cpu", torch.float32) if INFOS[name].optim_error_inputs_func else ()
    ):
        info = case.optimizer_error_input
        params = info.params
        if params is None or not isinstance(params, list) or not all(isinstance(p, torch.Tensor) for p in params):
            continue
        same = {id(p): lumbre.zeros(tuple(p.shape), requires_grad=p.requires_grad) for p in params}
        ours = [same[id(p)] for p in params]
        if case.error_on.name != "CONSTRUCTION_ERROR":
            continue
        with warnings.catch_warnings(), pytest.raises(case.error_type):
            warnings.simplefilter("error")
            getattr(lumbre.optim, name)(ours, **{k: value_of(v) for k, v in info.kwargs.items()})


SCHEDULES = [
    ("StepLR", {"step_size": 3}), ("MultiStepLR", {"milestones": [2, 5, 5]}), ("ExponentialLR", {"gamma": 0.9}),
    ("ConstantLR", {}), ("LinearLR", {}), ("PolynomialLR", {"total_iters": 7, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 5}), ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60}), ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60, "anneal_strategy": "linear"}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}), ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), SCHEDULES, ids=lambda v: v if isinstance(v, str) else "")
def test_schedule(name, settings):
    def rates(module):
        groups = [{"params": [module.zeros(1)]}, {"params": [module.zeros(1)], "lr": 0.5}]
        optimizer = module.optim.SGD(groups, lr=0.1, momentum=0.9)
        schedule = getattr(module.optim.lr_scheduler, name)(optimizer, **settings)
        found = []
        for _ in range(59):
            found.append([*schedule.get_last_lr(), *(g["momentum"] for g in optimizer.param_groups)])
            optimizer.step()
            schedule.step()
        return found

    np.testing.assert_allclose(rates(lumbre), rates(torch), rtol=1e-12)


def test_schedules_of_schedules():
    def rates(module):
        s = module.optim.lr_scheduler
        optimizer = module.optim.SGD([module.zeros(1)], lr=1.0)
        chain = s.SequentialLR(
            optimizer,
            [s.ConstantLR(optimizer, 0.1, 2), s.ExponentialLR(optimizer, 0.9), s.CosineAnnealingLR(optimizer, 5)],
            [4, 9],
        )
        found = []
        for _ in range(20):
            found.append(chain.get_last_lr())
            optimizer.step()
            chain.step()
        other = module.optim.SGD([module.zeros(1)], lr=1.0)
        both = s.ChainedScheduler([s.ConstantLR(other, 0.1, 2), s.ExponentialLR(other, 0.9)])
        plateau = s.ReduceLROnPlateau(module.optim.SGD([module.zeros(1)], lr=1.0), patience=2, cooldown=1)
        for i in range(20):
            found.append(both.get_last_lr())
            other.step()
            both.step()
            plateau.step(1.0 / min(i + 1, 5))
            found.append([plateau.optimizer.param_groups[0]["lr"]])
        return found

    np.testing.assert_allclose(rates(lumbre), rates(torch), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_state_dicts_are_exchanged(name):
    settings = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    _, _, theirs = curve(torch, name, {"lr": 0.1, **settings}, "float32")
    _, _, ours = curve(lumbre, name, {"lr": 0.1, **settings}, "float32")
    state = ours.state_dict()
    for entry in state["state"].values():
        for key, value in entry.items():
            if isinstance(value, lumbre.Tensor):
                entry[key] = torch.from_numpy(np.array(value.numpy()))
    theirs.load_state_dict(state)
    theirs.step()
