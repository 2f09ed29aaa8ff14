"""The public package safetensors on Lumbre: its files are PyTorch's bit for bit."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("safetensors", reason="the package is an extra")
pytest.importorskip("torch", reason="PyTorch is the reference")
ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import sys
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model

folder, other = sys.argv[1:]
torch.manual_seed(0)
names = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"]
tensors = {name: (torch.randn(3, 4) * 5).to(getattr(torch, name)) for name in names}
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.empty(0, 3)
save_file(tensors, folder + "/all.safetensors", metadata={"note": "hello"})
print(len(save(tensors)) < len(open(folder + "/all.safetensors", "rb").read()))
for where in (folder, other):
    try:
        loaded = load_file(where + "/all.safetensors")
    except FileNotFoundError:
        continue
    for name in tensors:
        assert loaded[name].dtype == tensors[name].dtype and torch.equal(loaded[name], tensors[name]), name
    with safe_open(where + "/all.safetensors", framework="pt", device="cpu") as file:
        assert sorted(file.keys()) == sorted(tensors)
        piece = file.get_slice("float32")
        assert torch.equal(piece[1:, ::2] if False else piece[1:], tensors["float32"][1:])
        assert torch.equal(file.get_tensor("bfloat16"), tensors["bfloat16"])
        print(file.metadata()["note"], piece.get_shape(), piece.get_dtype())
data = open(folder + "/all.safetensors", "rb").read()
assert all(torch.equal(value, tensors[name]) for name, value in load(data).items())
loaded = load(data)
loaded["float32"][0, 0] = 1.0
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3, bias=False))
net.register_module("again", net[0])
save_model(net, folder + "/model.safetensors")
fresh = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3, bias=False))
fresh.register_module("again", fresh[0])
print(load_model(fresh, folder + "/model.safetensors"))
assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), fresh.state_dict().values()))
shared = torch.ones(4)
for wrong in ({"a": shared, "b": shared}, {"a": torch.ones(2, 2).t()[:, :1]}, {"a": [1]}, {"a": shared[:2], "b": shared[1:]}):
    try:
        save_file(wrong, folder + "/wrong.safetensors")
        print("saved", sorted(wrong))
    except (RuntimeError, ValueError) as error:
        print(type(error).__name__, str(error).strip().splitlines()[0][:60])
"""


def contents(path):
    """The header and the bytes: the package writes metadata in another order each time."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def test_files_are_pytorchs(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    printed = []
    for runner, folder in zip(([], ["-m", "lumbre"]), folders, strict=True):
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, *runner, str(program), str(folder), str(folders[0])], capture_output=True, text=True,
            timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.splitlines())
    # The reference reads its own folder twice.
    assert sorted(set(printed[1])) == sorted(set(printed[0]))
    for path in folders[0].iterdir():
        assert contents(path) == contents(folders[1] / path.name)
