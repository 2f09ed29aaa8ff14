"""Data sets, samplers and loaders held against PyTorch's: same orders and batches from the same seed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import lumbre

torch = pytest.importorskip("torch", reason="PyTorch is the reference")


class Squares(lumbre.utils.data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        if i == 7 and getattr(self, "bad", False):
            raise ValueError("seven")
        return lumbre.tensor([float(i * i)]), i


class Stream(lumbre.utils.data.IterableDataset):
    def __iter__(self):
        info = lumbre.utils.data.get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, 9, step))


class Deadly(Squares):
    def __getitem__(self, i):
        os.kill(os.getpid(), signal.SIGKILL)


def draws(module):
    d = module.utils.data
    module.manual_seed(0)
    found = [list(d.RandomSampler(range(10)))]
    found.append(list(d.RandomSampler(range(10), replacement=True, num_samples=70)))
    found.append(list(d.RandomSampler(range(4), num_samples=10)))
    found.append([batch.tolist() for batch in d.DataLoader(range(7), batch_size=2, shuffle=True)])
    generator = module.Generator()
    generator.manual_seed(3)
    found.append([batch.tolist() for batch in d.DataLoader(range(7), batch_size=2, shuffle=True, generator=generator)])
    found.append([list(part.indices) for part in d.random_split(range(10), [3, 7])])
    found.append([list(part.indices) for part in d.random_split(range(10), [0.33, 0.33, 0.34])])
    found.append(list(d.WeightedRandomSampler([0.1, 0.9, 0.5], 5)))
    found.append(list(d.SubsetRandomSampler([3, 4, 5])))
    found.append(list(d.DistributedSampler(range(10), 3, 1, seed=5)))
    found.append(module.rand(2).tolist())
    return found


def test_draws():
    assert draws(lumbre) == draws(torch)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_workers": -1}, {"timeout": -1}, {"prefetch_factor": 2}, {"persistent_workers": True},
        {"shuffle": True, "sampler": [1]}, {"batch_size": 2, "batch_sampler": [1]}, {"batch_size": None, "drop_last": True},
        {"batch_size": 0}, {"multiprocessing_context": "fork"}, {"multiprocessing_context": "x", "num_workers": 1},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_settings(settings):
    with pytest.raises(ValueError) as expected:
        torch.utils.data.DataLoader(range(3), **settings)
    with pytest.raises(ValueError) as error:
        lumbre.utils.data.DataLoader(range(3), **settings)
    assert str(error.value) == str(expected.value)


def test_collate():
    sample = [{"a": 1, "b": (1.5, "x")}, {"a": 2, "b": (2.5, "y")}]
    assert repr(lumbre.utils.data.default_collate(sample)).replace("lumbre.", "torch.") == repr(
        torch.utils.data.default_collate(sample)
    )
    with pytest.raises(RuntimeError, match="equal size"):
        lumbre.utils.data.default_collate([[1, 2], [1]])
    with pytest.raises(TypeError, match="found <class 'object'>"):
        lumbre.utils.data.default_collate([object()])


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_give_batches_in_order(context):
    loader = lumbre.utils.data.DataLoader(Squares(), batch_size=3, num_workers=2, multiprocessing_context=context)
    assert [batch[1].tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert next(iter(loader))[0].flatten().tolist() == [0.0, 1.0, 4.0]


def test_iterable_data_set_is_shared_out():
    loader = lumbre.utils.data.DataLoader(Stream(), batch_size=2, num_workers=2)
    assert sorted(n for batch in loader for n in batch.tolist()) == list(range(9))
    single = lumbre.utils.data.DataLoader(Stream(), batch_size=4)
    assert [batch.tolist() for batch in single] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_persistent_workers_serve_again():
    loader = lumbre.utils.data.DataLoader(Squares(), batch_size=4, num_workers=2, persistent_workers=True)
    first = [batch[1].tolist() for batch in loader]
    pids = [process.pid for process in loader._iterator._processes]
    assert [batch[1].tolist() for batch in loader] == first
    assert [process.pid for process in loader._iterator._processes] == pids
    loader._iterator._shut_down()


def test_an_error_comes_home():
    data = Squares()
    data.bad = True
    loader = lumbre.utils.data.DataLoader(data, batch_size=4, num_workers=2)
    with pytest.raises(ValueError, match=r"Caught ValueError in DataLoader worker process \d\.\nOriginal Traceback"):
        list(loader)


def test_a_killed_worker_is_an_error():
    loader = lumbre.utils.data.DataLoader(Deadly(), batch_size=4, num_workers=1)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(loader)


def test_no_worker_outlives_its_parent(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import torch, os\n"
        "class D(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 1000\n"
        "    def __getitem__(self, i): return torch.zeros(1)\n"
        "if __name__ == '__main__':\n"
        "    it = iter(torch.utils.data.DataLoader(D(), num_workers=2))\n"
        "    next(it)\n"
        "    print(*[p.pid for p in it._processes], flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "lumbre", str(program)], capture_output=True, text=True, timeout=60, check=True
    )
    for pid in done.stdout.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
