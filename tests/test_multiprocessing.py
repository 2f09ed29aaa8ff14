"""Processes that share tensors: programs run under both libraries, what they print compared."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lumbre
import lumbre.multiprocessing as mp

ROOT = Path(__file__).resolve().parent.parent


def run(tmp_path, text, *runner, status=0):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, *runner, str(program)], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout


def same(tmp_path, text):
    pytest.importorskip("torch", reason="PyTorch is the reference")
    ours = run(tmp_path, text, "-m", "lumbre")
    assert ours == run(tmp_path, text)
    assert ours
    return ours


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_queues_and_pipes_share_memory(tmp_path, method):
    text = f"""
    import torch
    import torch.multiprocessing as mp

    def work(queue, answers, pipe):
        x = queue.get()
        y = queue.get()  # a view of the same memory
        x[0] = 10.0
        print(x.is_shared(), y.tolist(), x.dtype, y.stride(), flush=True)
        answers.put(torch.arange(4).view(2, 2).t())
        pipe.send({{"p": torch.nn.Parameter(torch.ones(2)), "empty": torch.empty(0, 3), "half": torch.ones(2).bfloat16()}})
        answers.get()

    if __name__ == "__main__":
        mp.set_start_method("{method}")
        queue, answers = mp.Queue(), mp.Queue()
        here, there = mp.Pipe()
        x = torch.zeros(2, 3)
        process = mp.Process(target=work, args=(queue, answers, there))
        process.start()
        queue.put(x)
        queue.put(x[:, 1:])
        t = answers.get()
        sent = here.recv()
        print(x.tolist(), x.is_shared(), t.tolist(), t.stride())
        print(type(sent["p"]).__name__, sent["p"].requires_grad, sent["empty"].shape, sent["half"])
        answers.put(None)
        process.join()
        print(process.exitcode, mp.get_start_method(), mp.get_sharing_strategy())
    """
    same(tmp_path, text)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_hogwild(tmp_path, method):
    text = f"""
    import torch
    import torch.multiprocessing as mp
    import torch.nn.functional as F

    def train(rank, model, steps):
        torch.manual_seed(rank)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(steps):
            x = torch.randn(32, 4)
            loss = F.mse_loss(model(x), x.sum(1, keepdim=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    if __name__ == "__main__":
        mp.set_start_method("{method}", force=True)
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 1)
        model.share_memory()
        print(all(p.is_shared() for p in model.parameters()), model.weight.grad)
        processes = []
        for rank in range(2):
            p = mp.Process(target=train, args=(rank, model, 60))
            p.start()
            processes.append(p)
        for p in processes:
            p.join()
        print([p.exitcode for p in processes])
        print((model.weight - 1).abs().max().item() < 1e-2, model.bias.abs().item() < 1e-2)
    """
    same(tmp_path, text)


def test_spawn_runs_and_raises(tmp_path):
    text = """
    import torch
    import torch.multiprocessing as mp

    def fill(rank, total, values):
        values[rank] = rank + total
    def fail(rank, kind):
        if rank == 1:
            if kind == "raise":
                raise ValueError("on purpose")
            import os
            os._exit(3)

    if __name__ == "__main__":
        values = torch.zeros(2).share_memory_()
        print(mp.spawn(fill, args=(5, values), nprocs=2), values.tolist())
        context = mp.spawn(fill, args=(7, values), nprocs=2, join=False)
        while not context.join():
            pass
        print(values.tolist(), len(context.pids()))
        try:
            mp.spawn(fail, args=("raise",), nprocs=2)
        except mp.ProcessRaisedException as error:
            lines = str(error).strip().splitlines()
            print(lines[0], lines[-1], error.error_index)
        try:
            mp.spawn(fail, args=("exit",), nprocs=2)
        except mp.ProcessExitedException as error:
            print(error, error.exit_code)
    """
    same(tmp_path, text)


def test_pool_and_refusals(tmp_path):
    text = """
    import torch
    import torch.multiprocessing as mp
    from multiprocessing.reduction import ForkingPickler

    def double(x):
        return x * 2

    if __name__ == "__main__":
        with mp.get_context("fork").Pool(2) as pool:
            print([t.tolist() for t in pool.map(double, [torch.ones(2), torch.arange(3)])])
        w = torch.ones(2, requires_grad=True)
        try:
            ForkingPickler.dumps(w * 2)
        except RuntimeError as error:
            print(error)
        try:
            mp.set_sharing_strategy("nope")
        except AssertionError as error:
            print(str(error)[:30])
        mp.set_sharing_strategy("file_system")
        print(mp.get_sharing_strategy(), sorted(mp.get_all_sharing_strategies()))
        print(sorted(set(mp.__all__) - {"init_reductions"})[:5])
    """
    printed = run(tmp_path, text, "-m", "lumbre")
    expected = run(tmp_path, text)
    assert printed.splitlines()[:-1] == expected.splitlines()[:-1]


def test_data_loader_workers_beside_it(tmp_path):
    text = """
    import torch
    import torch.multiprocessing
    from torch.utils.data import DataLoader, TensorDataset

    if __name__ == "__main__":
        data = TensorDataset(torch.arange(12.0).view(6, 2), torch.arange(6))
        for x, y in DataLoader(data, batch_size=2, num_workers=2):
            print(x.tolist(), y.tolist())
    """
    same(tmp_path, text)


def test_memory_is_gone_after_a_crash(tmp_path):
    before = set(os.listdir("/dev/shm"))
    run(
        tmp_path,
        """
        import os
        import torch
        x = torch.ones(100000).share_memory_()
        os._exit(7)
        """,
        "-m", "lumbre", status=7,
    )  # fmt: skip
    assert set(os.listdir("/dev/shm")) <= before


def test_sharing_keeps_what_there_was():
    x = lumbre.arange(6.0).view(2, 3)
    view = x[1]
    same_storage = x.untyped_storage()
    assert not x.is_shared()
    assert x.share_memory_() is x
    assert x.is_shared()
    assert view.is_shared()
    assert same_storage.is_shared()
    view[0] = 30.0
    assert x.tolist() == [[0, 1, 2], [30, 4, 5]]
    y = lumbre.ones(2, requires_grad=True)
    z = y * 2
    y.share_memory_()
    z.sum().backward()
    assert y.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="not resizable"):
        x.resize_(100)
    assert lumbre.empty(0).share_memory_().is_shared()


def test_an_array_over_the_memory_keeps_it_where_it_is():
    x = lumbre.ones(100)
    array = x.numpy()
    with pytest.raises(RuntimeError, match="used by others"):
        x.share_memory_()
    assert array[0] == 1


def test_a_storage_arrives_once():
    import pickle
    from multiprocessing.reduction import ForkingPickler

    x = lumbre.zeros(3)
    a, b = pickle.loads(ForkingPickler.dumps((x, x[1:])))
    b[0] = 5
    assert (x.tolist(), a.tolist()) == ([0, 5, 0], [0, 5, 0])
    assert a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    assert mp.get_sharing_strategy() == "file_descriptor"


def test_storages_over_files(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(8)))
    private = lumbre.UntypedStorage.from_file(str(path), False, 8)
    private[0] = 9
    assert path.read_bytes()[0] == 0
    shared = lumbre.UntypedStorage.from_file(str(path), True, 16)
    shared[1] = 7
    assert path.stat().st_size == 16
    assert path.read_bytes()[1] == 7
    piece = shared[1:4]
    piece[0] = 8
    assert shared[1] == 8
    assert lumbre.asarray(piece, dtype=lumbre.uint8).tolist() == [8, 2, 3]
    with pytest.raises(RuntimeError, match="bytes"):
        lumbre.UntypedStorage.from_file(str(path), False, 1000)
