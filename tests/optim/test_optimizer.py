"""Optimizers beside PyTorch's: groups, names, states, hooks, copies, refusals, flags, memory that is not plain."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy
import pytest

import lumbre

torch = pytest.importorskip("torch")

KINDS = [
    "SGD",
    "Adam",
    "AdamW",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ASGD",
    "Adafactor",
]
SETTINGS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True},
}


def pair(kind: str, dtype: str = "float32", **settings: object) -> list[tuple]:
    settings = {**SETTINGS.get(kind, {}), **settings}
    made = []
    for module in (torch, lumbre):
        random = numpy.random.RandomState(1)
        params = [
            module.tensor(random.standard_normal(shape).tolist(), dtype=getattr(module, dtype), requires_grad=True)
            for shape in ((3, 4), (4,), ())
        ]
        made.append((module, params, getattr(module.optim, kind)(params, **settings)))
    return made


def give_gradients(made: list[tuple], seed: int, leave_out: tuple = ()) -> None:
    for module, params, _ in made:
        random = numpy.random.RandomState(seed)
        for i, param in enumerate(params):
            grad = module.tensor(random.standard_normal(tuple(param.shape)).tolist(), dtype=param.dtype)
            param.grad = None if i in leave_out else grad


def same(made: list[tuple], tolerance: float = 3e-6) -> None:
    (_, theirs, reference), (_, ours, optimizer) = made
    for a, b in zip(theirs, ours, strict=True):
        numpy.testing.assert_allclose(b.detach().float().numpy(), a.detach().float().numpy(), tolerance, tolerance)
    given, mine = reference.state_dict(), optimizer.state_dict()
    assert list(mine["state"]) == list(given["state"])
    for i, entry in given["state"].items():
        assert list(mine["state"][i]) == list(entry)
        for name, value in entry.items():
            assert str(mine["state"][i][name].dtype).split(".")[1] == str(value.dtype).split(".")[1]
            numpy.testing.assert_allclose(
                mine["state"][i][name].detach().float().numpy(), value.detach().float().numpy(), tolerance, tolerance
            )
    assert mine["param_groups"] == given["param_groups"]
    assert repr(optimizer) == repr(reference)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_come_and_go(kind: str) -> None:
    made = pair(kind)
    for seed, leave_out in enumerate([(0, 1, 2), (1,), (0, 2), (), (2,), ()]):
        give_gradients(made, seed, leave_out)
        for _, _, optimizer in made:
            optimizer.step()
        same(made)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_dtypes(kind: str, dtype: str) -> None:
    made = pair(kind, dtype, **({"eps": 1e-3} if kind in ("Adam", "AdamW", "Adadelta", "NAdam", "RAdam") else {}))
    for seed in range(4):
        give_gradients(made, seed)
        for _, _, optimizer in made:
            optimizer.step()
    same(made, {"bfloat16": 2e-2, "float16": 3e-3, "float64": 1e-12}[dtype])


@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind: str) -> None:
    """A transposed parameter, a gradient of another layout, one that expands, a parameter that is a view."""
    made = []
    for module in (torch, lumbre):
        random = numpy.random.RandomState(1)
        first = module.tensor(random.standard_normal((3, 4)).tolist()).t().requires_grad_()
        second = module.tensor(random.standard_normal((3, 4)).tolist()).requires_grad_()
        third = module.tensor(random.standard_normal((6, 4)).tolist())[::2].requires_grad_()
        params = [first, second, third]
        made.append((module, params, getattr(module.optim, kind)(params, **SETTINGS.get(kind, {}))))
    for seed in range(3):
        for module, params, optimizer in made:
            random = numpy.random.RandomState(seed)
            params[0].grad = module.tensor(random.standard_normal((4, 3)).tolist())
            params[1].grad = module.tensor(random.standard_normal((1, 4)).tolist()).expand(3, 4)
            params[2].grad = module.tensor(random.standard_normal((4, 3)).tolist()).t()
            optimizer.step()
    for a, b in zip(made[0][1], made[1][1], strict=True):
        numpy.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 3e-6, 3e-6)
        assert b.stride() == a.stride()


def test_large_parameters_on_threads() -> None:
    for kind in KINDS:
        made = []
        for module in (torch, lumbre):
            x = numpy.linspace(-1, 1, 100_003, dtype="float32")
            param = module.from_numpy(x.copy()).requires_grad_()
            param.grad = module.from_numpy(numpy.cos(7 * x))
            optimizer = getattr(module.optim, kind)([param], **SETTINGS.get(kind, {}))
            optimizer.step()
            optimizer.step()
            made.append(param.detach().numpy())
        numpy.testing.assert_allclose(made[1], made[0], 3e-6, 3e-6, err_msg=kind)


def test_versions_and_saved_tensors() -> None:
    for kind in KINDS:
        param = lumbre.ones(3, requires_grad=True)
        optimizer = getattr(lumbre.optim, kind)([param], **SETTINGS.get(kind, {}))
        loss = (param * param).sum()
        param.grad = lumbre.ones(3)
        before = param._version
        optimizer.step()
        assert param._version > before
        assert param.grad._version == 0
        assert param.is_leaf
        assert param.requires_grad
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_steps_bit_for_bit_with_operators() -> None:
    """What the engine does in one pass is what the operators would have done, but for the rounding of fused products."""
    for kind in KINDS:
        if kind == "Adafactor":
            continue
        results = []
        for plain in (True, False):
            random = numpy.random.RandomState(1)
            param = lumbre.tensor(random.standard_normal(17)).requires_grad_()
            optimizer = getattr(lumbre.optim, kind)([param], **SETTINGS.get(kind, {}))
            if not plain:
                optimizer.fused = lambda group: False
            for _ in range(5):
                param.grad = lumbre.tensor(random.standard_normal(17))
                optimizer.step()
            results.append(param.detach().numpy())
        numpy.testing.assert_allclose(results[0], results[1], 1e-13, 1e-13, err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_exchanged_with_pytorch(kind: str) -> None:
    made = pair(kind)
    for seed in range(3):
        give_gradients(made, seed)
        for _, _, optimizer in made:
            optimizer.step()
    (_, _, reference), (_, _, optimizer) = made
    ours, theirs = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(reference.state_dict())

    def translated(state: dict, tensor: object, source: type) -> dict:
        entries = {
            i: {k: tensor(v.numpy()) if isinstance(v, source) else v for k, v in entry.items()}
            for i, entry in state["state"].items()
        }
        return {"state": entries, "param_groups": state["param_groups"]}

    optimizer.load_state_dict(translated(theirs, lumbre.tensor, torch.Tensor))
    reference.load_state_dict(translated(ours, torch.tensor, lumbre.Tensor))
    give_gradients(made, 9)
    for _, _, one in made:
        one.step()
    same(made)


def test_loaded_states_are_shared_and_cast() -> None:
    for module in (torch, lumbre):
        p, q = (module.ones(2, requires_grad=True) for _ in range(2))
        p.grad, q.grad = module.ones(2), module.ones(2)
        first, second = module.optim.Adam([p]), module.optim.Adam([q])
        first.step()
        second.load_state_dict(first.state_dict())
        assert all(second.state[q][name] is value for name, value in first.state[p].items())
        base = module.optim.Optimizer([p], {"lr": 1})
        base.state[p]["x"] = module.tensor([1, 2])
        base.state["own"] = 3
        base.load_state_dict(base.state_dict())
        assert base.state[p]["x"].dtype is module.float32
        assert base.state["own"] == 3


def test_a_state_changed_by_hand_is_used() -> None:
    """As those do who prune or grow parameters between steps."""
    for kind in ("SGD", "Adam", "Adadelta"):
        made = pair(kind, lr=0.1)
        give_gradients(made, 0)
        for module, params, optimizer in made:
            optimizer.step()
            state = optimizer.state.pop(params[0])
            params[0] = params[0].detach()[:2].clone().requires_grad_()
            optimizer.param_groups[0]["params"][0] = params[0]
            kept = {k: v[:2].clone() if getattr(v, "ndim", 0) == 2 else v for k, v in state.items()}
            optimizer.state[params[0]] = kept
            params[0].grad = module.ones(2, 4)
            optimizer.step()
            optimizer.state.clear()
            optimizer.step()
        for a, b in zip(made[0][1], made[1][1], strict=True):
            numpy.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 3e-6, 3e-6)


def test_a_gradient_of_another_size_is_refused() -> None:
    param = lumbre.ones(3, requires_grad=True)
    optimizer = lumbre.optim.Adam([param])
    param.grad = lumbre.ones(3)
    optimizer.step()
    optimizer.state[param]["exp_avg"] = lumbre.ones(2)
    with pytest.raises(RuntimeError, match="size of tensor"):
        optimizer.step()
    with pytest.raises(RuntimeError, match="as many"):
        lumbre._C._functions["_sgd_update"]([param], [], 0.1, 0.9, 0.0, 0.0, False, False)


def test_memory_that_overlaps_is_left_to_operators() -> None:
    update = lumbre._C._functions["_sgd_update"]
    param = lumbre.ones(4, requires_grad=True)
    param.grad = param.detach()
    assert not update([param], [], 0.5, 0.0, 0.0, 0.0, False, False)
    assert param.tolist() == [1.0] * 4
    lumbre.optim.SGD([param], lr=0.5).step()
    assert param.tolist() == [0.5] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_pickles(kind: str) -> None:
    made = pair(kind)
    give_gradients(made, 0)
    _, params, optimizer = made[1]
    optimizer.step()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert repr(other) == repr(optimizer)
        copies = other.param_groups[0]["params"]
        assert all(one is not two for one, two in zip(copies, params, strict=True))
        assert all(param in other.state for param in copies)
        for one, two in zip(copies, params, strict=True):
            one.grad = two.grad
        other.step()
    optimizer.step()
    for one, two in zip(copies, params, strict=True):
        assert one.tolist() == two.tolist()


def test_hooks() -> None:
    for module in (torch, lumbre):
        seen: list = []
        param = module.ones(1, requires_grad=True)
        optimizer = module.optim.SGD([param], lr=0.5)
        before = optimizer.register_step_pre_hook(
            lambda o, args, kwargs, seen=seen: seen.append(("pre", args[1:], kwargs))
        )
        optimizer.register_step_post_hook(lambda o, args, kwargs, seen=seen: seen.append(("post", args[1:], kwargs)))
        optimizer.register_state_dict_pre_hook(lambda o, seen=seen: seen.append("save"))
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
        optimizer.register_load_state_dict_pre_hook(lambda o, state, seen=seen: seen.append(state.pop("more")))
        optimizer.register_load_state_dict_post_hook(lambda o, seen=seen: seen.append("loaded"))
        optimizer.register_load_state_dict_post_hook(lambda o, seen=seen: seen.append("first"), prepend=True)
        optimizer.step()
        before.remove()
        optimizer.step(lambda: 3)
        optimizer.load_state_dict(optimizer.state_dict())
        assert seen[0] == ("pre", (), {})
        assert seen[1] == ("post", (), {})
        assert len(seen) == 7
        assert seen[3:] == ["save", 1, "first", "loaded"]


def test_a_closure_may_record() -> None:
    for kind in KINDS:
        made = []
        for module in (torch, lumbre):
            param = module.tensor([1.0, -2.0], requires_grad=True)
            optimizer = getattr(module.optim, kind)([param], lr=0.1)

            def closure(module: object = module, param: object = param, optimizer: object = optimizer) -> object:
                optimizer.zero_grad()
                assert module.is_grad_enabled()
                loss = (param**2).sum()
                loss.backward()
                return loss

            with module.no_grad():
                losses = [optimizer.step(closure).item() for _ in range(5)]
            made.append(losses)
        numpy.testing.assert_allclose(made[1], made[0], 1e-5)


def test_zero_grad() -> None:
    for module in (torch, lumbre):
        param = module.ones(1, requires_grad=True)
        optimizer = module.optim.SGD([param])
        param.grad = grad = module.ones(1)
        optimizer.zero_grad(set_to_none=False)
        assert param.grad is grad
        assert grad.item() == 0
        optimizer.zero_grad()
        assert param.grad is None


def q(m: object, *sizes: int) -> object:
    return m.ones(*(sizes or (2,)), requires_grad=True)


CALLS = [
    lambda m, o: o.SGD([q(m) * 2], 0.1),
    lambda m, o: o.SGD([3], 0.1),
    lambda m, o: o.SGD([], 0.1),
    lambda m, o: o.SGD(3, 0.1),
    lambda m, o: o.SGD({"params": [q(m)]}, 0.1),
    lambda m, o: o.SGD([{"lr": 1}], 0.1),
    lambda m, o: o.SGD([{"params": {q(m)}}], 0.1),
    lambda m, o: o.SGD([("a", q(m)), q(m)], 0.1),
    lambda m, o: o.SGD([q(m), ("a", q(m))], 0.1),
    lambda m, o: o.SGD([("a", "b", q(m))], 0.1),
    lambda m, o: repr(o.SGD([("a", q(m)), ("b", q(m))], 0.1)),
    lambda m, o: o.SGD([("a", q(m))], 0.1).state_dict(),
    lambda m, o: o.SGD([{"params": [("a", q(m))]}, {"params": [q(m)]}], 0.1),
    lambda m, o: o.SGD([{"params": [q(m)]}, {"params": [("a", q(m))]}], 0.1),
    lambda m, o: o.SGD([q(m)], 0.1).add_param_group(3),
    lambda m, o: o.SGD([q(m)], 0.1).load_state_dict({"state": {}, "param_groups": []}),
    lambda m, o: o.SGD([q(m)], 0.1).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
    lambda m, o: o.Optimizer([q(m)], {"lr": 1}).step(),
    lambda m, o: o.SGD([q(m)]).step(1),
    lambda m, o: o.LBFGS([q(m)]).step(),
    lambda m, o: o.LBFGS([{"params": [q(m)]}, {"params": [q(m)]}]),
    lambda m, o: o.SGD([q(m)], nesterov=True),
    lambda m, o: o.SGD([q(m)], lr=-1),
    lambda m, o: o.SGD([q(m)], weight_decay=-1),
    lambda m, o: o.Adam([q(m)], betas=(0.9, m.tensor(0.9))),
    lambda m, o: repr(o.Adam([q(m)], betas=(m.tensor(0.5), m.tensor(0.9)))),
    lambda m, o: o.Adam([q(m)], eps=-1),
    lambda m, o: o.Adam([q(m)], lr=m.tensor(0.1), foreach=True),
    lambda m, o: o.SparseAdagrad,
    *[
        lambda m, o, kind=kind, flags=flags: repr(getattr(o, kind)([q(m)], **flags))
        for kind in ("SGD", "Adam", "Adagrad", "RMSprop", "Rprop")
        for flags in (
            {"fused": True, "foreach": True},
            {"fused": True, "differentiable": True},
            {"lr": -2.0},
            {"eps": -1.0},
        )
    ],
]


@pytest.mark.parametrize("call", CALLS)
def test_refusals_and_texts(call: object) -> None:
    outcomes = []
    for module in (torch, lumbre):
        try:
            outcomes.append(str(call(module, module.optim)))
        except Exception as error:
            outcomes.append((type(error), str(error).split("\n")[0].replace("lumbre", "torch")))
    assert outcomes[1] == outcomes[0]


@pytest.mark.parametrize("flags", [{"capturable": True}, {"capturable": True, "foreach": True}, {"capturable": True, "fused": True},
                                   {"differentiable": True}, {"differentiable": True, "foreach": True}, {"foreach": True},
                                   {"fused": True}])  # fmt: skip
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_flags(kind: str, flags: dict) -> None:
    outcomes = []
    for module in (torch, lumbre):
        param = q(module)
        param.grad = module.ones(2) / 2
        try:
            optimizer = getattr(module.optim, kind)([param], **flags)
            optimizer.step()
            optimizer.step()
            outcomes.append([round(x, 5) for x in param.tolist()])
        except Exception as error:
            outcomes.append((type(error), str(error).split("\n")[0]))
    assert outcomes[1] == outcomes[0]


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RAdam", "RMSprop", "Adagrad", "Rprop"])
def test_differentiable_steps(kind: str) -> None:
    """The gradient of a loss after two steps, to the parameter before them and to the learning rate."""
    outcomes = []
    for module in (torch, lumbre):
        start = module.tensor([1.0, 2.0], requires_grad=True)
        rate = module.tensor(0.1, requires_grad=True) if kind in ("SGD", "Adam", "RAdam") else 0.1
        param = start.clone()
        param.retain_grad()
        param.grad = module.tensor([0.3, -0.4])
        optimizer = getattr(module.optim, kind)([param], lr=rate, differentiable=True)
        optimizer.step()
        optimizer.step()
        (param**2).sum().backward()
        outcomes.append([*start.grad.tolist(), *([rate.grad.item()] if hasattr(rate, "grad") else [])])
    numpy.testing.assert_allclose(outcomes[1], outcomes[0], 1e-4)


def test_a_tensor_rate_is_read_at_each_step() -> None:
    for kind in KINDS:
        made = []
        for module in (torch, lumbre):
            rate = module.tensor(0.1)
            param = q(module)
            param.grad = module.ones(2) / 2
            optimizer = getattr(module.optim, kind)([param], lr=rate)
            optimizer.step()
            rate.fill_(0.01)
            optimizer.step()
            made.append(param.tolist())
        numpy.testing.assert_allclose(made[1], made[0], 1e-5, err_msg=kind)


def test_own_optimizers() -> None:
    class Plain(lumbre.optim.Optimizer):
        def __init__(self, params: list) -> None:
            super().__init__(params, {"lr": 0.5})

        @lumbre.no_grad()
        def step(self, closure: object = None) -> int:
            for group in self.param_groups:
                for param in group["params"]:
                    param.sub_(param.grad, alpha=group["lr"])
            return 7

    param = q(lumbre)
    param.grad = lumbre.ones(2)
    optimizer = Plain([param])
    schedule = lumbre.optim.lr_scheduler.StepLR(optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert optimizer.step() == 7
        schedule.step()
    assert param.tolist() == [0.5, 0.5]
    assert schedule.get_last_lr() == [0.05]


def rosenbrock(module: object, x: object) -> object:
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"line_search_fn": "strong_wolfe"}, {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 7}, {"max_iter": 3},
        {"lr": 0.1, "max_eval": 5}, {"line_search_fn": "strong_wolfe", "lr": 0.3, "max_iter": 40, "tolerance_change": 1e-5},
        {"lr": 1e-3, "tolerance_grad": 1e2},
    ],
)  # fmt: skip
def test_lbfgs(settings: dict) -> None:
    """Iterations that amplify every difference, in float64; states and counts included."""
    results = []
    for module in (torch, lumbre):
        x = module.tensor([-0.3, 0.8, 0.4, -1.1], dtype=module.float64, requires_grad=True)
        y = module.tensor([[0.5], [2.0]], dtype=module.float64, requires_grad=True)
        optimizer = module.optim.LBFGS([x, y], **{"lr": 1e-2, **settings})

        def closure(module: object = module, x: object = x, y: object = y, optimizer: object = optimizer) -> object:
            optimizer.zero_grad()
            loss = rosenbrock(module, x) + (y**4).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(4)]
        state = optimizer.state_dict()["state"][0]
        results.append((losses, x.tolist(), y.tolist(), state))
    (losses, x, y, theirs), (our_losses, our_x, our_y, ours) = results
    numpy.testing.assert_allclose(our_losses, losses, 1e-6)
    numpy.testing.assert_allclose(our_x, x, 1e-5, 1e-7)
    numpy.testing.assert_allclose(our_y, y, 1e-5, 1e-7)
    assert list(ours) == list(theirs)
    assert (ours["func_evals"], ours["n_iter"]) == (theirs["func_evals"], theirs["n_iter"])
    assert len(ours.get("old_dirs", [])) == len(theirs.get("old_dirs", []))
    for name in ("t", "d", "H_diag", "prev_flat_grad", "prev_loss"):
        if name in theirs:
            assert hasattr(ours[name], "dtype") == hasattr(theirs[name], "dtype"), name


def test_lbfgs_refuses_other_line_searches() -> None:
    for module in (torch, lumbre):
        x = module.ones(2, requires_grad=True)
        optimizer = module.optim.LBFGS([x], line_search_fn="golden")

        def closure(x: object = x) -> object:
            loss = (x**2).sum()
            loss.backward()
            return loss

        with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
            optimizer.step(closure)


def test_checkpoints_between_files() -> None:
    """A saved state goes on to the bit."""
    import io

    lumbre.manual_seed(0)
    net = lumbre.nn.Linear(3, 2)
    optimizer = lumbre.optim.AdamW(net.named_parameters(), lr=0.1, amsgrad=True)
    x = lumbre.ones(1, 3)
    net(x).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    pickle.dump((net.state_dict(), optimizer.state_dict()), file)
    other = lumbre.nn.Linear(3, 2)
    again = lumbre.optim.AdamW(other.named_parameters(), lr=0.5)
    weights, state = pickle.loads(file.getvalue())
    other.load_state_dict(weights)
    again.load_state_dict(state)
    other(x).sum().backward()
    for one in (optimizer, again):
        one.step()
    assert again.param_groups[0]["lr"] == 0.1
    assert again.param_groups[0]["param_names"] == ["weight", "bias"]
    assert other.weight.tolist() == net.weight.tolist()
