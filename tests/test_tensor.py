"""Tensor's Python side: constructors, older types, storage, copying, pickling, subclasses, switches."""

from __future__ import annotations

import copy
import pickle

import pytest

import lumbre as torch

try:
    import torch as reference
except ImportError:
    reference = None

Tensor = torch.Tensor


def outcome(module, compute):
    """What a computation gives, in terms that both packages share: values and dtype, or class and first line."""
    try:
        result = compute(module)
    except Exception as error:
        return type(error).__name__, str(error).split("\n")[0].replace("lumbre.", "torch.")
    return describe(module, result)


def describe(module, value):
    if isinstance(value, module.Tensor):
        return type(value).__name__, str(value.dtype).rpartition(".")[2], tuple(value.shape), value.tolist()
    if isinstance(value, module.dtype):
        return str(value).rpartition(".")[2]
    if isinstance(value, (tuple, list)):
        return [describe(module, member) for member in value]
    return value.replace("lumbre.", "torch.") if isinstance(value, str) else value


# Each is one expression on both packages.
SAME = [
    lambda t: t.Tensor(2, 3).shape == (2, 3),
    lambda t: t.Tensor([1, 2]),
    lambda t: t.Tensor(),
    lambda t: t.Tensor(t.Size([2])).shape == (2,),
    lambda t: t.Tensor(t.tensor([1])),
    lambda t: t.Tensor(t.tensor(2.0)),
    lambda t: t.Tensor(2.5),
    lambda t: t.Tensor("a"),
    lambda t: t.Tensor((2, 3)),
    lambda t: t.Tensor(2, device="cpu").shape == (2,),
    lambda t: t.Tensor(2, device="cuda"),
    lambda t: t.Tensor(-1),
    lambda t: t.Tensor(None),
    lambda t: t.Tensor(1, 2.0),
    lambda t: t.Tensor(3, "a"),
    lambda t: t.Tensor(True),
    lambda t: t.Tensor([True]),
    lambda t: t.Tensor([[1, 2], [3]]),
    lambda t: t.Tensor(range(3)),
    lambda t: t.Tensor(size=(2,)).shape == (2,),
    lambda t: t.Tensor(data=[1]),
    lambda t: t.FloatTensor([1, 2]),
    lambda t: t.LongTensor([1, 2]),
    lambda t: t.LongTensor([1.5]),
    lambda t: t.LongTensor(2).dtype,
    lambda t: t.LongTensor(t.tensor([1.0])),
    lambda t: t.FloatTensor(t.tensor([1.5])),
    lambda t: t.FloatTensor(3.0),
    lambda t: t.BoolTensor([1, 0]),
    lambda t: t.ByteTensor([300]),
    lambda t: t.FloatTensor("a"),
    lambda t: t.FloatTensor((1, 2)),
    lambda t: t.HalfTensor([1.5]).dtype,
    lambda t: t.FloatTensor.dtype,
    lambda t: t.FloatTensor.__name__,
    lambda t: isinstance(t.tensor(1.0), t.FloatTensor),
    lambda t: isinstance(t.tensor(1.0), t.LongTensor),
    lambda t: isinstance(1.0, t.FloatTensor),
    lambda t: t.tensor([1.5]).type(),
    lambda t: t.tensor([1.5]).type(t.LongTensor),
    lambda t: t.tensor([1.5]).type("torch.IntTensor"),
    lambda t: t.tensor([1.5]).type("torch.Foo"),
    lambda t: t.tensor([1.5]).type(t.int64),
    lambda t: t.tensor([1.5]).type(3),
    lambda t: list(t.tensor(1)),
    lambda t: list(t.tensor([1, 2])),
    lambda t: reversed(t.tensor([1, 2])),
    lambda t: 1.0 in t.tensor([1.0, 2.0]),
    lambda t: 3 in t.tensor([1.0, 2.0]),
    lambda t: "a" in t.tensor([1.0]),
    lambda t: [1] in t.tensor([1.0]),
    lambda t: t.tensor([1.0]).backward(),
    lambda t: t.tensor([1.0]).retain_grad(),
    lambda t: t.tensor([1.0]).pin_memory(),
    lambda t: t.tensor([1.0]).is_pinned(),
    lambda t: t.tensor([1.0]).get_device(),
    lambda t: t.tensor([1.0]).is_shared(),
    lambda t: t.tensor([1.0]).is_inference(),
    lambda t: t.tensor([1.0]).grad,
    lambda t: t.tensor(1).requires_grad_(),
    lambda t: t.tensor([1.0]).requires_grad_().requires_grad,
    lambda t: t.tensor([1.0]).new([1, 2]),
    lambda t: t.tensor([1.0]).new(2).shape == (2,),
    lambda t: t.tensor([1]).new([1.5]),
    lambda t: t.tensor([1]).new_tensor([1.5]),
    lambda t: t.tensor([1]).new_tensor([1.5], dtype=t.float64),
    lambda t: t.tensor([[1.0, 2.0]]).apply_(lambda v: v + 1),
    lambda t: t.tensor([1.0, 2.0]).map_(t.tensor([3.0, 4.0]), lambda a, b: a * b),
    lambda t: t.tensor(1.0, requires_grad=True).apply_(lambda v: v),
    lambda t: format(t.tensor(1.5), ".3f"),
    lambda t: f"{t.tensor(3)}",
    lambda t: t.tensor([1.0]).__array_priority__,
    lambda t: t.tensor([1.0]).as_subclass(int),
    lambda t: t.tensor([1.0, 2.0]).storage().size(),
    lambda t: t.tensor([1.0, 2.0]).storage()[1],
    lambda t: t.tensor([1.0, 2.0]).storage().tolist(),
    lambda t: t.tensor([1.0, 2.0]).storage().type(),
    lambda t: repr(t.tensor([1.0, 2.0]).storage()),
    lambda t: repr(t.tensor([1.0, 2.0]).untyped_storage()),
    lambda t: t.tensor([1.0]).untyped_storage().tolist(),
    lambda t: t.tensor([1.0]).untyped_storage()[3],
    lambda t: t.tensor([1.0]).untyped_storage().nbytes(),
    lambda t: len(t.tensor([1.0]).untyped_storage()),
    lambda t: t.UntypedStorage(3).nbytes(),
    lambda t: t.FloatStorage([1, 2]).tolist(),
    lambda t: t.FloatTensor(t.FloatStorage([1, 2])),
    lambda t: t.tensor([1.0]).set_(t.tensor([5.0, 6.0])),
    lambda t: t.tensor([1.0]).set_(t.tensor([0.0, 1.0, 2.0, 3.0, 4.0]).untyped_storage(), 1, (2, 2), (2, 1)),
    lambda t: t.tensor([1.0]).set_(t.tensor([5.0, 6.0]).storage()),
    lambda t: t.tensor([1.0]).set_(),
    lambda t: t.tensor([1.0]).set_(t.tensor([1])),
    lambda t: t.set_default_dtype(t.int32),
    lambda t: t.set_default_tensor_type(t.LongTensor),
    lambda t: t.get_default_device().type,
    lambda t: t.typename(1),
    lambda t: t.is_tensor(1),
    lambda t: t.is_tensor(t.tensor(1)),
    lambda t: t.is_storage(t.tensor(1).storage()),
    lambda t: t.is_storage(t.tensor(1).untyped_storage()),
    lambda t: t.is_storage(3),
    lambda t: t.manual_seed(-1).initial_seed(),
    lambda t: t.manual_seed(2**64),
    lambda t: t.manual_seed(-(2**63) - 1),
    lambda t: t.manual_seed("a"),
    lambda t: t.manual_seed(3.7).initial_seed(),
    lambda t: [t.manual_seed(5), t.initial_seed()][1],
    lambda t: t.get_rng_state().shape == (5056,),
    lambda t: t.set_rng_state(3),
    lambda t: t.set_deterministic_debug_mode(7),
    lambda t: t.set_grad_enabled("a"),
    lambda t: t.use_deterministic_algorithms("x"),
    lambda t: [t.use_deterministic_algorithms(True), t.get_deterministic_debug_mode()][1],
    lambda t: [t.use_deterministic_algorithms(False), t.are_deterministic_algorithms_enabled()][1],
    lambda t: t.get_float32_matmul_precision(),
    lambda t: t.cuda.is_available(),
    lambda t: t.cuda.device_count(),
    lambda t: t.cuda.manual_seed_all(1),
    lambda t: t.cuda.Stream(),
    lambda t: t.backends.mps.is_available(),
    lambda t: t.backends.cudnn.is_available(),
    lambda t: t.backends.cudnn.benchmark,
    lambda t: t.no_grad(lambda: t.is_grad_enabled())(),
    lambda t: t.inference_mode(lambda: t.is_inference_mode_enabled())(),
    lambda t: isinstance(t.FloatStorage([1]), t.FloatStorage),
]


