"""Autograd held against PyTorch: the same functions run under both, their values and errors compared."""

from __future__ import annotations

import gc
import resource
import warnings
import weakref

import pytest

import lumbre

torch = pytest.importorskip("torch", reason="PyTorch is the reference")


def close_to(x):
    return pytest.approx(x, rel=1e-5, abs=1e-6, nan_ok=True)


def plain(value, number=float):
    """Tensors as lists of what ``number`` makes of each element, errors as their class and first line."""
    if isinstance(value, lumbre.Tensor | torch.Tensor):
        return [tuple(value.shape), [number(x) for x in value.detach().double().flatten().tolist()]]
    if isinstance(value, list | tuple):
        return [plain(one, number) for one in value]
    if isinstance(value, BaseException):
        return type(value).__name__, str(value).splitlines()[0][:120].replace("lumbre", "torch")
    return value


def attempt(function):
    try:
        return function()
    except Exception as error:
        return error


def leaves_and_accumulation(m):
    x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    found = [x.grad, y.is_leaf, x.is_leaf, y.requires_grad, attempt(lambda: y.sum().backward())]
    found += [attempt(lambda: (x * 2).backward()), attempt(lambda: m.zeros(1).backward())]
    return [*found, attempt(lambda: (x * 2).backward(m.ones(2)))]


def in_place(m):
    x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y.mul_(3)
    y[0] = 7.0
    y.sum().backward()
    z = m.zeros(3)
    z[1] = x[2] * 5
    z.sum().backward()
    e = x.exp()
    e.add_(1)
    found = [x.grad, z.grad_fn.name(), attempt(lambda: e.sum().backward()), attempt(lambda: x.add_(1))]
    found += [attempt(lambda: x[0].mul_(2)), attempt(lambda: (x * 1).unbind(0)[0].mul_(2))]
    with m.no_grad():
        view = (x * 1)[:2]
        x.add_(1)
    return [*found, attempt(lambda: view.mul_(x[:2])), x]


def views(m):
    x = m.arange(6.0).requires_grad_()
    base = x * 1
    view = base.view(2, 3)
    view[0].mul_(2)
    base.add_(1)
    (view * view).sum().backward()
    return [x.grad, view, base.grad_fn.name(), view._base is base, attempt(lambda: view.detach_())]


def second_derivatives(m):
    x = m.tensor([0.5, 1.5], dtype=m.float64, requires_grad=True)
    (g,) = m.autograd.grad((x.sin() * x).sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x, create_graph=True)
    (i,) = m.autograd.grad(h.sum(), x)
    return [g, h, i, attempt(lambda: m.autograd.grad(x.sum(), m.ones(1, requires_grad=True)))]


def modes(m):
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        a = x * 2
        with m.enable_grad():
            b = x * 2
    with m.inference_mode():
        c = x * 2

    @m.no_grad()
    def decorated():
        return x * 2

    with m.set_grad_enabled(False):
        d = x * 2
    return [t.requires_grad for t in (a, b, c, decorated(), d)] + [c.is_inference(), attempt(lambda: (c * x).sum())]


def hooks(m):
    seen = []
    x = m.ones(2, requires_grad=True)
    y = x * 3
    handle = y.register_hook(lambda g: g * 2)
    y.retain_grad()
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    y.grad_fn.register_hook(lambda given, taken: seen.append([len(given), len(taken)]))
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return [seen, x.grad, y.grad]


def custom_functions(m):
    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx, a, b, scale):
            ctx.save_for_backward(a, b)
            ctx.scale = scale
            return a * b * scale, a + b

        @staticmethod
        def backward(ctx, g, h):
            a, b = ctx.saved_tensors
            return g * b * ctx.scale + h, g * a * ctx.scale + h, None

    class Exp(m.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            r = a.exp()
            ctx.save_for_backward(r)
            return r

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx, g):
            (r,) = ctx.saved_tensors
            return g * r

    class Wrong(Exp):
        @staticmethod
        def backward(ctx, g):
            return g, g

    a, b = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0], requires_grad=True)
    p, s = Product.apply(a, b, 2.0)
    (p * s).sum().backward()
    c = m.tensor([0.5], requires_grad=True)
    (g,) = m.autograd.grad(Exp.apply(c).sum(), c, create_graph=True)
    found = [p.grad_fn.name(), a.grad, b.grad, g, attempt(lambda: m.autograd.grad(g.sum(), c))]
    return [*found, attempt(lambda: Wrong.apply(c).sum().backward())]


