"""Data loading, and saving and loading."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.suite import Row

Names = dict[str, Any]

# Statement, what is compared.
LOADING = {
    "for batch in loader: pass": "list(loader)",
    "for batch in shuffled: pass": "list(shuffled)",
    "for batch in of_items: pass": "list(of_items)",
    "for batch in with_workers: pass": "list(with_workers)",
    "torch.utils.data.random_split(data, [800, 200])": "0",
    "torch.utils.data.default_collate(items)": None,
}
SAVING = {
    "torch.save(state, path)": "torch.load(path)",
    "torch.load(path)": None,
    "torch.save(large, large_path)": "torch.load(large_path)",
    "torch.load(large_path)": None,
    "torch.load(large_path, mmap=True)": None,
    "pickle.loads(pickle.dumps(small))": None,
}


def rows() -> Iterator[Row]:
    for statement, answer in LOADING.items():
        yield Row("data loading", statement, statement, loaders, answer=answer)
    for statement, answer in SAVING.items():
        yield Row("saving and loading", statement, statement, files, answer=answer)


def loaders(library: Any) -> Names:
    torch = library.module
    utils = torch.utils.data

    class Items(utils.Dataset):
        def __init__(self) -> None:
            self.x = torch.randn(1000, 32)

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, index: int) -> Any:
            return self.x[index], index % 10

    data = utils.TensorDataset(torch.randn(1000, 784), torch.randint(0, 10, (1000,)))
    return {
        "data": data, "loader": utils.DataLoader(data, 64), "shuffled": utils.DataLoader(data, 64, shuffle=True),
        "of_items": utils.DataLoader(Items(), 64), "with_workers": utils.DataLoader(data, 64, num_workers=2),
        "items": [(torch.randn(32), 1) for _ in range(64)],
    }  # fmt: skip


@functools.cache
def folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="lumbre-bench-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def files(library: Any) -> Names:
    import pickle

    torch = library.module
    nn = torch.nn
    net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    names = {"state": net.state_dict(), "large": torch.rand(25_000_000), "small": torch.rand(3), "pickle": pickle,
             "path": folder() / "state.pt", "large_path": folder() / "large.pt"}  # fmt: skip
    torch.save(names["state"], names["path"])
    torch.save(names["large"], names["large_path"])
    return names
