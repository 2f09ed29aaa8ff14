"""Programs that cannot be recorded: they run as written, with the results of eager calls, and say so once."""

from __future__ import annotations

import random
import time
import warnings

import numpy
import pytest

import lumbre as torch

nn, F = torch.nn, torch.nn.functional
CALLS = 6


def compiled_and_warned(function, arguments):
    """Results of several calls, and what was said meanwhile."""
    compiled = torch.compile(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = [compiled(*arguments(i)) for i in range(CALLS)]
    return compiled, results, [str(one.message) for one in caught if "torch.compile" in str(one.message)]


def numbers(i):
    torch.manual_seed(i)
    return (torch.randn(3),)


def by_item(x):
    return x * x.sum().item()


def by_bool(x):
    return x if x.sum() > 0 else -x


def by_float(x):
    return x * float(x[0])


def by_int(x):
    return x * int(x[0] * 10)


def by_tolist(x):
    return x * sum(x.tolist())


def by_numpy(x):
    return x + torch.from_numpy(x.numpy() * 2)


def by_array(x):
    return x + torch.tensor(numpy.asarray(x).max())


def by_index(x):
    return x * torch.arange(3)[x.argmax()]


def by_slice(x):
    return x[: int(x.argmax()) + 1]


def by_scalar_argument(x):
    return torch.add(x, x, alpha=x[0])


def by_contains(x):
    return x * (1 if 5 in x else 2)


def by_new_tensor(x):
    return torch.tensor([x[0], 1.0])


def by_format(x):
    return x * len(f"{x.sum():.3f}")


def by_repr(x):
    return x * len(repr(x))


def by_pointer(x):
    return x * (x.data_ptr() % 2 + 1)


def by_version(x):
    return x * (x._version + 1)


def by_equal(x):
    return x * 2 if torch.equal(x, x.abs()) else x


def by_allclose(x):
    return x * 2 if torch.allclose(x, x.abs()) else x


def by_storage(x):
    return x * x.untyped_storage()[0]


READS = [
    by_item, by_bool, by_float, by_int, by_tolist, by_numpy, by_array, by_index, by_slice, by_scalar_argument, by_contains,
    by_new_tensor, by_format, by_repr, by_equal, by_allclose, by_storage,
]  # fmt: skip


@pytest.mark.parametrize("function", READS, ids=lambda f: f.__name__)
def test_reading_elements_is_refused(function):
    _, results, said = compiled_and_warned(function, numbers)
    for i, result in enumerate(results):
        assert torch.equal(result, function(*numbers(i)))
    assert len(said) == 1 and function.__name__ in said[0]


def sized_by_mask(x):
    return x[x > 0]


def sized_by_nonzero(x):
    return (x > 0).nonzero()


def sized_by_select(x):
    return x.masked_select(x > 0)


def sized_by_unique(x):
    return torch.unique(x.sign())


def sized_by_repeats(x):
    return x.repeat_interleave((x > 0).long())


def sized_by_counts(x):
    return torch.bincount((x.abs() * 3).long())


def sized_by_where(x):
    return torch.where(x > 0)[0]


def sized_by_argwhere(x):
    return torch.argwhere(x > 0)


def sized_by_splits(x):
    return x.tensor_split((x > 0).sum().reshape(1).repeat(2))[0]


SIZED = [
    sized_by_mask, sized_by_nonzero, sized_by_select, sized_by_unique, sized_by_repeats, sized_by_counts, sized_by_where,
    sized_by_argwhere, sized_by_splits,
]  # fmt: skip


@pytest.mark.parametrize("function", SIZED, ids=lambda f: f.__name__)
def test_sizes_of_data_are_refused(function):
    _, results, said = compiled_and_warned(function, numbers)
    for i, result in enumerate(results):
        assert torch.equal(result, function(*numbers(i)))
    assert len(said) == 1


def test_every_operator_that_decides_by_elements_says_so():
    """Results of one geometry for all elements, or a mark in the record: what is not marked may be recorded."""
    marked = {name.partition("(")[0] for name, decides in torch._C._decisions() if decides}
    assert {"nonzero", "masked_select", "repeat_interleave", "bincount", "equal", "is_nonzero", "_index"} <= marked
    assert not {"add", "relu", "sum", "sort", "matmul", "_sgd_update"} & marked


# --- effects ---------------------------------------------------------------------------------------------------------


class Counter:
    all = 0

    def __init__(self):
        self.calls = 0
        self.kept = []
        self.table = {}


@pytest.mark.parametrize(
    "effect",
    ["attribute", "append", "entry", "global", "closure", "class", "function", "print", "random", "time", "numpy"],
)
def test_effects_happen_at_every_call(effect, capsys):
    own = Counter()
    count = 0

    def function(x):
        nonlocal count
        global _global_count
        if effect == "attribute":
            own.calls += 1
        elif effect == "append":
            own.kept.append(1)
        elif effect == "entry":
            own.table["last"] = x
        elif effect == "global":
            _global_count += 1
        elif effect == "closure":
            count += 1
        elif effect == "class":
            Counter.all += 1
        elif effect == "function":
            counted.calls = getattr(counted, "calls", 0) + 1
        elif effect == "print":
            print("called")
        elif effect == "random":
            return x * random.random()
        elif effect == "time":
            return x * (time.perf_counter_ns() % 1000)
        elif effect == "numpy":
            return x * float(numpy.random.rand())
        return x * 2

    def counted():
        pass

    global _global_count
    _global_count = Counter.all = 0
    inputs = [torch.ones(2) * i for i in range(CALLS)]
    random.seed(0)
    numpy.random.seed(0)
    _, results, said = compiled_and_warned(function, lambda i: (inputs[i],))
    assert len(said) == 1, said
    if effect in ("random", "numpy"):
        random.seed(0)
        numpy.random.seed(0)
        expected = [x * (random.random() if effect == "random" else float(numpy.random.rand())) for x in inputs]
        assert all(torch.equal(a, b) for a, b in zip(results, expected, strict=True))
    elif effect != "time":
        assert all(torch.equal(a, x * 2) for a, x in zip(results, inputs, strict=True))
    done = {
        "attribute": own.calls, "append": len(own.kept), "global": _global_count, "closure": count, "class": Counter.all,
        "function": getattr(counted, "calls", 0),
        "print": capsys.readouterr().out.count("called"),
    }  # fmt: skip
    if effect in done:
        assert done[effect] == CALLS
    if effect == "entry":
        assert own.table["last"] is inputs[-1]


def test_a_tensor_that_is_kept_is_refused():
    own = Counter()

    def function(x):
        own.last = x + 1
        return own.last * 2

    _, results, said = compiled_and_warned(function, numbers)
    assert torch.equal(own.last * 2, results[-1]) and len(said) == 1


def test_a_tensor_made_elsewhere_is_not_mistaken_for_the_recorded_one():
    box = Counter()
    box.queue = [torch.ones(2) * i for i in range(CALLS)]

    def function(x):
        return x + box.queue.pop(0)

    _, results, said = compiled_and_warned(function, lambda i: (torch.zeros(2),))
    assert [one[0].item() for one in results] == list(range(CALLS)) and len(said) == 1


def test_exceptions_that_are_handled_are_refused():
    def function(x):
        try:
            return torch.linalg.cholesky(x)
        except RuntimeError:
            return x

    _, results, said = compiled_and_warned(function, lambda i: (torch.eye(2) * (1 if i < 3 else -1),))
    assert torch.equal(results[0], torch.eye(2)) and torch.equal(results[5], -torch.eye(2))
    assert len(said) == 1 and "exceptions" in said[0]


def test_custom_functions_are_refused():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 5

    w = torch.ones(2, requires_grad=True)

    def function(x):
        return Twice.apply(w * x).sum()

    _, results, said = compiled_and_warned(function, lambda i: (torch.ones(2) * i,))
    results[3].backward()
    assert len(said) == 1 and w.grad.tolist() == [15.0, 15.0]


def test_objects_of_unknown_types_are_refused():
    array = numpy.ones(3)

    def function(x):
        return x * array[0]

    compiled, _, said = compiled_and_warned(function, numbers)
    array[0] = 7.0
    assert compiled(torch.ones(3)).tolist() == [7.0] * 3 and len(said) == 1


def test_fullgraph_raises():
    compiled = torch.compile(by_item, fullgraph=True)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="item"):
        for i in range(CALLS):
            compiled(*numbers(i))


def test_generators_of_their_own_are_refused():
    generator = torch.Generator()
    generator.manual_seed(3)
    _, results, said = compiled_and_warned(
        lambda x: x + torch.rand(2, generator=generator), lambda i: (torch.zeros(2),)
    )
    again = torch.Generator()
    again.manual_seed(3)
    assert all(torch.equal(one, torch.rand(2, generator=again)) for one in results) and len(said) == 1


def test_seeding_inside_is_refused():
    def function(x):
        torch.manual_seed(5)
        return x + torch.rand(2)

    _, results, said = compiled_and_warned(function, lambda i: (torch.zeros(2),))
    assert all(torch.equal(one, results[0]) for one in results) and len(said) == 1


def test_the_limit_of_recordings_is_told_once():
    compiled = torch.compile(lambda x: x * 2, recompile_limit=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for size in [1, 1, 2, 3, 4, 5, 1, 2]:
            assert compiled(torch.ones(size)).tolist() == [2.0] * size
    assert len([one for one in caught if "recompile_limit" in str(one.message)]) == 1
    assert compiled._recordings == 2