def functional(m):
    f = m.autograd.functional
    x, y = m.tensor([0.5, 1.5, -1.0]), m.tensor([2.0, 3.0])
    found = [f.jacobian(lambda a, b: (a.exp().sum() * b, a * 2), (x, y)), f.hessian(lambda a: (a**3).sum() * a[0], x)]
    found += [f.vjp(lambda a: a.exp(), x, m.ones(3)), f.jvp(lambda a: a.exp() * a[0], x, m.ones(3))]
    return [*found, f.vhp(lambda a: (a**3).sum(), x, m.ones(3)), f.hvp(lambda a: (a**3).sum(), x, m.ones(3))]


def transforms(m):
    from importlib import import_module

    func = import_module(f"{m.__name__}.func")
    x = m.tensor([0.5, 1.5, -1.0])
    cube = lambda v: (v**3).sum()  # noqa: E731
    found = [func.grad(cube)(x), func.vmap(func.grad(cube))(m.arange(6.0).view(2, 3)), func.jacrev(m.exp)(x)]
    found += [func.hessian(cube)(x), func.grad_and_value(cube)(x), func.grad(func.grad(lambda v: v**4))(x[0])]
    return [*found, func.jvp(m.sin, (x,), (m.ones(3),)), func.vmap(m.dot, in_dims=(0, None))(m.ones(2, 3), x)]


def checkpoints(m):
    from importlib import import_module

    checkpoint = import_module(f"{m.__name__}.utils.checkpoint").checkpoint
    found = []
    for reentrant in (True, False):
        m.manual_seed(0)
        w, x = m.randn(3, 3, requires_grad=True), m.randn(3, requires_grad=True)
        out = checkpoint(lambda v: m.nn.functional.dropout((w @ v).tanh(), 0.5), x, use_reentrant=reentrant)  # noqa: B023
        out.sum().backward()
        found += [out, w.grad, x.grad]
    return found


def anomalies(m):
    with m.autograd.set_detect_anomaly(True):
        return attempt(lambda: (m.zeros(1, requires_grad=True).sqrt() * 0).backward())


@pytest.mark.parametrize(
    "program",
    [
        leaves_and_accumulation, in_place, views, second_derivatives, modes, hooks, custom_functions, functional,
        transforms, checkpoints, anomalies,
    ],
)  # fmt: skip
def test_program(program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, found = plain(program(torch), close_to), plain(program(lumbre))
    assert found == expected


def test_gradcheck_tells_right_from_wrong():
    class Wrong(lumbre.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g

    x = lumbre.randn(3, dtype=lumbre.float64, requires_grad=True)
    assert lumbre.autograd.gradcheck(lambda v: (v.sin() * v).sum(), x)
    assert lumbre.autograd.gradgradcheck(lambda v: v.sin() * v, x)
    assert not lumbre.autograd.gradcheck(Wrong.apply, x, raise_exception=False)


def test_a_deep_graph_is_walked_and_freed():
    x = lumbre.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    z = x
    for _ in range(100_000):
        z = z * 1
    del z


def test_a_dropped_graph_frees_its_memory():
    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)

    class Holds(lumbre.autograd.Function):
        @staticmethod
        def forward(ctx, x, held):
            ctx.held = held
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2, None

    y = Holds.apply(lumbre.ones(1, requires_grad=True), kept)
    del kept
    assert gone() is not None
    del y
    gc.collect()
    assert gone() is None


@pytest.mark.sweep
def test_long_training_does_not_grow():
    net = lumbre.nn.Sequential(lumbre.nn.Linear(2, 8), lumbre.nn.Tanh(), lumbre.nn.Linear(8, 1))
    optimizer = lumbre.optim.Adam(net.parameters())
    x, y = lumbre.randn(4, 2), lumbre.randn(4, 1)

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            lumbre.nn.functional.mse_loss(net(x), y).backward()
            optimizer.step()

    steps(5_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps(95_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000  # kilobytes


@pytest.mark.parametrize("name", ["view_as", "reshape_as", "expand_as"])
def test_what_lends_its_sizes_takes_no_part(name):
    x, other = torch.ones(2), torch.ones(2, requires_grad=True)
    assert not getattr(x, name)(other).requires_grad
    view = getattr(other, name)(x)
    assert view.grad_fn.name() == ("ExpandBackward0" if name == "expand_as" else "ViewBackward0")
    view.sum().backward()
    assert torch.equal(other.grad, torch.ones(2))
