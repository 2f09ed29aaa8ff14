"""Memory shared with NumPy, PyTorch and Python buffers, both ways."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

import lumbre as torch

try:
    import torch as reference
except ImportError:
    reference = None

DTYPES = ["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
def test_dlpack_to_numpy_shares(dtype):
    x = torch.tensor([[1, 0, 1], [0, 1, 1]], dtype=getattr(torch, dtype))
    array = np.from_dlpack(x)
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == x.tolist()
    assert array.__array_interface__["data"][0] == x.data_ptr()


@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
def test_dlpack_from_numpy_shares(dtype):
    array = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    x = torch.from_dlpack(array)
    assert x.dtype is getattr(torch, dtype)
    assert x.tolist() == array.tolist()
    array[0, 0] = 0
    assert x.tolist()[0][0] == 0
    assert x.data_ptr() == array.__array_interface__["data"][0]


def test_dlpack_keeps_strides():
    array = np.arange(12.0).reshape(3, 4).T[1:]
    x = torch.from_dlpack(array)
    assert x.shape == (3, 3)
    assert x.stride() == (1, 4)
    assert x.tolist() == array.tolist()
    back = np.from_dlpack(x)
    assert back.strides == (8, 32)
    assert back.tolist() == array.tolist()


def test_dlpack_of_empty_and_scalar():
    assert torch.from_dlpack(np.zeros((2, 0))).shape == (2, 0)
    assert torch.from_dlpack(np.array(3.0)).item() == 3.0
    assert np.from_dlpack(torch.tensor(3.0)).shape == ()


def test_dlpack_keeps_the_owner_alive():
    x = torch.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    del x
    gc.collect()
    assert array.tolist() == [1.0, 2.0]
    source = np.array([1.0, 2.0, 3.0])
    alive = weakref.ref(source)
    y = torch.from_dlpack(source)
    del source
    gc.collect()
    assert alive() is not None
    assert y.tolist() == [1.0, 2.0, 3.0]
    del y
    gc.collect()
    assert alive() is None


def test_a_capsule_is_consumed_once():
    x = torch.tensor([1.0])
    capsule = torch.to_dlpack(x)
    assert torch.from_dlpack(capsule).data_ptr() == x.data_ptr()
    with pytest.raises(RuntimeError, match="from_dlpack received an invalid capsule"):
        torch.from_dlpack(capsule)
    with pytest.raises(RuntimeError, match="from_dlpack received an invalid capsule"):
        torch.from_dlpack(3)


def test_capsules_that_nobody_consumes():
    x = torch.tensor([1.0])
    count = sys.getrefcount(x)
    for version in (None, (1, 0), (0, 8)):
        capsule = x.__dlpack__(max_version=version)
        name = "dltensor_versioned" if version == (1, 0) else "dltensor"
        assert f'"{name}"' in repr(capsule)
        del capsule
    assert sys.getrefcount(x) == count


def test_dlpack_errors():
    x = torch.tensor([1.0])
    assert x.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="require gradient"):
        torch.tensor([1.0], requires_grad=True).__dlpack__()
    with pytest.raises(AssertionError, match="stream should be None on cpu"):
        x.__dlpack__(stream=1)
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    with pytest.raises(BufferError, match="read-only"):
        torch.from_dlpack(read_only)
    copied = torch.from_dlpack(read_only, copy=True)
    copied[0] = 5
    assert read_only[0] == 0
    with pytest.raises(BufferError, match="no dtype"):
        torch.from_dlpack(np.zeros(2, dtype=np.uint32))
    with pytest.raises(BufferError, match="negative strides"):
        torch.from_dlpack(np.arange(3.0)[::-1])


def test_dlpack_copy():
    x = torch.tensor([1.0, 2.0])
    y = torch.from_dlpack(x, copy=True)
    y[0] = 7
    assert x.tolist() == [1.0, 2.0]
    z = torch.from_dlpack(x)
    z[0] = 7
    assert x.tolist() == [7.0, 2.0]


@pytest.mark.skipif(reference is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16", "bool"])
def test_dlpack_with_pytorch(dtype):
    theirs = reference.tensor([[1, 0], [1, 1]], dtype=getattr(reference, dtype))
    ours = torch.from_dlpack(theirs)
    assert ours.dtype is getattr(torch, dtype)
    assert ours.data_ptr() == theirs.data_ptr()
    assert ours.tolist() == theirs.tolist()
    back = reference.from_dlpack(ours)
    assert back.dtype is theirs.dtype
    assert back.data_ptr() == theirs.data_ptr()
    theirs[0, 0] = 0
    assert ours.tolist()[0][0] == 0


def test_frombuffer_shares():
    memory = bytearray(b"\x01\x00\x02\x00\x03\x00\xff")
    x = torch.frombuffer(memory, dtype=torch.int16, count=2, offset=2)
    assert x.tolist() == [2, 3]
    memory[2] = 9
    assert x.tolist() == [9, 3]
    x[1] = 258
    assert memory[4:6] == b"\x02\x01"
    with pytest.raises(BufferError):
        memory.append(1)
    del x
    gc.collect()
    memory.append(1)


def test_frombuffer_that_is_not_aligned_is_copied():
    memory = bytearray(9)
    x = torch.frombuffer(memory, dtype=torch.int16, offset=1)
    assert x.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("buffer", "options", "message"),
    [
        (bytearray(7), {}, r"buffer length (7 bytes) after offset (0 bytes) must be a multiple of element size (4)"),
        (
            bytearray(8),
            {"offset": 3},
            "buffer length (5 bytes) after offset (3 bytes) must be a multiple of element size (4)",
        ),
        (
            bytearray(8),
            {"count": 3},
            "requested buffer length (3 * 4 bytes) after offset (0 bytes) must not be greater than actual buffer "
            "length (8 bytes)",
        ),
        (bytearray(8), {"count": 0}, "both buffer length (8) and count (0) must not be 0"),
        (bytearray(0), {}, "both buffer length (0) and count (-1) must not be 0"),
        (
            bytearray(8),
            {"offset": 8},
            "offset (8 bytes) must be non-negative and no greater than buffer length (8 bytes) minus 1",
        ),
        (
            bytearray(8),
            {"offset": -1},
            "offset (-1 bytes) must be non-negative and no greater than buffer length (8 bytes) minus 1",
        ),
        (3, {}, "object does not implement Python buffer protocol."),
        (bytearray(8), {"count": 2**62}, None),
    ],
)
def test_frombuffer_errors(buffer, options, message):
    with pytest.raises(ValueError) as caught:
        torch.frombuffer(buffer, dtype=torch.float32, **options)
    if message is not None:
        assert str(caught.value) == message
    if reference is not None and message is not None:
        with pytest.raises(ValueError) as theirs:
            reference.frombuffer(buffer, dtype=reference.float32, **options)
        assert str(theirs.value).splitlines()[0] == message


def test_frombuffer_arguments():
    with pytest.raises(TypeError, match='missing 1 required positional arguments: "dtype"'):
        torch.frombuffer(bytearray(4))
    with pytest.raises(RuntimeError, match="Only Tensors of floating point"):
        torch.frombuffer(bytearray(4), dtype=torch.int32, requires_grad=True)
    assert torch.frombuffer(bytearray(4), dtype=torch.float32, requires_grad=True).requires_grad


def test_tensors_export_no_buffer():
    with pytest.raises(TypeError, match="a bytes-like object is required, not"):
        memoryview(torch.tensor([1.0]))


def test_from_numpy_shares_and_as_tensor_shares():
    array = np.array([1.0, 2.0])
    for make in (torch.from_numpy, torch.as_tensor, torch.asarray):
        x = make(array)
        assert x.data_ptr() == array.__array_interface__["data"][0]
    assert torch.tensor(array).data_ptr() != array.__array_interface__["data"][0]
    assert torch.as_tensor(array, dtype=torch.float32).tolist() == [1.0, 2.0]


@pytest.mark.filterwarnings("ignore:The given buffer")
def test_as_tensor_and_asarray():
    x = torch.tensor([1, 2])
    assert torch.as_tensor(x) is x
    assert torch.as_tensor([1, 2.0]).dtype is torch.float32
    assert torch.asarray(x) is x
    assert torch.asarray(x, copy=True) is not x
    assert torch.asarray(b"abcd", dtype=torch.int16).tolist() == [25185, 25699]
    assert torch.asarray(3.0).item() == 3.0
    assert torch.asarray(np.float64(2.5)).dtype is torch.float64
    assert torch.asarray([1], requires_grad=False).requires_grad is False
    with pytest.raises(ValueError, match="can't alias arbitrary sequence into a tensor"):
        torch.asarray([1], copy=False)
    with pytest.raises(ValueError, match="can't alias tensor with dtype"):
        torch.asarray(x, dtype=torch.float32, copy=False)
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.as_tensor([1], device="cuda")


def test_scalar_tensor():
    assert torch.scalar_tensor(3).dtype is torch.float32
    assert torch.scalar_tensor(3).shape == ()
    assert torch.scalar_tensor(3, dtype=torch.int32).dtype is torch.int32
    with pytest.raises(TypeError, match=r"scalar_tensor\(\): argument 's' \(position 1\) must be Number, not str"):
        torch.scalar_tensor("a")


def test_array_protocol():
    x = torch.tensor([1.0, 2.0])
    assert np.asarray(x).tolist() == [1.0, 2.0]
    assert (np.ones(2) * x.numpy()).tolist() == [1.0, 2.0]
    assert isinstance(x.__array_wrap__(x.numpy()), torch.Tensor)


def test_exported_memory_stays_in_place():
    for export in (lambda x: x.numpy(), lambda x: x.__dlpack__(), np.from_dlpack):
        x = torch.tensor([1.0, 2.0])
        assert x.untyped_storage().resizable()
        kept = export(x)
        assert not x.untyped_storage().resizable()
        with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
            x.untyped_storage().resize_(1 << 20)
        del kept


def test_parameters_are_given_to_numpy_where_nothing_is_recorded():
    x = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(RuntimeError, match="requires grad"):
        x.numpy()
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)
    with torch.no_grad():
        assert np.array_equal(x.numpy(), np.ones(2)) and np.array_equal(np.asarray(x), np.ones(2))
    shared = torch.from_dlpack(torch.utils.dlpack.to_dlpack(x))
    assert shared.data_ptr() == x.data_ptr() and not shared.requires_grad
