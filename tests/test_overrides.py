"""``__torch_function__``: one program run under both libraries, what it sees compared."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest

import lumbre

reference = pytest.importorskip("torch", reason="PyTorch is the reference")


def same(program):
    seen = []
    for library in (reference, lumbre):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library.manual_seed(0)
            seen.append(repr(program(library)).replace("lumbre.", "torch."))
    assert seen[1].split("), (") == seen[0].split("), (")


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return type(error).__name__, str(error).partition("\n")[0]


def logging_class(torch, log):
    class Logging(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append((func.__name__, [kind.__name__ for kind in types], len(args), sorted(kwargs or ())))
            return super().__torch_function__(func, types, args, kwargs or {})

    return Logging


def test_what_a_subclass_hears():
    def program(torch):
        log = []
        cls = logging_class(torch, log)
        x = torch.ones(2, 2).as_subclass(cls)
        i = torch.ones(2, 2, dtype=torch.int32).as_subclass(cls)
        plain = torch.ones(2, 2)
        calls = [
            lambda: x + 1, lambda: 1 + x, lambda: x + plain, lambda: plain + x, lambda: 1 - x, lambda: 2 / x,
            lambda: x // 2, lambda: 2**x, lambda: x @ plain, lambda: x == plain, lambda: x < 1, lambda: -x, lambda: ~i,
            lambda: i & 1, lambda: i << 1, lambda: x[0], lambda: x.__setitem__(0, 2.0), lambda: x.shape, lambda: x.dtype,
            lambda: x.T, lambda: x.data, lambda: x.grad, lambda: x.requires_grad, lambda: x.is_leaf, lambda: x.ndim,
            lambda: x.size(), lambda: x.size(0), lambda: x.dim(), lambda: x.stride(), lambda: x.numel(), lambda: len(x),
            lambda: bool(x[0, 0]), lambda: float(x[0, 0]), lambda: int(x[0, 0]), lambda: x.sum().item(),
            lambda: x.tolist(), lambda: x.detach(), lambda: x.clone(), lambda: x.to(torch.float64), lambda: x.max(dim=0),
            lambda: torch.add(x, 1), lambda: torch.cat([plain, x]), lambda: torch.nn.functional.linear(x, plain),
            lambda: x.add_(1), lambda: x.is_floating_point(), lambda: x.requires_grad_(False), lambda: x.unbind(),
            lambda: torch.stack((x, x)), lambda: x.is_contiguous(), lambda: x.storage_offset(), lambda: repr(x) and 1,
            lambda: torch.is_tensor(x), lambda: torch.mean(x, dim=0), lambda: x.new_zeros(2), lambda: format(x) and 1,
        ]  # fmt: skip
        seen = []
        for call in calls:
            log.clear()
            result = call()
            seen.append((list(log[:1]), type(result).__name__ if isinstance(result, torch.Tensor) else None))
        return seen

    same(program)


def test_results_keep_the_subclass():
    def program(torch):
        class Mine(torch.Tensor):
            pass

        class Below(Mine):
            pass

        x, y = torch.ones(3).as_subclass(Mine), torch.ones(3).as_subclass(Below)
        seen = [type(v).__name__ for v in (x + 1, x[0], x.T, x.sum(), torch.ones(3) + x, x + y, y + x, *x.split(1))]
        values = x.max(dim=0)
        seen += [type(values).__name__, type(values.values).__name__, type(x.shape).__name__, type(x.tolist()).__name__]
        seen += [repr(x), repr(x + 1), repr(x[0])]
        x.requires_grad_(True)
        seen += [repr(x * 2), type((x * 2).grad_fn).__name__]
        (x * 2).sum().backward()
        seen += [type(x.grad).__name__, x.grad.tolist()]
        seen += [type(x.detach()).__name__, type(torch.nn.Parameter(torch.ones(1)) * 2).__name__]
        with torch._C.DisableTorchFunctionSubclass():
            seen += [type(x + 1).__name__, type(x[0]).__name__]
        return seen

    same(program)


def test_classes_that_do_not_know_each_other():
    def program(torch):
        class A(torch.Tensor):
            pass

        class B(torch.Tensor):
            pass

        a, b = torch.ones(2).as_subclass(A), torch.ones(2).as_subclass(B)
        return [attempt(lambda: torch.add(a, b)), attempt(lambda: a + b), attempt(lambda: a.add(b))]

    same(program)


def test_plain_objects():
    def program(torch):
        handled = {}

        def implements(function):
            def note(f):
                handled[function] = f
                return f

            return note

        class Scalar:
            def __init__(self, size, value):
                self.size, self.value = size, value

            def __repr__(self):
                return f"Scalar({self.size}, {self.value})"

            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                if func not in handled or not all(issubclass(t, (torch.Tensor, Scalar)) for t in types):
                    return NotImplemented
                return handled[func](*args, **(kwargs or {}))

        @implements(torch.mean)
        def mean(input):
            return float(input.value) / input.size

        @implements(torch.Tensor.add)
        @implements(torch.add)
        def add(input, other):
            return ("added", input, other)

        s = Scalar(5, 2)
        seen = [torch.mean(s), torch.add(s, 1), torch.add(torch.ones(1), s)]
        seen.append(attempt(lambda: torch.ones(1) + s))
        seen.append(attempt(lambda: torch.mul(s, 2)))
        seen.append(attempt(lambda: torch.ones(1) * s))
        seen.append(attempt(lambda: s * torch.ones(1)))
        seen.append(attempt(lambda: torch.cat([torch.ones(1), s])))
        seen.append(attempt(lambda: torch.ones(3)[s]))
        seen.append(attempt(lambda: torch.sum(torch.ones(1), dim=s)))
        seen.append(attempt(lambda: torch.nn.functional.linear(s, s)))
        seen.append(torch.overrides.is_tensor_like(s))
        seen.append([torch.overrides.has_torch_function(v) for v in ((s,), (1, torch.ones(1)), ([s],))])
        return seen

    same(program)


def test_subclasses_go_first():
    def program(torch):
        asked = []

        class Base:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                asked.append((cls.__name__, [t.__name__ for t in types]))
                return NotImplemented

        class Derived(Base):
            pass

        class Other(Base):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                asked.append((cls.__name__, [t.__name__ for t in types]))
                return 7

        seen = [torch.add(Base(), Other()), torch.cat([Base(), Derived(), Other(), Base()])]
        seen.append(attempt(lambda: torch.add(Base(), Derived())))
        return seen, asked

    same(program)


def test_functions_of_ones_own():
    def program(torch):
        from_overrides = torch.overrides

        def public(a, b=2):
            if from_overrides.has_torch_function((a, b)):
                return from_overrides.handle_torch_function(public, (a, b), a, b=b)
            return a + b

        @from_overrides.wrap_torch_function(lambda a: (a,))
        def wrapped(a):
            return a

        class Never:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return NotImplemented

        class Named:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__, len(args), kwargs

        public.__module__ = wrapped.__module__ = "mine"
        return [
            public(1), public(Named()), wrapped(3), wrapped(Named()), attempt(public, Never())[0],
            attempt(public, Never())[1].partition(": [")[0],
        ]  # fmt: skip

    same(program)


def test_modes():
    def program(torch):
        log = []

        class Noting(torch.overrides.TorchFunctionMode):
            def __init__(self, name):
                super().__init__()
                self.name = name

            def __torch_function__(self, func, types, args=(), kwargs=None):
                log.append((self.name, func.__name__, len(args), sorted(kwargs or ())))
                return func(*args, **(kwargs or {}))

        class Sevens(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                return 7 if func is torch.add else func(*args, **(kwargs or {}))

        x = torch.ones(2)
        with Noting("outer"):
            x + 1
            with Noting("inner") as inner:
                torch.zeros(2, dtype=torch.int64)
                x.shape
                x[0]
                assert torch.overrides._get_current_function_mode() is inner
            torch.tensor([1.0])
            torch.nn.functional.linear(x, x)
        seen = [list(log)]
        log.clear()
        x + 1
        with Sevens():
            seen += [torch.add(x, 1), torch.sub(x, 1).tolist()]
        with torch.overrides.BaseTorchFunctionMode():
            seen.append((x + 1).tolist())
        with Noting("off"), torch._C.DisableTorchFunction():
            x + 1
        with pytest.raises(ZeroDivisionError), Noting("raises"):
            1 / 0
        seen.append(torch.overrides._get_current_function_mode())
        return seen, log

    same(program)


def test_listing():
    for torch in (reference, lumbre):
        overrides = torch.overrides
        listed = {f for functions in overrides.get_overridable_functions().values() for f in functions}
        for f in (torch.add, torch.nn.functional.relu, torch.Tensor.add, torch.linalg.norm, torch.Tensor.shape.__get__):
            assert f in listed
        assert overrides.resolve_name(torch.add) == "torch.add"
        assert overrides.resolve_name(torch.Tensor.add) == "torch.Tensor.add"
        assert overrides.resolve_name(torch.nn.functional.relu) == "torch.nn.functional.relu"
        assert overrides.resolve_name(torch.Tensor.shape.__get__) == "torch.Tensor.shape.__get__"
        assert overrides.is_tensor_method_or_property(torch.Tensor.add)
        assert overrides.is_tensor_method_or_property(torch.Tensor.shape.__get__)
        assert not overrides.is_tensor_method_or_property(torch.add)
        assert torch.manual_seed in overrides.get_ignored_functions()
        assert torch.Tensor.grad.__get__ in overrides.get_default_nowrap_functions()
        assert overrides.get_testing_overrides()[torch.add](1, 2) == -1


def test_every_function_of_the_engine_asks():
    """What ``get_overridable_functions`` lists does hand its call over."""

    class Answers:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func

    silent = []
    for where, functions in lumbre.overrides.get_overridable_functions().items():
        for function in functions:
            if where is lumbre.Tensor or type(where).__name__ == "getset_descriptor":
                continue
            if function(Answers()) is not function:
                silent.append(function)
    assert not silent


def test_subclasses_are_copied_and_pickled():
    def program(torch):
        x = torch.arange(3.0).as_subclass(Kept[torch.__name__])
        x.note = "kept"
        back = pickle.loads(pickle.dumps(x))
        return type(back).__name__, back.note, back.tolist(), copy.copy(x).tolist()

    same(program)


class OfReference(reference.Tensor):
    pass


class OfLumbre(lumbre.Tensor):
    pass


OfReference.__name__ = OfLumbre.__name__ = "Mine"
OfReference.__qualname__, OfLumbre.__qualname__ = "OfReference", "OfLumbre"
Kept = {"torch": OfReference, "lumbre": OfLumbre}
