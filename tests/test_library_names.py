"""What public libraries take from PyTorch beside its documented functions: names, small helpers, hooks into classes."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest

import lumbre

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
BOTH = (lumbre, torch)


def attempts(library, calls):
    """What each call gives, as plain values, or its error."""
    found = []
    for call in calls:
        try:
            found.append(plain(call(library)))
        except Exception as error:
            found.append((type(error).__name__, str(error).partition("\n")[0].replace("lumbre.", "torch.")[:60]))
    return found


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return [round(one, 5) for one in value.flatten().tolist()] if hasattr(value, "flatten") else value


def both_agree(calls):
    ours, theirs = (attempts(library, calls) for library in BOTH)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert mine == other, number


# --- operators of lists -----------------------------------------------------------------------------------------------


def lists(library):
    return [library.tensor([0.25, 0.5]), library.tensor([[0.75]])]


def changed(library, name, *rest, **keywords):
    tensors = lists(library)
    getattr(library, "_foreach_" + name)(tensors, *rest, **keywords)
    return tensors


ONE = (
    "abs acos ceil cos erf exp expm1 floor frac lgamma log log2 neg reciprocal round rsqrt sigmoid sign sqrt tanh trunc"
)


@pytest.mark.parametrize("name", ONE.split())
def test_one_list(name):
    both_agree([lambda t: getattr(t, "_foreach_" + name)(lists(t)), lambda t: changed(t, name + "_")])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "clamp_min", "clamp_max"])
def test_two_lists(name):
    both_agree(
        [
            lambda t: getattr(t, "_foreach_" + name)(lists(t), lists(t)[::-1]),
            lambda t: getattr(t, "_foreach_" + name)(lists(t), 0.4),
            lambda t: getattr(t, "_foreach_" + name)(lists(t), [0.4, 0.9]),
            lambda t: changed(t, name + "_", 0.4),
            lambda t: getattr(t, "_foreach_" + name)([], 1.0),
            lambda t: getattr(t, "_foreach_" + name)(lists(t), lists(t)[:1]),
            lambda t: getattr(t, "_foreach_" + name)(lists(t), [1.0]),
        ]
    )


def test_three_lists_and_the_rest():
    both_agree(
        [
            lambda t: t._foreach_addcdiv(lists(t), lists(t), lists(t), value=2),
            lambda t: t._foreach_addcmul(lists(t), lists(t), lists(t), [0.5, 2.0]),
            lambda t: changed(t, "addcmul_", lists(t), lists(t), t.tensor([0.5, 2.0])),
            lambda t: t._foreach_lerp(lists(t), lists(t), 0.5),
            lambda t: changed(t, "lerp_", [one + 1 for one in lists(t)], [0.5, 0.1]),
            lambda t: t._foreach_norm(lists(t)),
            lambda t: t._foreach_norm(lists(t), 1),
            lambda t: t._foreach_max(lists(t)),
            lambda t: t._foreach_pow(2.0, lists(t)),
            lambda t: changed(t, "zero_"),
            lambda t: changed(t, "copy_", [one * 3 for one in lists(t)]),
            lambda t: t._foreach_clone(lists(t)),
            lambda t: t._foreach_add(lists(t), lists(t), alpha=3),
        ]
    )
    tensors = lists(lumbre)
    assert lumbre._foreach_add_(tensors, 1) is tensors
    with pytest.raises(AttributeError, match="_foreach_nothing"):
        _ = lumbre._foreach_nothing


def test_lists_by_device_and_dtype():
    found = []
    for library in BOTH:
        part = __import__(f"{library.__name__}.utils._foreach_utils", fromlist=["_"])
        tensors = [library.ones(1), library.ones(2, dtype=library.float64), library.zeros(3)]
        groups = part._group_tensors_by_device_and_dtype([tensors, tensors[::-1], []], with_indices=True)
        found.append({str(key[1])[-2:]: (plain(lists), places) for key, (lists, places) in groups.items()})
    assert found[0] == found[1]


# --- conditions and numbers -------------------------------------------------------------------------------------------


def test_conditions():
    both_agree(
        [
            lambda t: t._check(True), lambda t: t._check(False), lambda t: t._check(1), lambda t: t._check(False, "text"),
            lambda t: t._check(False, lambda: "made"), lambda t: t._check_index(False), lambda t: t._check_value(False),
            lambda t: t._check_type(False), lambda t: t._check_not_implemented(False),
            lambda t: t._check_tensor_all(t.ones(2)), lambda t: t._check_tensor_all(t.ones(2) > 1),
            lambda t: t._assert(False, "m"), lambda t: t._assert(t.ones(1) > 1, "k"), lambda t: t._assert_async(t.zeros(1)),
            lambda t: t.sym_int(2.7), lambda t: t.sym_int(-2.7), lambda t: t.sym_float(2), lambda t: t.sym_max(1, 2.0),
            lambda t: t.sym_max(3, 2.0), lambda t: t.sym_min(1, 2.0), lambda t: t.sym_not(0), lambda t: t.sym_sum([1, 2]),
            lambda t: t.sym_ite(True, 1, 2), lambda t: t._shape_as_tensor(t.ones(2, 3)),
            lambda t: issubclass(t.OutOfMemoryError, RuntimeError), lambda t: t.cuda.OutOfMemoryError is t.OutOfMemoryError,
            lambda t: t.get_device_module("cpu") is t.cpu, lambda t: isinstance(3, t.SymInt),
            lambda t: t.xpu.is_available(), lambda t: t.mps.device_count(), lambda t: t.mtia.is_available(),
            lambda t: t._C._nn._parse_to("cpu", t.float64)[2:], lambda t: isinstance(t.Tensor, t._C._TensorMeta),
        ]
    )  # fmt: skip
    with pytest.raises(NotImplementedError, match="plain numbers"):
        lumbre.SymInt()


# --- modules and optimizers that libraries derive from ------------------------------------------------------------------


def wrapper(library):
    class Wrapper(library.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.asked = []
            self.module = module

        def __getattr__(self, name):
            self.__dict__["asked"].append(name)
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("module"), name)

    return Wrapper(library.nn.Linear(2, 3))


def test_parameters_are_asked_of_a_classs_own_getattr():
    def asked(library):
        made = wrapper(library)
        sizes = (tuple(made.weight.shape), made.in_features, made.module.out_features)
        return [sizes, made.__dict__["asked"]]

    both_agree([asked, lambda t: wrapper(t).nope, lambda t: t.nn.Linear(1, 1).nope])


def test_optimizers_that_wrap_another():
    class Wrapped(lumbre.optim.Optimizer):
        def __init__(self, inner):
            self.inner = inner

        def step(self, closure=None):
            return self.inner.step(closure)

    weight = lumbre.nn.Parameter(lumbre.ones(1))
    optimizer = Wrapped(lumbre.optim.SGD([weight], lr=0.5))
    weight.grad = lumbre.ones(1)
    optimizer.step()
    assert weight.item() == 0.5


def test_swapped_tensors():
    from lumbre.nn.utils._named_member_accessor import swap_tensor

    layer = lumbre.nn.Linear(1, 1, bias=False)
    old = swap_tensor(layer, "weight", lumbre.ones(1, 1))
    assert layer(lumbre.tensor([2.0])).item() == 2.0
    swap_tensor(layer, "weight", old)
    assert layer.weight is old
    with pytest.raises(AttributeError):
        swap_tensor(layer, "nope", old)


# --- helpers ------------------------------------------------------------------------------------------------------------


def test_files_saved_into_members_of_archives():
    archive_file = io.BytesIO()
    with zipfile.ZipFile(archive_file, "w") as archive, archive.open("a.pth", "w", force_zip64=True) as member:
        lumbre.save({"a": lumbre.arange(3.0)}, member)
    with zipfile.ZipFile(archive_file) as archive:
        data = archive.read("a.pth")
    assert torch.load(io.BytesIO(data))["a"].tolist() == lumbre.load(io.BytesIO(data))["a"].tolist() == [0, 1, 2]


def test_batches_of_types_of_the_program():
    from lumbre.utils.data._utils.collate import default_collate, default_collate_fn_map

    class Point:
        x = 3

    default_collate_fn_map[Point] = lambda batch, *, collate_fn_map: lumbre.tensor([each.x for each in batch])
    try:
        assert [one.tolist() for one in default_collate([(Point(), 1), (Point(), 2)])] == [[3, 3], [1, 2]]
    finally:
        del default_collate_fn_map[Point]


def test_dictionaries_of_tensors_by_identity():
    from lumbre.utils.weak import WeakIdKeyDictionary

    one, other = lumbre.ones(2), lumbre.ones(2)
    names = WeakIdKeyDictionary({one: "one"})
    names[other] = "other"
    assert (names[one], names[other], len(names)) == ("one", "other", 2)
    del other
    assert list(names) == [one]


def test_files_of_models(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert lumbre.hub.get_dir() == torch.hub.get_dir() == str(tmp_path / "hub")
    address = "https://example.org/net-0123.pth"
    with pytest.raises(NotImplementedError, match="does not download"):
        lumbre.hub.load_state_dict_from_url(address)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    lumbre.save({"a": 1}, tmp_path / "hub" / "checkpoints" / "net-0123.pth")
    assert lumbre.hub.load_state_dict_from_url(address) == {"a": 1}


def test_flat_tensors():
    from lumbre._utils import _flatten_dense_tensors, _unflatten_dense_tensors

    tensors = [lumbre.ones(2, 2), lumbre.zeros(3)]
    flat = _flatten_dense_tensors(tensors)
    assert [tuple(one.shape) for one in _unflatten_dense_tensors(flat, tensors)] == [(2, 2), (3,)]


# --- modules of names -----------------------------------------------------------------------------------------------------

PROGRAM = """
import torch, functorch, importlib
from lumbre import _named
for row, (why, names) in _named.ROWS.items():
    module = importlib.import_module("torch." + row)
    assert module is importlib.import_module("lumbre." + row), row
    for name in names.split():
        try:
            getattr(module, name)()
        except NotImplementedError as error:
            assert name in str(error)
        else:
            raise AssertionError(name)
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
import torch._C._functorch, torch._functorch.vmap, torch._subclasses.fake_tensor, torch.jit.annotations
print(isinstance(torch.nn.Linear(1, 1), FSDP), torch.distributed.fsdp.wrap.__name__, functorch.vmap is torch.vmap)
try:
    torch.distributed.fsdp.nothing
except AttributeError as error:
    print(error)
torch.ops.torchvision  # as libraries do whose extension is built for PyTorch
try:
    torch.ops.load_library("x.so")
except OSError:
    torch.library.register_fake("torchvision::nms")(len)
    print("refused")
"""


def test_modules_of_names():
    done = subprocess.run(
        [sys.executable, "-m", "lumbre", "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False torch.distributed.fsdp.wrap True",
        "module 'torch.distributed.fsdp' has no attribute 'nothing'",
        "refused",
    ]
