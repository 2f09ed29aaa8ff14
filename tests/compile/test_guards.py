"""What a recording holds for: anything that the program read must be as it was, or the call is recorded anew."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref

import pytest

import lumbre as torch

nn, F = torch.nn, torch.nn.functional


@pytest.fixture(autouse=True)
def no_refusals():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def settle(compiled, *args, **kwargs):
    for _ in range(3):
        result = compiled(*args, **kwargs)
    return result


def test_shapes_and_dtypes():
    compiled = torch.compile(lambda x: x * x.shape[0] + x.dim())
    for size in (2, 3, 2, 4, 3):
        assert compiled(torch.ones(size)).tolist() == [size + 1.0] * size
    assert compiled(torch.ones(2, 2)).tolist() == [[4.0, 4.0]] * 2
    assert compiled(torch.ones(2, dtype=torch.int64)).dtype is torch.int64
    assert compiled(torch.ones(2, dtype=torch.float64)).dtype is torch.float64


def test_strides_and_gradients_of_arguments():
    compiled = torch.compile(lambda x: (x * 1).view(-1) if x.is_contiguous() else x.t() * 2)
    a = torch.arange(4.0).view(2, 2)
    settle(compiled, a)
    assert compiled(a.t()).tolist() == [[0.0, 2.0], [4.0, 6.0]]
    assert settle(compiled, a.clone().requires_grad_()).requires_grad
    assert not compiled(a).requires_grad


def test_numbers_and_text():
    compiled = torch.compile(lambda x, k=1, name="a": x * k if name == "a" else x - k, recompile_limit=50)
    one = torch.ones(1)
    for k in (1, 2, 1, 2.5, True, -0.0, 0.0):
        assert compiled(one, k).item() == k
        if k is not True:
            assert compiled(one, k=k, name="b").item() == 1 - k
    signs = [torch.copysign(one, compiled(one, k)).item() for k in (0.0, -0.0)]
    assert signs == [1.0, -1.0]


def test_the_same_tensor_twice():
    compiled = torch.compile(lambda x, y: x if x is y else y)
    a, b = torch.ones(2), torch.zeros(2)
    assert settle(compiled, a, b) is b
    assert settle(compiled, a, a) is a
    assert compiled(b, a) is a and compiled(b, b) is b


def test_a_parameter_as_an_argument():
    w = torch.ones(2)
    compiled = torch.compile(lambda x: (w * 2, x is w)[1])
    assert settle(compiled, torch.ones(2)) is False
    assert compiled(w) is True


def test_training_flag():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    compiled = torch.compile(model)
    x = torch.randn(6, 4)
    settle(compiled, x)
    model.eval()
    assert torch.equal(settle(compiled, x), model(x))
    mean = model[1].running_mean.clone()
    compiled(x)
    assert torch.equal(mean, model[1].running_mean)
    compiled.train()
    assert model.training
    torch.manual_seed(1)
    first = compiled(x)
    torch.manual_seed(1)
    assert torch.equal(first, model(x))


def test_learning_rates():
    w, twin = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    steps, others = torch.optim.SGD([w], lr=0.1, momentum=0.9), torch.optim.SGD([twin], lr=0.1, momentum=0.9)
    schedules = [torch.optim.lr_scheduler.StepLR(one, 3, 0.5) for one in (steps, others)]

    def step(w, optimizer):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    compiled = torch.compile(lambda: step(w, steps))
    for _ in range(15):
        compiled()
        step(twin, others)
        for schedule in schedules:
            schedule.step()
        assert torch.equal(w, twin)


def test_replaced_parameters_and_modules():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    compiled = torch.compile(model)
    x = torch.ones(1, 2)
    settle(compiled, x)
    model[0].weight = nn.Parameter(torch.ones(2, 2))
    assert compiled(x).tolist() == [[2.0, 2.0]]
    settle(compiled, x)
    model[0] = nn.Tanh()
    assert torch.equal(compiled(x), x.tanh())
    settle(compiled, x)
    model.append(nn.ReLU())
    assert torch.equal(compiled(-x), torch.zeros(1, 2))


def test_data_of_a_parameter():
    w = nn.Parameter(torch.ones(2))
    compiled = torch.compile(lambda x: x * w)
    settle(compiled, torch.ones(2))
    w.data = torch.full((2,), 3.0)
    assert compiled(torch.ones(2)).tolist() == [3.0, 3.0]
    w.data = torch.full((3,), 4.0)
    assert compiled(torch.ones(3)).tolist() == [4.0] * 3
    w.requires_grad_(False)
    assert not compiled(torch.ones(3)).requires_grad


factor = 2.0


def scaled(x):
    return x * factor


def helper(x):
    return scaled(x) + 1


def test_globals(monkeypatch):
    compiled = torch.compile(helper)
    one = torch.ones(1)
    assert settle(compiled, one).item() == 3
    monkeypatch.setitem(globals(), "factor", 5.0)
    assert compiled(one).item() == 6
    monkeypatch.setitem(globals(), "scaled", lambda x: x - 1)
    assert settle(compiled, one).item() == 1
    monkeypatch.setattr(torch.Tensor, "__mul__", torch.Tensor.__mul__)


def test_functions_of_the_package(monkeypatch):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    compiled = torch.compile(model)
    x = torch.randn(3, 2)
    settle(compiled, x)
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x * 0 + 7)
    assert compiled(x).tolist() == [[7.0, 7.0]] * 3


def test_closures_defaults_and_attributes():
    class Settings:
        scale = 2
        items = [1, 2]

        def __init__(self):
            self.offset = 0
            self.table = {"k": 1.0}
            self.names = {"a"}

        @property
        def twice(self):
            return self.scale * 2

    own, bias = Settings(), 0

    def function(x, *, extra=0):
        y = x * own.twice + own.offset + own.table["k"] + bias + sum(own.items)
        return y + (1 if "b" in own.names else 0) + extra

    compiled = torch.compile(function)
    zero = torch.zeros(1)

    def check():
        for _ in range(3):
            assert compiled(zero + 1).item() == function(zero + 1).item()

    check()
    own.offset = 5
    check()
    own.table["k"] = 3.0
    check()
    bias = 4
    check()
    own.names.add("b")
    check()
    own.items.append(9)
    check()
    Settings.scale = 10
    check()
    own.scale = 11
    torch.compiler.reset()
    check()
    function.__kwdefaults__["extra"] = 100
    check()


def test_hooks():
    model = nn.Linear(2, 2)
    compiled = torch.compile(model)
    x = torch.ones(1, 2)
    settle(compiled, x)
    handle = model.register_forward_hook(lambda module, args, result: result * 0)
    assert compiled(x).tolist() == [[0.0, 0.0]]
    handle.remove()
    assert torch.equal(compiled(x), model(x))
    settle(compiled, x)
    seen = []
    with torch.no_grad():
        pass
    model.weight.register_hook(lambda g: seen.append(g) or g * 2)
    compiled(x).sum().backward()
    assert len(seen) == 1 and model.weight.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_hooks_for_all_modules():
    model = nn.Sequential(nn.ReLU())
    compiled = torch.compile(lambda x: model(x))  # a compiled module is one more that hooks see, as in PyTorch
    settle(compiled, torch.ones(2))
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, result: result + 1)
    try:
        assert torch.equal(compiled(torch.ones(2)), model(torch.ones(2)))
    finally:
        handle.remove()
    assert torch.equal(compiled(torch.ones(2)), torch.ones(2))


def test_tensor_hooks_see_every_backward():
    w = torch.ones(2, requires_grad=True)

    def step():
        w.grad = None
        (w * 3).sum().backward()

    compiled = torch.compile(step)
    settle(compiled)
    seen = []
    handle = w.register_hook(lambda g: seen.append(1) or g * 10)
    compiled()
    assert seen == [1] and w.grad.tolist() == [30.0, 30.0]
    handle.remove()
    compiled()
    assert seen == [1] and w.grad.tolist() == [3.0, 3.0]


def test_default_dtype_and_modes():
    compiled = torch.compile(lambda x: x + torch.zeros(1) * 0.5)
    x = torch.ones(1, dtype=torch.int64)
    assert settle(compiled, x).dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert compiled(x).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    w = torch.ones(1, requires_grad=True)
    product = torch.compile(lambda x: x * w)
    assert settle(product, x).requires_grad
    with torch.no_grad():
        assert not product(x).requires_grad
    with torch.autocast("cpu"):
        matmul = torch.compile(lambda a: a @ a)
        settle(matmul, torch.ones(2, 2))
    assert settle(matmul, torch.ones(2, 2)).dtype is torch.float32
    with torch.autocast("cpu"):
        assert matmul(torch.ones(2, 2)).dtype is torch.bfloat16


# --- what is left behind ---------------------------------------------------------------------------------------------


def test_results_stay_as_they_are():
    compiled = torch.compile(lambda x: (x * 2, (x * 2).view(-1)[1:], x.sum()))
    results = [compiled(torch.full((2, 2), float(i))) for i in range(6)]
    for i, (a, b, c) in enumerate(results):
        assert a.tolist() == [[2.0 * i] * 2] * 2 and b.tolist() == [2.0 * i] * 3 and c.item() == 4.0 * i


def test_gradients_that_are_held_stay_as_they_are():
    w = torch.ones(2, requires_grad=True)

    def step(x):
        w.grad = None
        (w * x).sum().backward()

    compiled = torch.compile(step)
    held = []
    for i in range(6):
        compiled(torch.full((2,), float(i)))
        held.append(w.grad)
    assert [g.tolist() for g in held] == [[float(i)] * 2 for i in range(6)]


def test_writes_to_arguments():
    compiled = torch.compile(lambda x: x.add_(1).mul_(2))
    for _ in range(5):
        x = torch.ones(2)
        assert compiled(x) is x and x.tolist() == [4.0, 4.0] and x._version == 2


def test_a_loss_whose_graph_is_gone():
    w = torch.ones(2, requires_grad=True)

    def step():
        loss = (w * w).sum()
        loss.backward()
        return loss

    compiled = torch.compile(step)
    for _ in range(4):
        loss = compiled()
        assert loss.grad_fn.name() == "SumBackward0" and loss.requires_grad
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_exceptions_leave_what_was_done():
    model = nn.Embedding(3, 2)
    count = torch.zeros(1)

    def function(ids):
        count.add_(1)
        with torch.no_grad():
            return model(ids)

    compiled = torch.compile(function)
    settle(compiled, torch.tensor([0, 1]))
    with pytest.raises(IndexError):
        compiled(torch.tensor([0, 9]))
    assert count.item() == 4 and torch.is_grad_enabled()
    assert compiled(torch.tensor([2, 2])).shape == (2, 2) and compiled._recordings == 1


def test_exceptions_while_recording():
    def function(x):
        if x.shape[0] == 3:
            raise ValueError("three")
        return x * 2

    compiled = torch.compile(function)
    for _ in range(4):
        with pytest.raises(ValueError, match="three"):
            compiled(torch.ones(3))
        assert compiled(torch.ones(2)).tolist() == [2.0, 2.0]


def test_compiled_functions_inside_of_compiled_functions():
    inner = torch.compile(lambda x: x * 2)
    outer = torch.compile(lambda x: inner(x) + inner(x + 1))
    for i in range(5):
        assert outer(torch.ones(1) * i).item() == 4 * i + 2
        assert inner(torch.ones(1) * i).item() == 2 * i
    assert outer._recordings == inner._recordings == 1


def test_recursion():
    def countdown(x, n):
        return x if n == 0 else compiled(x + 1, n - 1)

    compiled = torch.compile(countdown)
    for _ in range(4):
        assert compiled(torch.zeros(1), 3).item() == 3


def test_methods_and_decorators():
    class Model:
        def __init__(self, k):
            self.k = k

        @torch.compile
        def scale(self, x):
            return x * self.k

        @torch.compile(fullgraph=True)
        def shift(self, x):
            "adds"
            return x + self.k

    a, b = Model(2), Model(3)
    for _ in range(4):
        assert a.scale(torch.ones(1)).item() == 2 and b.scale(torch.ones(1)).item() == 3
        assert a.shift(torch.ones(1)).item() == 3 and b.shift(torch.ones(1)).item() == 4
    assert Model.shift.__doc__ == "adds" and Model.shift.__name__ == "shift"


def test_threads():
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))
    compiled = torch.compile(model)
    inputs = [torch.randn(200, 64) for _ in range(8)]
    with torch.no_grad():
        expected = [model(x) for x in inputs]
        settle(compiled, inputs[0])
    wrong = []

    def work(k):
        with torch.no_grad():
            for i in range(30):
                j = (i + k) % len(inputs)
                if not torch.equal(compiled(inputs[j]), expected[j]):
                    wrong.append(j)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_held():
    model = nn.Linear(4, 4)
    compiled = torch.compile(model)
    x = torch.randn(2, 4)
    settle(compiled, x)
    inputs = [weakref.ref(x)]
    result = weakref.ref(compiled(x))
    del x
    gc.collect()
    assert result() is None and inputs[0]() is None
    gone = weakref.ref(model)
    del model, compiled
    gc.collect()
    assert gone() is None


def test_steps_do_not_pile_up_memory():
    import resource

    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    steps = torch.optim.Adam(model.parameters())
    x, y = torch.randn(4, 8), torch.randn(4, 1)

    def step():
        steps.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        steps.step()
        return loss

    compiled = torch.compile(step)
    for _ in range(2000):
        compiled()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20000):
        compiled()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2000


def test_hooks_of_all_optimizers():
    w = torch.ones(1, requires_grad=True)
    steps = torch.optim.SGD([w], lr=1.0)

    def step():
        steps.zero_grad()
        (w * 2).sum().backward()
        steps.step()

    compiled = torch.compile(step)
    settle(compiled)
    seen = []
    handle = torch.optim.optimizer.register_optimizer_step_post_hook(lambda *args: seen.append(1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled()
    finally:
        handle.remove()
    assert seen == [1] and w.item() == 1 - 2.0 * 4


def test_attributes_of_tensors():
    w = torch.ones(2)
    compiled = torch.compile(lambda x: x * (2 if hasattr(w, "special") else 1))
    assert settle(compiled, w + 0).tolist() == [1.0, 1.0]
    w.special = True
    assert compiled(w + 0).tolist() == [2.0, 2.0]


def test_numbers_of_numpy():
    import numpy

    scale = numpy.float64(3.0)
    compiled = torch.compile(lambda x: x * scale)
    assert settle(compiled, torch.ones(1)).item() == 3 and compiled._recordings == 1
    scale = numpy.float64(4.0)
    assert compiled(torch.ones(1)).item() == 4


def test_gradients_of_a_leaf_by_itself():
    """The root's gradient is made by the engine, and is handed out."""
    x = torch.ones((), requires_grad=True)
    compiled = torch.compile(lambda: torch.autograd.grad(x, x)[0])
    for _ in range(5):
        result = compiled()
        assert result.item() == 1
        result.mul_(7)


