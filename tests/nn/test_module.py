"""Modules, containers and parameters say what they say under PyTorch."""

from __future__ import annotations

import copy
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
from programs import compare

import lumbre


def net_of(torch: Any) -> Any:
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.register_buffer("steps", torch.zeros(2))
            self.register_buffer("scratch", torch.ones(1), persistent=False)
            self.scale = nn.Parameter(torch.ones(4))
            self.rest = nn.ModuleList([nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)])
            self.register_parameter("nothing", None)

        def forward(self, x: Any) -> Any:
            x = self.first(x) * self.scale
            for layer in self.rest:
                x = layer(x)
            return x

    return Net()


def registration(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = net_of(torch)
    say(m)
    say([name for name, _ in m.named_parameters()], [name for name, _ in m.named_buffers()])
    say([name for name, _ in m.named_modules()], [name for name, _ in m.named_children()])
    say(list(m.state_dict()), m.state_dict()._metadata)
    say([name for name, _ in m.named_parameters(prefix="p", recurse=False)])
    tries(lambda: m.register_parameter("a.b", None))
    tries(lambda: m.register_parameter("", None))
    tries(lambda: m.register_parameter(3, None))
    tries(lambda: m.register_parameter("first", None))
    tries(lambda: m.register_parameter("p", torch.ones(2)))
    tries(lambda: m.register_parameter("p", 3))
    tries(lambda: m.register_buffer("a.b", None))
    tries(lambda: m.register_buffer("", None))
    tries(lambda: m.register_buffer(3, None))
    tries(lambda: m.register_buffer("forward", None))
    tries(lambda: m.register_buffer("b", 3))
    tries(lambda: m.add_module("a.b", None))
    tries(lambda: m.add_module("", None))
    tries(lambda: m.add_module(3, None))
    tries(lambda: m.add_module("scale", None))
    tries(lambda: m.add_module("q", 3))
    tries(lambda: setattr(m, "scale", torch.ones(4)))
    tries(lambda: setattr(m, "scale", 3))
    tries(lambda: setattr(m, "first", 3))
    tries(lambda: setattr(m, "first", torch.ones(2)))
    tries(lambda: setattr(m, "steps", 3))
    tries(lambda: m.missing)
    tries(lambda: delattr(m, "missing"))
    tries(lambda: m(torch.ones(2, 3)).shape)
    m.steps = torch.ones(3)
    m.scale = None
    say(m.scale, m.steps, "scale" in m._parameters, list(m.state_dict()))
    m.scale = nn.Parameter(torch.zeros(4))
    m.first = nn.Identity()
    del m.rest
    say(m, list(m.state_dict()))
    m.plain = torch.ones(1)
    m.plain = nn.Parameter(torch.ones(1))
    say("plain" in m.__dict__, list(m._parameters))
    m.plain = None
    m.steps = None
    say(list(m.state_dict()), m.plain, m.steps)
    m.buf = nn.Buffer(torch.ones(2), persistent=False)
    say(list(m.state_dict()), [name for name, _ in m.named_buffers()])
    m.first = None
    say(m, list(m.named_children()))
    say("scale" in dir(m), "_modules" in dir(m))


def before_init(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn

    class Late(nn.Module):
        def __init__(self, what: Any) -> None:
            self.part = what
            super().__init__()

    tries(lambda: Late(nn.Linear(1, 1)))
    tries(lambda: Late(nn.Parameter(torch.ones(1))))
    tries(lambda: Late(torch.ones(1)).part)
    tries(lambda: Late(3).part)
    tries(lambda: nn.Module(3))
    tries(lambda: nn.Module(a=3))
    tries(lambda: nn.Module()(1))
    tries(lambda: nn.Linear(2, 2)(torch.ones(2, 3)))
    tries(lambda: nn.Linear(2))
    tries(lambda: nn.Sequential(3))
    tries(lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3))(torch.ones(1, 2)))