@pytest.mark.skipif(reference is None, reason="PyTorch is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compute", SAME, ids=range(len(SAME)))
def test_as_in_pytorch(compute):
    assert outcome(torch, compute) == outcome(reference, compute)


def test_constructor():
    assert Tensor(2, 3).shape == (2, 3)
    assert Tensor([1, 2]).dtype is torch.float32
    assert Tensor().shape == (0,)
    source = torch.tensor([1])
    assert Tensor(source).dtype is torch.int64
    assert Tensor(source).data_ptr() == source.data_ptr()
    with pytest.raises(TypeError, match="new\\(\\) received an invalid combination of arguments"):
        Tensor(dtype=torch.float32)
    with pytest.raises(RuntimeError, match="overflow"):
        Tensor(2**40, 2**40)
    assert torch.tensor([1.0]).type() in ("lumbre.FloatTensor", "torch.FloatTensor")


def test_other_devices_are_refused():
    x = torch.tensor([1.0], requires_grad=True)
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        x.cuda()


def test_grad_attribute():
    x = torch.tensor([1.0, 2.0])
    assert x.grad is None
    gradient = torch.tensor([3.0, 4.0])
    x.grad = gradient
    assert x.grad is gradient
    with pytest.raises(TypeError, match="assigned grad expected to be a Tensor or None but got grad of type int"):
        x.grad = 3
    with pytest.raises(RuntimeError, match="assigned grad has data of a different size"):
        x.grad = torch.tensor([1.0])
    with pytest.raises(RuntimeError, match="attempting to assign a gradient with dtype"):
        x.grad = torch.tensor([1, 2])
    x.grad = None
    assert x.grad is None


