"""nn.utils, nn.init and func.functional_call say what they say under PyTorch."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
from programs import compare


def part(torch: Any, name: str) -> Any:
    return importlib.import_module(f"{torch.__name__}.{name}")


def shown(values: Any) -> list[float]:
    return [round(value, 4) for value in values.detach().flatten().tolist()]


def functional_call(torch: Any, say: Any, tries: Any) -> None:
    nn, call = torch.nn, part(torch, "func").functional_call
    layer, x, w = nn.Linear(2, 2), torch.ones(1, 2), torch.ones(2, 2)
    bias = {"bias": torch.zeros(2)}
    tries(lambda: call(layer, {"weight": w}, (x,), strict=True))
    tries(lambda: call(layer, {"weight": w, "zz": w}, x, strict=True))
    tries(lambda: call(layer, {"weight": w, "zz": w, **bias}, x))
    tries(lambda: call(layer, ({"weight": w}, {"weight": w}), x))
    tries(lambda: call(layer, ({"weight": w}, bias), x))
    tries(lambda: call(layer, {"weight": 3}, x))
    tries(lambda: call(layer, [1], x))
    tries(lambda: call(layer, {"weight": w, **bias}, None, {"input": x}))
    tries(lambda: call(layer, {"weight": w, **bias}, x, [3]))
    say(isinstance(layer.weight, nn.Parameter))

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            self.b = nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x))

    tied = Tied()
    tries(lambda: call(tied, {"a.weight": w}, x))
    tries(lambda: call(tied, {"a.weight": w, "b.weight": w * 2}, x))
    tries(lambda: shown(call(tied, {"a.weight": w}, x, tie_weights=False)))
    tries(lambda: call(tied, {"a.weight": w}, x, strict=True))
    say(tied.a.weight is tied.b.weight)
    given = torch.full((2, 2), 0.5, requires_grad=True)
    call(tied, {"a.weight": given}, x).sum().backward()
    say(given.grad, tied.a.weight.grad)
    params, buffers = part(torch, "func").stack_module_state([nn.BatchNorm1d(2) for _ in range(3)])
    say({k: (v.shape, v.requires_grad) for k, v in params.items()}, {k: v.shape for k, v in buffers.items()})


def broken_parametrizations(torch: Any) -> list[Any]:
    """Modules whose result or right_inverse is not what a parametrization may give."""
    results = {
        "Shape": lambda x: x[0],
        "Kind": lambda x: x.double(),
        "NoTensor": lambda x: 3,
    }
    inverses = {
        "BackNoTensor": lambda x: 3,
        "BackKind": lambda x: x.double(),
        "BackShape": lambda x: x[0],
        "BackMixed": lambda x: (x, 3),
    }
    made = []
    for name, function in results.items():
        made.append(type(name, (torch.nn.Module,), {"forward": lambda self, x, f=function: f(x)}))
    for name, function in inverses.items():
        body = {"forward": lambda self, x: x, "right_inverse": lambda self, x, f=function: f(x)}
        made.append(type(name, (torch.nn.Module,), body))
    return made


def parametrized(torch: Any, say: Any, tries: Any) -> None:
    nn, P = torch.nn, part(torch, "nn.utils.parametrize")

    class Symmetric(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).T

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    class Sum(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return x + y

        def right_inverse(self, x: Any) -> Any:
            return x / 2, x / 2

    class Double(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

    layer = nn.Linear(3, 3)
    learned = layer.weight
    say(P.register_parametrization(layer, "weight", Symmetric()), list(layer.state_dict()), type(layer))
    say(layer.parametrizations.weight.original is learned, shown(layer.weight), type(layer.weight))
    say(P.is_parametrized(layer), P.is_parametrized(layer, "bias"), P.type_before_parametrizations(layer))
    tries(lambda: P.register_parametrization(layer, "zz", Symmetric()))
    for broken in broken_parametrizations(torch):
        tries(lambda broken=broken: P.register_parametrization(nn.Linear(3, 3), "weight", broken()))
        tries(lambda broken=broken: P.register_parametrization(copy.deepcopy(layer), "weight", broken()))
        tries(lambda broken=broken: P.register_parametrization(nn.Linear(3, 3), "weight", broken(), unsafe=True))
    layer(torch.ones(1, 3)).sum().backward()
    say(layer.parametrizations.weight.original.grad)
    layer.weight = torch.ones(3, 3)
    say(layer.parametrizations.weight.original)
    copied = copy.deepcopy(layer)
    copied.weight = torch.zeros(3, 3)
    say(shown(copied.weight), shown(layer.weight), type(copied) is type(layer))
    tries(lambda: pickle.dumps(layer))
    tries(lambda: delattr(layer, "weight"))
    tries(lambda: copied.load_state_dict(layer.state_dict()))
    say(shown(copied.weight))
    with P.cached():
        say(layer.weight is layer.weight)
    say(layer.weight is layer.weight)
    say(P.remove_parametrizations(layer, "weight"), list(layer.state_dict()), layer.weight is learned, layer.weight)
    tries(lambda: P.remove_parametrizations(layer, "weight"))
    several = P.register_parametrization(nn.Linear(2, 2), "weight", Sum())
    say(list(several.state_dict()), several.parametrizations.weight.ntensors, several.parametrizations.weight.is_tensor)
    several.weight = torch.ones(2, 2)
    say(several.parametrizations.weight.original0)
    tries(lambda: P.remove_parametrizations(several, "weight", leave_parametrized=False))
    say(P.remove_parametrizations(several, "weight").weight)
    twice = P.register_parametrization(nn.Linear(2, 2), "weight", Double())
    tries(lambda: setattr(twice, "weight", torch.ones(2, 2)))
    tries(lambda: P.register_parametrization(twice, "weight", Symmetric()))
    say(P.transfer_parametrizations_and_params(twice, nn.Linear(2, 2)))
    buffered = nn.Module()
    buffered.register_buffer("b", torch.ones(2))
    P.register_parametrization(buffered, "b", Double())
    say(buffered, buffered.b, list(buffered.state_dict()), list(buffered.named_parameters()))
    P.remove_parametrizations(buffered, "b", leave_parametrized=False)
    say(buffered, buffered.b, list(buffered.state_dict()))
    tries(lambda: P.ParametrizationList([], torch.ones(2)))


def norms(torch: Any, say: Any, tries: Any) -> None:
    nn, U, Z = torch.nn, torch.nn.utils, part(torch, "nn.utils.parametrizations")
    x = torch.ones(2, 3)
    for dim in (0, 1, -1, None):
        torch.manual_seed(1)
        old = U.weight_norm(nn.Linear(3, 4), dim=dim)
        with torch.no_grad():
            old.weight_g *= 2
        old(x).pow(2).sum().backward()
        say(
            list(old.state_dict()),
            old.weight_g.shape,
            shown(old.weight),
            shown(old.weight_g.grad),
            shown(old.weight_v.grad),
        )
        if dim is not None:
            torch.manual_seed(1)
            new = Z.weight_norm(nn.Linear(3, 4), dim=dim)
            tries(lambda old=old, new=new: new.load_state_dict(old.state_dict()))
            new(x).pow(2).sum().backward()
            say(new, list(new.state_dict()), shown(new.weight), shown(new.parametrizations.weight.original1.grad))
        U.remove_weight_norm(old)
        say(list(old.state_dict()), shown(old.weight), type(old.weight), len(old._forward_pre_hooks))
    tries(lambda: U.remove_weight_norm(nn.Linear(2, 2)))
    tries(lambda: U.weight_norm(U.weight_norm(nn.Linear(2, 2))))
    tries(lambda: U.weight_norm(nn.Linear(2, 2), "zz"))
    for wrap in (U.spectral_norm, Z.spectral_norm):
        torch.manual_seed(2)
        layer = wrap(nn.Linear(3, 4), n_power_iterations=2)
        say(layer, {k: shown(v) for k, v in layer.state_dict().items()}, layer.state_dict()._metadata)
        for _ in range(3):
            layer(x).pow(2).sum().backward()
        say([shown(p.grad) for p in layer.parameters()], shown(layer.weight))
        layer.eval()
        say(shown(layer(x)), shown(layer(x)), {k: shown(v) for k, v in layer.state_dict().items()})
        tries(lambda wrap=wrap, layer=layer: wrap(nn.Linear(3, 4)).load_state_dict(layer.state_dict()))
        tries(lambda wrap=wrap: wrap(nn.Linear(3, 4), n_power_iterations=0))
        tries(lambda wrap=wrap: wrap(nn.Linear(3, 4), "zz"))
        tries(lambda wrap=wrap: shown(wrap(nn.ConvTranspose1d(2, 3, 2)).weight))
    layer = U.spectral_norm(nn.Linear(2, 3))
    tries(lambda: U.spectral_norm(layer))
    U.remove_spectral_norm(layer)
    say(list(layer.state_dict()), layer.state_dict()._metadata)
    tries(lambda: U.remove_spectral_norm(layer))
    tries(lambda: Z.spectral_norm(nn.Linear(2, 3), dim=3))
    say(shown(Z.spectral_norm(nn.Linear(2, 3), "bias").bias))
    tries(lambda: Z.orthogonal(nn.Linear(2, 3), "bias"))
    tries(lambda: Z.orthogonal(nn.Linear(2, 3), "zz"))
    tries(lambda: Z.orthogonal(nn.Linear(2, 3), orthogonal_map="z"))


def pruned(torch: Any, say: Any, tries: Any) -> None:
    nn, R = torch.nn, part(torch, "nn.utils.prune")
    m = nn.Linear(4, 3)
    tries(lambda: R.random_unstructured(m, "weight", 0.3))
    say(list(m.state_dict()), m.weight_mask, shown(m.weight), R.is_pruned(m), type(m.weight))
    tries(lambda: R.l1_unstructured(m, "weight", 2))
    say(m.weight_mask, [type(each).__name__ for each in next(iter(m._forward_pre_hooks.values()))])
    tries(lambda: R.ln_structured(m, "weight", 1, 2, 0))
    say(m.weight_mask)
    tries(lambda: R.random_structured(m, "weight", 1, 1))
    say(m.weight_mask, len(m._forward_pre_hooks))
    m(torch.ones(1, 4)).sum().backward()
    say(m.weight_orig.grad)
    say(R.remove(m, "weight"), list(m.state_dict()), shown(m.weight), R.is_pruned(m))
    for amount in (1.5, -1, 100, "a"):
        tries(lambda amount=amount: R.l1_unstructured(m, "weight", amount))
    tries(lambda: R.remove(m, "weight"))
    tries(lambda: R.l1_unstructured(m, "zz", 1))
    tries(lambda: R.ln_structured(m, "bias", 1, 2, 0))
    m = nn.Conv1d(2, 4, 3)
    tries(lambda: R.ln_structured(m, "weight", 0.5, 1, -1).weight_mask)
    tries(lambda: R.ln_structured(m, "weight", 0.5, float("inf"), 0).weight_mask)
    tries(lambda: R.random_structured(nn.Linear(2, 5), "weight", 0.5, 0).weight_mask)
    tries(lambda: R.custom_from_mask(nn.Linear(3, 2), "bias", torch.tensor([0, 1])).bias_mask)
    tries(lambda: R.identity(nn.Linear(3, 2), "bias").bias_mask)
    scores = torch.arange(6.0).view(2, 3)
    tries(lambda: R.l1_unstructured(nn.Linear(3, 2), "weight", 2, importance_scores=scores).weight_mask)
    tries(lambda: R.l1_unstructured(nn.Linear(3, 2), "weight", 2, importance_scores=scores[0]))
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    places = [(net[0], "weight"), (net[1], "weight")]
    R.global_unstructured(places, R.L1Unstructured, amount=0.3)
    R.global_unstructured(places, R.RandomUnstructured, amount=2)
    say(net[0].weight_mask, net[1].weight_mask, R.is_pruned(net))
    tries(lambda: R.global_unstructured(places, R.LnStructured, amount=0.3, n=1))
    tries(lambda: R.global_unstructured(places, R.L1Unstructured, importance_scores=3, amount=0.3))
    tries(lambda: R.PruningContainer().add_pruning_method(3))
    tries(lambda: R.BasePruningMethod())
    say(R.L1Unstructured(1).prune(torch.tensor([3.0, -1.0, 2.0])))


def small_utils(torch: Any, say: Any, tries: Any) -> None:
    nn, U = torch.nn, torch.nn.utils
    tries(lambda: U.skip_init(nn.Linear, 2, 3).weight.shape)
    tries(lambda: U.skip_init(nn.ReLU))
    tries(lambda: U.skip_init(int))
    say(torch.rand(2))
    U.skip_init(nn.Linear, 2, 3)
    say(torch.rand(2))
    p = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(3))]
    vector = U.parameters_to_vector(p)
    U.vector_to_parameters(torch.arange(7.0), p)
    say(vector.shape, p)
    tries(lambda: U.vector_to_parameters(3, p))
    for norm in (2.0, 1, float("inf"), 0.5):
        for each in p:
            each.grad = torch.arange(float(each.numel())).view(each.shape)
        say(
            U.get_total_norm([each.grad for each in p], norm),
            U.clip_grad_norm_(p, 1.5, norm),
            [each.grad for each in p],
        )
    U.clip_grad_value_(p, 0.2)
    say([each.grad for each in p])
    say(U.clip_grad_norm_([], 1.0), U.clip_grad_norm_(p[0], 0.1, foreach=False))
    p[0].grad.fill_(float("nan"))
    tries(lambda: U.clip_grad_norm_(p, 1.0, error_if_nonfinite=True))


def fused(torch: Any, say: Any, tries: Any) -> None:
    nn, U = torch.nn, torch.nn.utils
    for layer, bn, x in (
        (nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), torch.ones(2, 2, 4, 4)),
        (nn.Conv1d(2, 3, 2, bias=False), nn.BatchNorm1d(3, affine=False), torch.ones(2, 2, 4)),
        (nn.Linear(4, 3), nn.BatchNorm1d(3), torch.ones(2, 4)),
    ):
        fuse = U.fuse_linear_bn_eval if isinstance(layer, nn.Linear) else U.fuse_conv_bn_eval
        bn(torch.rand(8, 3, 2, 2)) if isinstance(bn, nn.BatchNorm2d) else bn(torch.rand(8, 3))
        tries(lambda fuse=fuse, layer=layer, bn=bn: fuse(layer, bn))
        layer.eval(), bn.eval()
        made = fuse(layer, bn)
        say(made, shown(made(x)), bool(torch.allclose(made(x), bn(layer(x)), atol=1e-5)), list(made.state_dict()))
    converted = U.convert_conv2d_weight_memory_format(nn.Sequential(nn.Conv2d(2, 3, 2)), torch.channels_last)
    say(converted[0].weight.stride(), converted)
    parallel = nn.DataParallel(nn.Linear(2, 2))
    say(parallel, list(parallel.state_dict()), shown(parallel(torch.ones(1, 2))))


def initial_values(torch: Any, say: Any, tries: Any) -> None:
    init = torch.nn.init
    for name, args in (
        ("uniform_", (-1, 2)), ("normal_", (1, 3)), ("trunc_normal_", (0.5, 2.0, -1, 1)),
        ("trunc_normal_", (0, 0.02, -2, 2)), ("trunc_normal_", (0, 1, 2, 3)), ("trunc_normal_", (3, 1, -2, 2)),
        ("trunc_normal_", (0.3, 4, -1, 1)), ("constant_", (3,)), ("ones_", ()),
        ("zeros_", ()), ("eye_", ()), ("xavier_uniform_", (2,)), ("xavier_normal_", ()), ("kaiming_uniform_", (0.3,)),
        ("kaiming_normal_", (0, "fan_out", "relu")), ("sparse_", (0.4,)), ("dirac_", ()),
    ):  # fmt: skip
        for shape in ((5, 4), (6, 3, 3), (20, 30), (4,), (2, 2, 0)):
            torch.manual_seed(5)
            # float.hex, so that the draws are held to the bit.
            tries(lambda name=name, args=args, shape=shape: [
                value.hex() for value in getattr(init, name)(torch.empty(shape), *args).flatten().tolist()
            ])  # fmt: skip
    for kind in ("linear", "tanh", "relu", "leaky_relu", "selu", "sigmoid", "conv2d", "nope"):
        tries(lambda kind=kind: init.calculate_gain(kind))
    tries(lambda: init.calculate_gain("leaky_relu", 0.2))
    tries(lambda: init.calculate_gain("leaky_relu", "a"))
    tries(lambda: init.dirac_(torch.empty(6, 3, 3), 2))
    tries(lambda: init.dirac_(torch.empty(5, 3, 3), 2))
    tries(lambda: init.kaiming_uniform_(torch.empty(2, 2), mode="x"))
    weight = torch.nn.Parameter(torch.empty(2, 2))
    say(init.ones_(weight) is weight, weight, init.uniform(torch.empty(0)))


@pytest.mark.parametrize(
    "program",
    [functional_call, parametrized, norms, pruned, small_utils, fused, initial_values],
    ids=lambda program: program.__name__,
)
def test_program(program: Any) -> None:
    compare(program)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 7), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    import torch

    import lumbre

    values = []
    for library in (torch, lumbre):
        library.manual_seed(4)
        values.append(library.nn.init.orthogonal_(library.empty(shape), 1.5).numpy())
    assert abs(values[0] - values[1]).max() < 2e-6