def lookups(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = net_of(torch)
    tries(lambda: m.get_submodule("rest.0"))
    tries(lambda: m.get_submodule("") is m)
    tries(lambda: m.get_submodule("rest.7"))
    tries(lambda: m.get_submodule("scale"))
    tries(lambda: m.get_parameter("rest.0.bias").shape)
    tries(lambda: m.get_parameter("rest.0"))
    tries(lambda: m.get_parameter("rest.0.q"))
    tries(lambda: m.get_parameter("steps"))
    tries(lambda: m.get_buffer("steps"))
    tries(lambda: m.get_buffer("scale"))
    tries(lambda: m.get_buffer("nope"))
    tries(lambda: m.set_submodule("rest.1", nn.Tanh()))
    tries(lambda: m.set_submodule("", nn.Tanh()))
    tries(lambda: m.set_submodule("rest.9", nn.Tanh()))
    tries(lambda: m.set_submodule("new", nn.Tanh(), strict=True))
    tries(lambda: m.set_submodule("scale", nn.Tanh()))
    tries(lambda: m.set_submodule("rest.1", 3))
    tries(lambda: m.get_extra_state())
    say(m)


def state_dicts(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = net_of(torch)
    state = m.state_dict()
    tries(lambda: m.load_state_dict(state))
    state["extra"] = torch.ones(1)
    del state["scale"], state["rest.0.bias"]
    tries(lambda: m.load_state_dict(state))
    tries(lambda: m.load_state_dict(state, strict=False))
    state["first.weight"] = torch.ones(2, 2)
    tries(lambda: m.load_state_dict(state, strict=False))
    tries(lambda: m.load_state_dict({"rest": 3}))
    tries(lambda: m.load_state_dict(3))
    tries(lambda: m.load_state_dict({"steps": [1, 2]}, strict=False))
    good = {k: torch.full(v.shape, 2.0) for k, v in m.state_dict().items()}
    tries(lambda: m.load_state_dict(good, assign=True))
    say(m.scale, m.steps is good["steps"], isinstance(m.scale, nn.Parameter))
    say(list(m.state_dict(prefix="a.")), m.state_dict(keep_vars=True)["scale"].requires_grad)
    tries(
        lambda: nn.Linear(2, 2).load_state_dict(
            {"weight": torch.zeros(2, 2, dtype=torch.float64), "bias": torch.zeros(2)}
        )
    )

    class Extra(nn.Linear):
        def get_extra_state(self) -> Any:
            return {"n": 3}

        def set_extra_state(self, state: Any) -> None:
            say("took", state)

    e = Extra(2, 2)
    say(list(e.state_dict()))
    tries(lambda: e.load_state_dict(e.state_dict()))
    tries(lambda: e.load_state_dict(nn.Linear(2, 2).state_dict()))
    tries(lambda: nn.Linear(2, 2).load_state_dict(e.state_dict()))

    h = nn.Linear(2, 2)
    h.register_state_dict_pre_hook(lambda module, prefix, keep: say("pre", prefix, keep))
    h.register_state_dict_post_hook(lambda module, state, prefix, meta: state.update(more=torch.ones(1)))
    h.register_load_state_dict_pre_hook(
        lambda module, state, prefix, *rest: say("load pre", type(module), list(state), rest)
    )
    h.register_load_state_dict_post_hook(lambda module, keys: say("load post", keys))
    both = nn.Sequential(h)
    state = both.state_dict()
    say(list(state))
    tries(lambda: both.load_state_dict(state, strict=False))
    tries(lambda: both.load_state_dict(state))


def casts(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = net_of(torch)
    weight = m.first.weight
    m.register_buffer("count", torch.tensor(3))
    tries(lambda: m.double() is m)
    say(m.first.weight is weight, m.first.weight.dtype, m.steps.dtype, m.count.dtype)
    tries(lambda: m.to(torch.float16).scale.dtype)
    tries(lambda: m.to(torch.int64))
    tries(lambda: m.to("cpu", torch.float32).scale.dtype)
    tries(lambda: m.to(torch.zeros(1, dtype=torch.float64)).scale.dtype)
    tries(lambda: m.to(dtype=torch.float32).scale.dtype)
    tries(lambda: m.half().bfloat16().float().scale)
    tries(lambda: m.cpu() is m)
    tries(lambda: m.type(torch.float64).scale.dtype)
    tries(lambda: m.to_empty(device="cpu").scale.shape)
    say(m.eval().training, m.rest[0].training, m.train().training)
    tries(lambda: m.train("yes"))
    say(all(not p.requires_grad for p in m.requires_grad_(False).parameters()))
    linear = nn.Linear(2, 1)
    linear(torch.ones(1, 2)).sum().backward()
    say(linear.weight.grad)
    linear.double()
    say(linear.weight.grad)
    linear.zero_grad(set_to_none=False)
    say(linear.weight.grad)
    linear.zero_grad()
    say(linear.weight.grad)
    seen: list[str] = []
    m.apply(lambda each: seen.append(type(each).__name__))
    say(seen)


def hooks(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    for p in m.parameters():
        nn.init.constant_(p, 0.5)
    x = torch.ones(1, 2, requires_grad=True)
    handles = [
        m.register_forward_pre_hook(lambda mod, args: say("pre", args)),
        m.register_forward_hook(lambda mod, args, out: say("post", args, out)),
        m[0].register_forward_hook(lambda mod, args, kw, out: out * 2, with_kwargs=True),
        m[1].register_forward_pre_hook(lambda mod, args, kw: ((args[0] + 1,), kw), with_kwargs=True),
        m[1].register_forward_pre_hook(lambda mod, args: args[0] * 3, prepend=True),
        m.register_full_backward_hook(lambda mod, gin, gout: say("full", gin, gout)),
        m.register_full_backward_pre_hook(lambda mod, gout: say("full pre", gout)),
        m[0].register_full_backward_hook(lambda mod, gin, gout: (gin[0] * 10,)),
    ]
    m(x).sum().backward()
    say(x.grad, m[0].weight.grad)
    tries(lambda: m.register_backward_hook(lambda *a: None))
    for handle in handles:
        handle.remove()
    x.grad = None
    m.zero_grad()
    m(x).sum().backward()
    say(x.grad)
    bad = m.register_forward_pre_hook(lambda mod, args, kw: 3, with_kwargs=True)
    tries(lambda: m(x))
    bad.remove()
    m.register_forward_hook(lambda mod, args, out: say("always", out), always_call=True)
    tries(lambda: m(torch.ones(1, 3)))
    where = nn.modules.module
    globals_ = [
        where.register_module_forward_pre_hook(lambda mod, args: say("every pre", type(mod).__name__)),
        where.register_module_forward_hook(lambda mod, args, out: say("every", type(mod).__name__)),
        where.register_module_full_backward_hook(lambda mod, gin, gout: say("every back", type(mod).__name__)),
    ]
    m(x).sum().backward()
    for handle in globals_:
        handle.remove()
    m(x)
    tries(lambda: nn.Linear(1, 1).register_forward_hook(lambda *a: None).remove())
    once = nn.Linear(2, 2)
    handle = once.register_forward_hook(lambda *a: say("once"))
    once(x)
    del once._forward_hooks[handle.id]
    once(x)
    no_input = nn.Linear(2, 2)
    no_input.register_full_backward_hook(lambda mod, gin, gout: say("no input", gin, gout))
    no_input(torch.ones(1, 2)).sum().backward()
    registered = where.register_module_parameter_registration_hook(lambda mod, name, p: say("registers", name, p.shape))
    nn.Linear(3, 1)
    registered.remove()
    old = nn.Tanh()
    old.register_backward_hook(lambda mod, gin, gout: say("old", gin, gout))
    old(x).sum().backward()


def containers(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    s = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    say(s, s[1:3], len(s), s[-1])
    tries(lambda: s[7])
    tries(lambda: s["a"])
    s[1] = nn.Tanh()
    del s[0]
    say(
        s, s + nn.Sequential(nn.ReLU()), s.append(nn.GELU()), s.pop(0), s.insert(0, nn.Sigmoid()), s.extend([nn.ReLU()])
    )
    tries(lambda: s + 3)
    tries(lambda: nn.Sequential(nn.ReLU()) * 2)
    tries(lambda: nn.Sequential(nn.ReLU()) * 0)
    tries(lambda: nn.Sequential(nn.ReLU()) * 1.5)
    tries(lambda: s.insert(30, nn.ReLU()))
    tries(lambda: s.insert(0, 3))
    tries(lambda: s.append(3))
    s *= 2
    say(len(s), nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())))
    named = nn.Sequential(OrderedDict(a=nn.Linear(1, 1), b=nn.Tanh()))
    say(named.a, list(named.state_dict()), named[0])
    m = nn.ModuleList([nn.Linear(1, 1) for _ in range(4)])
    say(m, m[1:3], m[-1], len(m))
    m.append(nn.ReLU()).extend([nn.ReLU(), nn.ReLU()])
    m.insert(1, nn.Tanh())
    m += [nn.Dropout()]
    del m[0]
    say(m, m.__add__([nn.ReLU()]), m.pop(-1))
    tries(lambda: m[30])
    tries(lambda: m(1))
    tries(lambda: m.extend(3))
    tries(lambda: nn.ModuleList(3))
    tries(lambda: nn.ModuleList([3]))
    d = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    d["c"] = nn.Tanh()
    say(d, list(d), list(d.keys()), len(d), "a" in d, d.pop("a"), list(d.items()))
    d.update({"z": nn.ReLU()})
    d.update([("y", nn.ReLU())])
    tries(lambda: d["nope"])
    tries(lambda: d.update(3))
    tries(lambda: d.update([3]))
    tries(lambda: d.update([(1, 2, 3)]))
    tries(lambda: nn.ModuleDict({"keys": nn.ReLU()}))
    tries(lambda: nn.ModuleDict({1: nn.ReLU()}))
    d.clear()
    say(d)


def parameter_containers(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    p = nn.ParameterList([torch.zeros(2), nn.Parameter(torch.ones(1)), 3])
    say(p, len(p), p[0], p[1:], [n for n, _ in p.named_parameters()])
    p.append(torch.ones(2, 2)).extend([nn.Parameter(torch.ones(1))])
    p += [torch.ones(1)]
    p[0] = nn.Parameter(torch.ones(5))
    say(p)
    tries(lambda: p[40])
    tries(lambda: p(1))
    tries(lambda: nn.ParameterList(3))
    d = nn.ParameterDict({"a": torch.zeros(2), "b": nn.Parameter(torch.ones(1)), "c": 3})
    say(d, list(d), len(d), d["a"], [n for n, _ in d.named_parameters()])
    d["q"] = nn.Parameter(torch.ones(1))
    say(d.pop("a"), d.setdefault("z", torch.ones(1)), d.get("nope", 3), d.popitem()[0], list(d.values()))
    say(d | nn.ParameterDict({"x": torch.ones(1)}), d.copy(), nn.ParameterDict().fromkeys(["k"], torch.ones(1)))
    tries(lambda: d["nope"])
    tries(lambda: d(1))
    d.clear()
    say(d)


def parameters(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    say(
        p, type(p), type(p + 1), type(p.data), type(p.detach()), type(p.clone()), p.is_leaf, isinstance(p, torch.Tensor)
    )
    say(
        nn.Parameter(torch.ones(1), requires_grad=False),
        nn.Parameter(p) is p,
        nn.Parameter(),
        isinstance(p + 1, nn.Parameter),
    )
    tries(lambda: nn.Parameter(torch.tensor([1, 2])))
    tries(lambda: nn.Parameter(torch.tensor([1, 2]), requires_grad=False))
    copied = copy.deepcopy(p)
    say(copied, type(copied), copied is p)
    again = pickle.loads(pickle.dumps(p))
    say(again, type(again))
    frozen = pickle.loads(pickle.dumps(nn.Parameter(torch.ones(1), requires_grad=False)))
    say(frozen, frozen.requires_grad)
    (p * 3).sum().backward()
    say(p.grad, type(p.grad))
    b = nn.Buffer(torch.ones(2))
    say(b, type(b), isinstance(b, nn.Buffer), b.persistent)
    u = nn.UninitializedParameter()
    say(u, type(u))
    tries(lambda: u.shape)
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in"):
        u + 1
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in"):
        torch.add(u, 1)
    u.materialize((2, 3))
    say(type(u), u.shape, u.requires_grad)


def copies(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.2), nn.Linear(3, 1))
    m[2].weight = None
    m[2].weight = nn.Parameter(torch.ones(1, 3))
    m.eval()
    for c in (copy.deepcopy(m), pickle.loads(pickle.dumps(m)), copy.copy(m)):
        say(c, c.training, list(c.state_dict()), c[0].weight, c(torch.ones(1, 2)))
        c[0].weight = nn.Parameter(torch.zeros(3, 2))
    say(m[0].weight)
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    c = copy.deepcopy(tied)
    say(c[0].weight is c[1].weight, len(list(c.parameters())), len(list(c.named_parameters(remove_duplicate=False))))
    back = pickle.loads(pickle.dumps(tied))
    say(back[0].weight is back[1].weight)


def lazy(torch: Any, say: Any, tries: Any) -> None:
    nn = torch.nn
    m = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2, bias=False))
    say(m, m[0].weight, m[0].has_uninitialized_params())
    tries(lambda: m[0].weight.shape)
    torch.manual_seed(3)
    m(torch.ones(2, 5))
    say(m, type(m[0]), m[0].weight, type(m[0].weight), m[2].weight)
    other = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2, bias=False))
    say(list(other.state_dict()))
    tries(lambda: other.load_state_dict(m.state_dict()))
    say(other(torch.ones(1, 5)).detach(), other[0])


@pytest.mark.parametrize(
    "program",
    [
        registration, before_init, lookups, state_dicts, casts, hooks, containers, parameter_containers, parameters, copies,
        lazy,
    ],
    ids=lambda program: program.__name__,
)  # fmt: skip
def test_program(program: Any) -> None:
    compare(program)


def test_a_call_without_hooks_goes_straight_to_forward() -> None:
    frames = []

    class Looks(lumbre.nn.Module):
        def forward(self, x: int) -> int:
            import inspect

            frames.append(inspect.stack()[1].function)
            return x

    module = Looks()
    assert module(3) == 3
    module.register_forward_hook(lambda *args: None)
    assert module(3) == 3
    assert frames[0] == "test_a_call_without_hooks_goes_straight_to_forward"
    assert frames[1] != frames[0]