def test_detach_shares():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.detach()
    assert not y.requires_grad
    assert y.data_ptr() == x.data_ptr()
    assert x.detach_() is x
    assert not x.requires_grad


def test_storage_identity_and_writes():
    x = torch.tensor([1.0, 2.0, 3.0])
    storage = x.untyped_storage()
    assert x[1:].untyped_storage() is storage
    assert storage.data_ptr() == x.data_ptr()
    typed = x.storage()
    typed[1] = 9
    assert x.tolist() == [1.0, 9.0, 3.0]
    typed[0:2] = [4, 5]
    assert x.tolist() == [4.0, 5.0, 3.0]
    with pytest.raises(IndexError):
        typed[3]
    storage.fill_(0)
    assert x.tolist() == [0.0, 0.0, 0.0]
    storage.resize_(16)
    assert typed.tolist() == [0.0] * 4
    with pytest.raises(RuntimeError, match="does not shrink"):
        storage.resize_(4)
    del x
    assert typed.tolist() == [0.0] * 4


def test_set_is_checked():
    x = torch.tensor([1.0])
    memory = torch.tensor([1.0, 2.0]).untyped_storage()
    for offset, size, stride in (
        (0, (3,), (1,)),
        (1, (2,), (1,)),
        (0, (2,), (2,)),
        (2**62, (1,), (1,)),
        (0, (2**40,), (2**40,)),
    ):
        with pytest.raises(RuntimeError):
            x.set_(memory, offset, size, stride)
    with pytest.raises(RuntimeError):
        x.set_(memory, 0, (2,), (-1,))
    with pytest.raises(RuntimeError):
        x.set_(memory, -1, (1,), (1,))
    assert x.tolist() == [1.0]


def test_deepcopy():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    view = x[0]
    x.note = [1]
    twin, twin_view = copy.deepcopy([x, view])
    assert twin.tolist() == x.tolist()
    assert twin.data_ptr() != x.data_ptr()
    assert twin.note == [1]
    assert twin.note is not x.note
    twin_view[0] = 9
    assert twin[0, 0].item() == 9.0
    assert x[0, 0].item() == 1.0
    assert copy.deepcopy([x, x])[0] is not x
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]


def test_copy_shares():
    x = torch.tensor([1.0])
    x.note = 3
    twin = copy.copy(x)
    assert twin is not x
    assert twin.data_ptr() == x.data_ptr()
    assert twin.note == 3


