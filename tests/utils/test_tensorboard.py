"""SummaryWriter writes the records that PyTorch's writes: one program run under both, the files compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorboard", reason="the package is an extra")
pytest.importorskip("torch", reason="PyTorch is the reference")

import lumbre

PROGRAM = """
import sys
import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

now = {"walltime": 5.0}
with SummaryWriter(sys.argv[1]) as w:
    w.add_scalar("a/b", torch.tensor(1.5), 3, **now)
    w.add_scalar("new", 2.5, 3, new_style=True, **now)
    w.add_scalar("exact", 1 / 3, 3, new_style=True, double_precision=True, **now)
    w.add_scalars("group/of", {"x": 1, "y": np.float64(2)}, 4, **now)
    w.add_histogram("bins", torch.arange(10.0), 2, bins=3, **now)
    w.add_histogram("values", torch.tensor([1, 2, 3.0, -4]), 2, **now)
    w.add_histogram("half", torch.tensor([1, 2, 3.0]).bfloat16(), 2, bins="auto", **now)
    w.add_histogram("fewer", np.arange(100.0), 2, bins=40, max_bins=7, **now)
    w.add_histogram_raw("raw", 1, 2, 3, 4, 5, [1.0, 2.0], [1, 2], 1, **now)
    w.add_image("zeros", torch.zeros(3, 4, 5), 1, **now)
    w.add_image("plane", torch.eye(3), 1, dataformats="HW", **now)
    w.add_image("bytes", torch.arange(27).view(3, 3, 3).to(torch.uint8), 1, dataformats="HWC", **now)
    w.add_images("several", torch.linspace(0, 1, 180).view(9, 1, 4, 5), 1, **now)
    w.add_text("t", "hello **x**", 1, **now)
    w.add_pr_curve("p", torch.tensor([1, 0, 1, 1]), torch.tensor([0.9, 0.2, 0.4, 0.6]), 1, num_thresholds=5, **now)
    w.add_custom_scalars({"c": {"l": ["Multiline", ["a"]], "m": ["Margin", ["a", "b", "d"]]}})
    w.add_mesh("mesh", torch.zeros(1, 2, 3), torch.ones(1, 2, 3), **now)
    w.add_tensor("tensor", torch.ones(2, 2), 1, **now)
    w.add_audio("sound", torch.linspace(-1, 1, 20), 1, **now)
    w.add_hparams({"lr": 0.1, "n": 3, "s": "x", "b": True}, {"m": 0.5}, run_name="run")
    points = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    w.add_embedding(points, metadata=["a", "b", "c"], global_step=1)
    w.add_embedding(points, [["a", "1"], ["b", "2"], ["c", "3"]], torch.ones(3, 3, 2, 2), tag="im/x", metadata_header=["n", "k"])
    for wrong in (
        lambda: w.add_scalar("bad", [1, 2]), lambda: w.add_histogram("empty", torch.empty(0)),
        lambda: w.add_hparams(1, 2), lambda: w.add_hparams({"x": [1]}, {"m": 1}, run_name="wrong"),
        lambda: w.add_image("dims", torch.zeros(3, 3), dataformats="CHW"),
    ):
        try:
            wrong()
        except Exception as error:
            print(type(error).__name__, str(error)[:40])
"""


def records(folder: Path) -> dict:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found: dict = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            continue
        if "tfevents" not in path.name:
            found[name] = path.read_bytes()
            continue
        events = found.setdefault(str(path.parent.relative_to(folder)), [])
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.wall_time != 5.0:
                event.wall_time = 0
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "hparams":
                    # A map, which is written in any order.
                    parsed = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    value.metadata.plugin_data.content = b""
                    events.append(parsed)
            events.append(event)
    return found


def test_the_same_files(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    printed, written = [], []
    for number, runner in enumerate(([], ["-m", "lumbre"])):
        folder = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, *runner, str(program), str(folder)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
        written.append(records(folder))
    assert printed[1] == printed[0]
    assert sorted(written[1]) == sorted(written[0])
    for name, theirs in written[0].items():
        assert written[1][name] == theirs, name


def test_what_is_not_there_says_so(tmp_path):
    from lumbre.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        with pytest.raises(NotImplementedError, match="add_graph"):
            writer.add_graph(lumbre.nn.Linear(1, 1), lumbre.ones(1, 1))
        with pytest.raises(NotImplementedError, match="videos"):
            writer.add_video("v", lumbre.zeros(1, 2, 3, 4, 4))
    writer.add_scalar("again", 1)
    writer.close()


def test_figures(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    from lumbre.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        figures = [plt.figure(figsize=(1, 1), dpi=10) for _ in range(2)]
        writer.add_figure("one", figures[0], close=False)
        writer.add_figure("two", figures)
    (events,) = records(tmp_path).values()
    one, two = (event.summary.value[0].image for event in events if event.summary.value)
    assert (one.width, one.height, two.width, two.height) == (10, 10, 20, 10)


def test_the_error_without_the_package():
    text = "import sys; sys.modules['tensorboard'] = None\nimport torch.utils.tensorboard"
    done = subprocess.run([sys.executable, "-m", "lumbre", "-c", text], capture_output=True, text=True, check=False)
    assert "ImportError" in done.stderr
    assert "pip install tensorboard" in done.stderr
