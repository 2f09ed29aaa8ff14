"""The parts that programs import for their names: what works does, and the rest is refused where it would be used."""

from __future__ import annotations

import pytest

import lumbre
from lumbre import _absent

torch = pytest.importorskip("torch", reason="PyTorch is the reference")


def both(function):
    """What a function of the library gives under both."""
    return [function(library) for library in (lumbre, torch)]


# --- frequencies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
@pytest.mark.parametrize("arguments", [(1,), (4,), (5,), (6, 0.25), (0,), (3, 0.0)])
def test_frequencies(name, arguments):
    ours, theirs = both(lambda library: getattr(__import__(library.__name__ + ".fft").fft, name)(*arguments))
    assert ours.dtype is lumbre.float32
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 1)])
def test_shifts(name, dim):
    ours, theirs = both(
        lambda library: getattr(__import__(library.__name__ + ".fft").fft, name)(library.arange(12).reshape(3, 4), dim)
    )
    assert ours.tolist() == theirs.tolist()


def test_transforms_say_that_they_are_complex():
    with pytest.raises(NotImplementedError, match=r"torch\.fft\.rfft: Lumbre has no complex numbers"):
        lumbre.fft.rfft(lumbre.ones(4))
    for given in ("a", 1.5, None):
        with pytest.raises(TypeError, match="must be int"):
            lumbre.fft.fftfreq(given)
    with pytest.raises(RuntimeError):
        lumbre.fft.fftfreq(-1)


# --- names that are asked about ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer"])
def test_nothing_is_a_graph_and_none_can_be_made(name):
    kind = getattr(lumbre.fx, name)
    assert not isinstance(lumbre.nn.Linear(1, 1), kind)
    with pytest.raises(NotImplementedError, match=f"torch.fx.{name}"):
        kind()

    class Own(kind):
        pass

    with pytest.raises(NotImplementedError):
        Own()


def test_wrap_is_the_function_itself():
    assert lumbre.fx.wrap(len) is len and lumbre.fx.wrap("len") == "len"
    with pytest.raises(RuntimeError):
        lumbre.fx.wrap(3)
    with pytest.raises(NotImplementedError):
        lumbre.fx.symbolic_trace(lumbre.nn.ReLU())


def test_refused_names_carry_their_reason():
    function = _absent.refused_function("a.b", "because")
    assert function.__name__ == "b" and "because" in function.__doc__
    with pytest.raises(NotImplementedError, match=r"torch\.a\.b: because"):
        function(1, x=2)


def test_float8_limits_are_pytorchs():
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"):
        ours, theirs = both(lambda library, name=name: library.finfo(getattr(library, name)))
        assert repr(ours) == repr(theirs)


def test_hints_of_classes_can_be_asked_for():
    import typing

    for kind in (lumbre.nn.Linear, lumbre.nn.Transformer, lumbre.optim.Adam, lumbre.utils.data.DataLoader):
        typing.get_type_hints(kind)
    assert lumbre.FloatTensor | None


def test_packages_that_load_late_show_everything_to_who_walks_them():
    for package in ("distributions", "optim"):
        ours, theirs = both(
            lambda library, package=package: {
                name for name, value in getattr(library, package).__dict__.items() if isinstance(value, type)
            }
        )
        assert {name for name in theirs if name[0].isupper() and name not in ("SparseAdam",)} <= ours


# --- futures ----------------------------------------------------------------------------------------------------------