def test_detached_results_are_new():
    compiled = torch.compile(lambda x: ((x * 2).detach(), (x * 3).data, (x * 4)[:1].clone()))
    results = [compiled(torch.full((2,), float(i))) for i in range(5)]
    assert [[t.tolist()[0] for t in r] for r in results] == [[2.0 * i, 3.0 * i, 4.0 * i] for i in range(5)]


@pytest.mark.parametrize("size", [8, 5000])
def test_arguments_that_overlap(size):
    """Recorded with memory of their own, and then called with views of one memory."""

    def function(a, b):
        a.mul_(2)
        c = a + b
        d = c * 2 - a
        return c, d

    compiled = torch.compile(function)
    for _ in range(3):
        compiled(torch.ones(size), torch.ones(size))
    for shift in (0, 1, 3):
        memory, twin = torch.arange(size + 3.0), torch.arange(size + 3.0)
        got = compiled(memory[3:], memory[3 - shift : 3 - shift + size])
        expected = function(twin[3:], twin[3 - shift : 3 - shift + size])
        assert torch.equal(memory, twin) and all(map(torch.equal, got, expected))
    added = torch.compile(lambda a, b: a.add_(b))
    for _ in range(3):
        added(torch.ones(size), torch.ones(size))
    memory = torch.ones(size + 1)
    with pytest.raises(RuntimeError, match="single memory location"):
        added(memory[1:], memory[:-1])


