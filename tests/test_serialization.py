"""Files exchanged with PyTorch both ways, and files that are damaged or hostile."""

from __future__ import annotations

import collections
import io
import os
import pickle
import pickletools
import random
import zipfile
import zlib

import pytest

import lumbre
from lumbre import _pickles

torch = pytest.importorskip("torch", reason="PyTorch is the reference")


def content(module):
    x = module.arange(6, dtype=module.float32).reshape(2, 3)
    net = module.nn.Sequential(module.nn.Linear(2, 3), module.nn.ReLU())
    optimizer = module.optim.Adam(net.parameters())
    net(module.ones(1, 2)).sum().backward()
    optimizer.step()
    return {
        "a": x, "view": x[:, 1], "t": x.t(), "bf": module.ones(2, dtype=module.bfloat16), "empty": module.zeros(0),
        "list": [1, 2.5, "x", None, True, (1,)], "net": net.state_dict(), "optimizer": optimizer.state_dict(),
        "size": x.shape, "dtype": module.float16, "p": module.nn.Parameter(module.zeros(2)), "set": {1, 2},
        "ordered": collections.OrderedDict(a=1), "bytes": b"abc", "device": module.device("cpu"), "n": module.tensor(3),
    }  # fmt: skip


def check(loaded, module):
    expected = content(module)
    assert list(loaded) == list(expected)
    for key in ("a", "view", "t", "bf", "empty", "n"):
        assert loaded[key].dtype is expected[key].dtype
        assert loaded[key].stride() == expected[key].stride()
        assert module.equal(loaded[key], expected[key])
    assert loaded["view"].untyped_storage().data_ptr() == loaded["a"].untyped_storage().data_ptr()
    assert type(loaded["p"]) is module.nn.Parameter
    for key in ("list", "size", "dtype", "set", "ordered", "bytes", "device"):
        assert loaded[key] == expected[key]
    assert list(loaded["net"]) == ["0.weight", "0.bias"]
    assert float(loaded["optimizer"]["state"][0]["step"]) == 1.0


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("writer", "reader"), [(torch, lumbre), (lumbre, torch), (lumbre, lumbre)], ids=["in", "out", "own"]
)
def test_exchange(writer, reader, as_zip):
    file = io.BytesIO()
    writer.save(content(writer), file, _use_new_zipfile_serialization=as_zip)
    file.seek(0)
    check(reader.load(file), reader)


def test_mapped(tmp_path):
    lumbre.save({"w": lumbre.arange(1000.0)}, tmp_path / "a.pt")
    torch.save({"w": torch.arange(1000.0)}, tmp_path / "b.pt")
    for name in ("a.pt", "b.pt"):
        loaded = lumbre.load(tmp_path / name, mmap=True)["w"]
        assert loaded.sum() == 499500
        loaded[0] = 5  # a private copy: the file stays
        assert lumbre.load(tmp_path / name)["w"][0] == 0
    assert torch.load(tmp_path / "a.pt", mmap=True)["w"].sum() == 499500


def test_a_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    lumbre.save(1, path)
    os.chmod(path, 0o640)
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        lumbre.save(lambda: 0, path)
    assert lumbre.load(path) == 1
    lumbre.save(2, path)
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("/nowhere/at/all",))


def test_code_in_a_file_is_not_run():
    file = io.BytesIO()
    torch.save(Evil(), file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="blocked"):
        lumbre.load(file)