def test_futures():
    from lumbre.futures import Future, collect_all, wait_all

    future, seen = Future(), []
    doubled = future.then(lambda done: 2 * done.value())
    future.add_done_callback(lambda done: seen.append(done.wait()))
    assert not future.done()
    with pytest.raises(RuntimeError):
        future.value()
    future.set_result(3)
    assert (future.wait(), doubled.wait(), seen) == (3, 6, [3])
    with pytest.raises(RuntimeError, match="Future"):
        future.set_result(4)
    failed = future.then(lambda done: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failed.wait()
    assert [one.value() for one in collect_all([future, doubled]).wait()] == wait_all([future, doubled]) == [3, 6]
    assert collect_all([]).wait() == []


# --- operators that programs define -----------------------------------------------------------------------------------


def define(library):
    import importlib

    part = importlib.import_module(library.__name__ + ".library")
    tensor = library.Tensor
    space = f"test_{library.__name__}"

    def twice(x, k=2):
        return x * k

    def sums(xs):
        return xs[0] + xs[1], xs[0] - xs[1]

    twice.__annotations__ = {"x": tensor, "k": int, "return": tensor}
    sums.__annotations__ = {"xs": list[tensor], "return": tuple[tensor, tensor]}
    made = [part.custom_op(f"{space}::{each.__name__}", each, mutates_args=()) for each in (twice, sums)]
    return space, part, made


@pytest.fixture(scope="module")
def operators():
    return {library: define(library) for library in (lumbre, torch)}


def test_defined_operators_run_and_have_schemas(operators):
    for library, (space, part, (twice, _)) in operators.items():
        x = library.arange(3.0)
        assert twice(x, k=3).tolist() == [0, 3, 6]
        assert getattr(library.ops, space).twice(x).tolist() == [0, 2, 4]
        assert getattr(library.ops, space).twice.default(x, 5).tolist() == [0, 5, 10]
        assert part.infer_schema(twice._init_fn, mutates_args=()) == "(Tensor x, SymInt k=2) -> Tensor"


def test_defined_operators_refuse_what_does_not_fit(operators):
    for attempt in (
        lambda library, space, twice: twice(1),
        lambda library, space, twice: twice(library.ones(1), 1, 2),
        lambda library, space, twice: twice(library.ones(1), q=1),
        lambda library, space, twice: getattr(library.ops, space).nope,
        lambda library, space, twice: getattr(library.ops, space).twice.foo,
        lambda library, space, twice: library.ops.aten.nope,
        lambda library, space, twice: library.ops.load_library("nowhere.so"),
        lambda library, space, twice: twice(library.ones(1, requires_grad=True)).sum().backward(),
    ):
        raised = []
        for library, (space, _, (twice, _)) in operators.items():
            with pytest.raises(Exception) as caught:
                attempt(library, space, twice)
            raised.append(caught.type)
        assert raised[0] is raised[1]


def test_gradients_of_defined_operators(operators):
    found = []
    for library, (_, _, (twice, sums)) in operators.items():
        twice.register_autograd(
            lambda ctx, g: (g * ctx.k, None), setup_context=lambda ctx, inputs, output: setattr(ctx, "k", inputs[1])
        )
        sums.register_autograd(lambda ctx, a, b: ([a + b, a - b],))
        x = library.ones(2, requires_grad=True)
        y = twice(x, 3)
        y.sum().backward()
        p, q = (library.ones(1, requires_grad=True) for _ in range(2))
        a, b = sums([p, q])
        (a + 2 * b).sum().backward()
        name = type(y.grad_fn).__name__.replace(f"test_{library.__name__}", "space")
        found.append((x.grad.tolist(), p.grad.tolist(), q.grad.tolist(), name))
    assert found[0] == found[1]


def test_operators_of_the_package_by_name():
    x = lumbre.arange(6.0).reshape(2, 3)
    aten = lumbre.ops.aten
    assert aten.add.Tensor(x, x).tolist() == (x + x).tolist()
    assert (
        aten.slice.Tensor(x, 1, 1, 3).tolist()
        == torch.ops.aten.slice.Tensor(torch.arange(6.0).reshape(2, 3), 1, 1, 3).tolist()
    )
    assert aten.alias.default(x).data_ptr() == x.data_ptr()
    assert str(aten.add.Tensor) == str(torch.ops.aten.add.Tensor) == "aten.add.Tensor"
    assert aten.add.Tensor is aten.add.Tensor and {aten.add.Tensor: 1}
    with pytest.raises(NotImplementedError):
        aten._sparse_addmm.default(x, x, x)


# --- the functions under the layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda t, x: t.max_pool2d(x, 2), lambda t, x: t.max_pool1d(x[0], 2, 1), lambda t, x: t.dropout(x, 0.5, True),
        lambda t, x: t.alpha_dropout(x, 0.5, True), lambda t, x: t.feature_dropout(x, 0.5, True),
        lambda t, x: t.native_dropout(x, 0.3, True), lambda t, x: t.grid_sampler(x, x.permute(0, 2, 3, 1)[..., :2], 0, 1, True),
        lambda t, x: t.adaptive_max_pool1d(x[0], 2), lambda t, x: t.rrelu(x - 0.5), lambda t, x: t.norm_except_dim(x, 2, 1),
        lambda t, x: t.native_group_norm(x, None, None, 2, 4, 16, 2, 1e-5),
        lambda t, x: t.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5),
        lambda t, x: t.hinge_embedding_loss(x, x.sign(), 1.0, 2), lambda t, x: t.kl_div(x, x, 0),
        lambda t, x: t.binary_cross_entropy_with_logits(x, x), lambda t, x: t.pdist(x[0, 0]),
        lambda t, x: t.poisson_nll_loss(x, x, True, False, 1e-8, 1), lambda t, x: t.margin_ranking_loss(x, x, x.sign(), 0.1),
        lambda t, x: t._softmax_backward_data(x, x.softmax(1), 1, t.float32),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_functions_under_the_layers(call):
    def run(library):
        library.manual_seed(3)
        x = library.rand(2, 4, 4, 4)
        result = call(library, x)
        return [each.tolist() for each in (result if isinstance(result, tuple) else (result,))]

    ours, theirs = both(run)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(
            torch.tensor(mine, dtype=torch.float64), torch.tensor(other, dtype=torch.float64), atol=1e-5
        )