def test_several_backward_runs():
    w, twin = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)

    def step(w, x):
        loss = (w * x).tanh().sum()
        loss.backward(retain_graph=True)
        loss.backward()
        (w.exp() * x).sum().backward()
        with torch.no_grad():
            w.sub_(w.grad, alpha=0.1)
        w.grad.zero_()
        return loss.detach(), w.grad * 1

    compiled = torch.compile(lambda x: step(w, x))
    for _ in range(6):
        x = torch.randn(3)
        a, b = compiled(x), step(twin, x)
        assert torch.equal(a[0], b[0]) and torch.equal(w, twin) and torch.equal(w.grad, twin.grad)
    assert w._version == twin._version


def test_gradients_of_arguments_inside():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        (w * x * x).sum().backward()
        return x.grad

    compiled = torch.compile(function)
    held = []
    for i in range(6):
        x = torch.full((3,), float(i), requires_grad=True)
        held.append(compiled(x))
        assert held[-1] is x.grad
        if i == 4:
            assert compiled(x) is x.grad and x.grad.tolist() == [16.0] * 3
    assert [g.tolist()[0] for g in held] == [0.0, 2.0, 4.0, 6.0, 16.0, 10.0]
    assert w.grad.tolist() == [float(sum(i * i for i in range(6)) + 16)] * 3


def test_blocks_without_gradients_around_functions():
    model = nn.Linear(2, 2)

    @torch.no_grad()
    def inner(x):
        return model(x)

    compiled = torch.compile(lambda x: inner(x) + model(x))
    for _ in range(4):
        assert compiled(torch.ones(1, 2)).grad_fn.name() == "AddBackward0"
    assert compiled._recordings == 1