class Marked(torch.Tensor):
    """A subclass at module level, so that pickle finds it."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    x = torch.tensor([[1, 2], [3, 4]], dtype=torch.int16)
    view = x[:, 1]
    back, back_view = pickle.loads(pickle.dumps((x, view), protocol))
    assert back.tolist() == [[1, 2], [3, 4]]
    assert back.dtype is torch.int16
    assert back_view.stride() == (2,)
    assert back_view.storage_offset() == 1
    assert back_view.untyped_storage() is back.untyped_storage()
    marked = torch.tensor([1.0, 2.0], requires_grad=True).as_subclass(Marked)
    marked.requires_grad = True
    marked.note = "kept"
    again = pickle.loads(pickle.dumps(marked, protocol))
    assert type(again) is Marked
    assert again.note == "kept"
    assert again.requires_grad
    assert pickle.loads(pickle.dumps(torch.float16, protocol)) is torch.float16


def test_pickle_names_pytorchs_function():
    function, _ = torch.tensor([1.0]).__reduce_ex__(2)
    assert function.__name__ == "_rebuild_tensor_v2"
    assert function is torch._utils._rebuild_tensor_v2


def test_subclasses_are_kept():
    x = torch.tensor([1.0, 2.0]).as_subclass(Marked)
    plain = torch.tensor([1.0, 2.0])
    for result in (
        x + 1,
        1 + x,
        plain + x,
        x + plain,
        x * x,
        -x,
        x.add_(1),
        x == x,
        torch.add(x, plain),
        x.detach(),
        x.add(1),
    ):
        assert type(result) is Marked
    assert type(copy.deepcopy(x)) is Marked
    assert type(copy.copy(x)) is Marked
    assert type(Marked([1, 2])) is Marked
    assert type(Marked(2, 3)) is Marked
    assert type(Tensor._make_subclass(Marked, plain, True)) is Marked
    assert Tensor._make_subclass(Marked, plain, True).requires_grad


def test_a_subclass_may_override():
    calls = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            calls.append((func.__name__, types))
            return super().__torch_function__(func, types, args, kwargs)

    x = torch.tensor([1.0]).as_subclass(Logged)
    y = torch.add(x, 1)
    assert type(y) is Logged
    assert calls == [("add", (Logged,))]


def test_disabled_torch_function():
    class Quiet(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl

    x = torch.tensor([1.0]).as_subclass(Quiet)
    assert type(x + 1) is Tensor
    with torch._C.DisableTorchFunctionSubclass():
        assert type(torch.tensor([1.0]).as_subclass(Marked) + 1) is Tensor
    assert type(torch.tensor([1.0]).as_subclass(Marked) + 1) is Marked


def test_foreign_objects_may_override():
    class Foreign:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "mine"

    assert torch.add(Foreign(), 1) == "mine"
    assert torch.tensor([1.0]) + Foreign() == "mine"


def test_grad_modes():
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        with torch.enable_grad():
            assert torch.is_grad_enabled()
        with torch.set_grad_enabled(True):
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()

    @torch.no_grad()
    def inside():
        return torch.is_grad_enabled()

    @torch.no_grad()
    def steps():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    assert inside() is False
    for state in steps():
        assert state is False
        assert torch.is_grad_enabled()
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with pytest.raises(ValueError), torch.no_grad():
        raise ValueError
    assert torch.is_grad_enabled()


def test_random_state():
    torch.manual_seed(11)
    state = torch.get_rng_state()
    with torch.random.fork_rng():
        torch.manual_seed(12)
        assert torch.initial_seed() == 12
    assert torch.get_rng_state().tolist() == state.tolist()
    assert torch.initial_seed() == 11
    torch.set_rng_state(state)
    assert 0 <= torch.seed() < 2**53
    if reference is not None:
        reference.manual_seed(11)
        assert reference.get_rng_state().tolist() == state.tolist()


def test_default_dtype():
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.tensor(1.0).dtype is torch.float64
        assert Tensor([1]).dtype is torch.float64
        torch.set_default_tensor_type("torch.FloatTensor")
        assert torch.tensor(1.0).dtype is torch.float32
        torch.set_default_tensor_type(torch.DoubleTensor)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_devices():
    torch.set_default_device("cpu")
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.set_default_device("cuda")
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.cuda.current_device()
    assert torch.version.cuda is None
    assert torch.version.__version__ == torch.__version__


def test_constants():
    assert torch.pi == 3.141592653589793
    assert torch.inf == float("inf")
    assert torch.nan != torch.nan
    assert torch.newaxis is None
    assert torch.float is torch.float32
    assert torch.long is torch.int64


def test_attributes_and_dir():
    x = torch.tensor([1.0])
    x.note = 1
    assert "note" in dir(x)
    assert "untyped_storage" in dir(x)
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'foo'"):
        _ = x.foo