def test_modules_need_trust_or_an_allowance():
    file = io.BytesIO()
    net = lumbre.nn.Linear(2, 2)
    lumbre.save(net, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL torch\.nn\.modules\.linear\.Linear was not an allowed"):
        lumbre.load(file)
    file.seek(0)
    assert lumbre.equal(lumbre.load(file, weights_only=False).weight, net.weight)
    file.seek(0)
    assert torch.load(file, weights_only=False).in_features == 2


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
def test_damaged_files_are_errors(as_zip):
    file = io.BytesIO()
    torch.save({"w": torch.arange(100.0), "v": [torch.zeros(3, 4)]}, file, _use_new_zipfile_serialization=as_zip)
    good = file.getvalue()
    rng = random.Random(0)
    seen = collections.Counter()
    for i in range(1500):
        data = bytearray(good)
        if i % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            lumbre.load(io.BytesIO(bytes(data)))
            seen["loaded"] += 1
        except (RuntimeError, pickle.UnpicklingError, EOFError, MemoryError) as error:
            seen[type(error).__name__] += 1
    assert sum(seen.values()) == 1500
    assert seen["loaded"] < 1500


def test_map_location():
    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    for place in ("cpu", lumbre.device("cpu"), {"cpu": "cpu"}, lambda storage, location: storage):
        file.seek(0)
        assert lumbre.load(file, map_location=place).sum() == 2
    file.seek(0)
    with pytest.raises(RuntimeError, match="CUDA"):
        lumbre.load(file, map_location="cuda")


@pytest.mark.parametrize("protocol", [2, 3])
def test_globals_get_pytorchs_names(protocol):
    """The opcodes are renamed where they stand: as the writer in Python has it, which writes the names itself."""
    net = lumbre.nn.Sequential(lumbre.nn.Flatten(), lumbre.nn.Linear(2, 3), lumbre.nn.PixelShuffle(1))
    value = [
        content(lumbre),
        net,
        lumbre.nn.functional.relu,
        "clumbre\nTensor\n",
        b"clumbre\nTensor\n",
        1 << 40,
        2.5,
        len,
    ]
    value += [list(range(300)), "é" * 300, -1, 70000, {3: [net]}, lumbre.FloatStorage, lumbre.storage.UntypedStorage]

    def reference(found):
        return ("storage", found.nbytes()) if isinstance(found, lumbre.UntypedStorage) else None

    whole = io.BytesIO()
    _pickles._TextWriter(whole, protocol, reference).dump(value)
    assert _pickles.pickled(value, protocol, reference) == whole.getvalue()
    names = [argument for opcode, argument, _ in pickletools.genops(whole.getvalue()) if opcode.name == "GLOBAL"]
    assert "torch._utils _rebuild_tensor_v2" in names and "torch FloatStorage" in names
    assert not any(name.startswith("lumbre") for name in names)


@pytest.mark.parametrize(
    "program", [b"\x80\x02clumbre\nTen", b"\x80\x02X\xff\xff\xff\x7fab", b"\x80\x02U", b"\x80\x04\x95"]
)
def test_only_whole_pickles_are_renamed(program):
    with pytest.raises(RuntimeError, match="a pickle"):
        lumbre._C._rename_globals(program, _pickles._written_name)


@pytest.mark.skipif(not hasattr(lumbre._C, "_crc32"), reason="the processor has no products of polynomials")
def test_checksums():
    rng = random.Random(0)
    for size in [*range(200), 4096, 100_003]:
        data = rng.randbytes(size)
        cut = rng.randint(0, size)
        assert lumbre._C._crc32(data) == zlib.crc32(data)
        assert lumbre._C._crc32(memoryview(data)[cut:], zlib.crc32(data[:cut])) == zlib.crc32(data)


class WithHoles(io.FileIO):
    """Leaves out what is nothing but zeros."""

    def write(self, data):
        if len(data) >= 1 << 20 and not any(data[:: 1 << 12]):
            return self.seek(len(data), os.SEEK_CUR) and len(data)
        return super().write(data)


def test_records_and_places_beyond_4_gigabytes(tmp_path):
    path, large = tmp_path / "large.pt", lumbre.zeros((1 << 32) + 12345, dtype=lumbre.uint8)
    with WithHoles(path, "w") as file:
        lumbre.save({"large": large, "after": lumbre.arange(3.0)}, file)
    assert path.stat().st_size > 1 << 32
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        assert sizes["archive/data/0"] == large.numel()
        assert archive.read("archive/version") == b"3\n"  # its place and its checksum
    for module in (torch, lumbre):
        found = module.load(path, mmap=True)
        assert found["large"].shape == large.shape and found["after"].tolist() == [0, 1, 2]
