"""Programs under ``python -m lumbre`` behave as they do under ``python``, with ``torch`` being Lumbre."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Outcome:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def lines(self) -> list[str]:
        assert self.status == 0, self.err
        return self.out.splitlines()


def start(command: list[str], cwd: Path, stdin: str | None = None, **environment: str) -> Outcome:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return Outcome(
        subprocess.run(
            [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, input=stdin
        )
    )


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def lumbre(tmp_path: Path):
    def lumbre(*arguments: str, **options) -> Outcome:
        return start(["-m", "lumbre", *arguments], tmp_path, **options)

    return lumbre


@pytest.fixture
def python(tmp_path: Path):
    def python(*arguments: str, **options) -> Outcome:
        return start([*arguments], tmp_path, **options)

    return python


# --- a program sees what it sees under python -------------------------------------------------------------------------

PROGRAM = """
    import sys, os, __main__
    print(__name__, __file__, __package__, __spec__, __cached__, __doc__, type(__loader__).__name__)
    print(sys.argv, sys.path[0], __main__.__dict__ is globals(), __builtins__)
    print(sorted(globals()))
"""


def test_program_environment(write, lumbre, python) -> None:
    write("folder/program.py", PROGRAM)
    mine, theirs = lumbre("folder/program.py", "a", "-m", "--help"), python("folder/program.py", "a", "-m", "--help")
    assert mine.out == theirs.out and mine.status == theirs.status == 0


def test_links_are_followed_for_the_path_only(write, lumbre, python, tmp_path) -> None:
    os.symlink(write("real/program.py", PROGRAM), tmp_path / "link.py")
    assert lumbre("link.py").out == python("link.py").out


def test_module_environment(write, lumbre, python) -> None:
    text = PROGRAM.replace("__spec__,", "__spec__.name,")
    write("pack/__init__.py", "import sys; print(sys.argv)")
    write("pack/__main__.py", text)
    write("pack/inner.py", text)
    for name in ("pack", "pack.inner"):
        assert lumbre("-m", name, "x").out == python("-m", name, "x").out != ""


def test_text_environment(lumbre, python) -> None:
    text = "import sys; print(sys.argv, repr(sys.path[0]), __name__, sorted(globals()), __spec__, __loader__)"
    assert lumbre("-c", text, "x", "-y").out == python("-c", text, "x", "-y").out != ""
    assert lumbre("-c" + text).out == python("-c" + text).out != ""


def test_program_from_standard_input(lumbre) -> None:
    assert lumbre("-", "a", stdin="import sys, torch; print(sys.argv, torch.__name__)").lines() == ["['-', 'a'] torch"]


def test_safe_path_is_respected(write, lumbre, python) -> None:
    write("program.py", "import sys; print(sys.path)")
    options = {"PYTHONSAFEPATH": "1"}
    assert lumbre("program.py", **options).out == python("program.py", **options).out


STOPS = {
    "status": "raise SystemExit(7)",
    "message": "raise SystemExit('no data')",
    "none": "import sys; sys.exit()",
    "bool": "import sys; sys.exit(True)",
    "error": "def f():\n    return 1 / 0\nf()",
    "chained": "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('bad') from e",
    "notes": "e = ValueError('x'); e.add_note('why'); raise e",
    "group": "raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])",
    "syntax": "x = 1\nif x\n    pass",
    "indentation": "if 1:\npass",
    "interrupt": "import atexit; atexit.register(print, 'bye')\nraise KeyboardInterrupt",
    "atexit": "import atexit; atexit.register(print, 'bye')\nraise OSError('x')",
    "missing import": "import nowhere",
    "hook": "import sys\nsys.excepthook = lambda t, e, tb: print('mine', t, e, tb.tb_frame.f_code.co_name)\n1/0",
    "thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.2), print('late'))).start()\n1/0",
    "traceback": "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()",
}


@pytest.mark.parametrize("name", STOPS)
def test_ways_to_stop(name, write, lumbre, python) -> None:
    write("program.py", STOPS[name])
    mine, theirs = lumbre("program.py"), python("program.py")
    assert (mine.status, mine.out) == (theirs.status, theirs.out)
    assert mine.err == theirs.err


@pytest.mark.parametrize("name", STOPS)
def test_ways_to_stop_in_text(name, lumbre, python) -> None:
    mine, theirs = lumbre("-c", STOPS[name]), python("-c", STOPS[name])
    assert (mine.status, mine.out) == (theirs.status, theirs.out)
    assert mine.err == theirs.err


def test_errors_in_a_module_begin_in_the_module(write, lumbre) -> None:
    write("broken.py", "def f():\n    1 / 0\nf()")
    error = lumbre("-m", "broken").err
    assert "runpy" not in error and "_runner" not in error and error.count("File") == 2 and "broken.py" in error


def test_interrupt_ends_by_signal(write, lumbre) -> None:
    write("program.py", "raise KeyboardInterrupt")
    assert lumbre("program.py").status == -signal.SIGINT


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "usage: lumbre"),
        (("nowhere.py",), 2, "can't open file"),
        (("nowhere.ipynb",), 2, "can't open file"),
        (("-m",), 2, "argument expected for the -m option"),
        (("-c",), 2, "argument expected for the -c option"),
        (("-m", "nowhere"), 1, "No module named nowhere"),
        (("-m", "email"), 1, "'email' is a package and cannot be directly executed"),
        (("-m", "nowhere.inner"), 1, "No module named 'nowhere'"),
        (("--nonsense",), 2, "unknown option --nonsense"),
    ],
)
def test_wrong_command_lines(arguments, status, message, lumbre) -> None:
    outcome = lumbre(*arguments)
    assert outcome.status == status and message in outcome.err and "Traceback" not in outcome.err


def test_help_and_version(lumbre) -> None:
    assert lumbre("--help").lines()[0].startswith("usage: lumbre")
    assert re.fullmatch(r"Lumbre \d+\.\d+\.\d+ \(PyTorch 2\.13\.0\)", lumbre("-V").lines()[0])


# --- torch is Lumbre --------------------------------------------------------------------------------------------------


def run_text(lumbre, text: str) -> list[str]:
    return lumbre("-c", textwrap.dedent(text)).lines()


def test_one_object_under_two_names(lumbre) -> None:
    text = """
        import torch, lumbre, sys
        print(torch is lumbre, sys.modules["torch"] is sys.modules["lumbre"])
        import torch._device
        import lumbre._numeric_info
        print(torch._device is lumbre._device is sys.modules["torch._device"] is sys.modules["lumbre._device"])
        print(sys.modules["torch._numeric_info"] is sys.modules["lumbre._numeric_info"] is torch._numeric_info)
        from torch import _printing
        import lumbre._printing as again
        print(_printing is again, _printing.__name__, _printing.__spec__.name, _printing.__package__)
        both = {n for n in sys.modules if n.startswith("lumbre.")}
        print(all(sys.modules["torch" + n[6:]] is sys.modules[n] for n in both), len(both) > 4)
    """
    assert run_text(lumbre, text) == [
        "True True",
        "True",
        "True",
        "True torch._printing torch._printing torch",
        "True True",
    ]


def test_specs_are_real(lumbre) -> None:
    text = """
        import importlib.util, importlib.machinery, importlib.resources, inspect, os, sys, torch
        for name in ("torch", "torch._device", "torch._printing", "lumbre", "lumbre._printing"):
            spec = importlib.util.find_spec(name)
            assert isinstance(spec, importlib.machinery.ModuleSpec), name
            assert importlib.import_module(name).__spec__ is not None
            assert os.path.exists(spec.origin or "x") or name.startswith("lumbre._p"), name
        import torch._printing
        assert torch.__spec__.name == "torch" and torch._printing.__spec__.name == "torch._printing"
        assert torch.__spec__.loader.get_source("torch") and torch.__spec__.submodule_search_locations == torch.__path__
        assert "def tensor_str" in inspect.getsource(torch._printing)
        assert importlib.resources.files("torch").joinpath("__init__.py").is_file()
        assert importlib.util.find_spec("torch.nowhere") is None
        print(repr(torch).startswith("<module 'torch' from "))
    """
    assert run_text(lumbre, text) == ["True"]


def test_find_spec_before_import(lumbre) -> None:
    text = "import importlib.util as u; print(u.find_spec('torch').name, u.find_spec('torch._device').name)"
    assert run_text(lumbre, text) == ["torch torch._device"]


def test_version(lumbre) -> None:
    text = """
        import importlib.metadata as m, torch
        print(torch.__version__)
        print(m.version("torch"), m.metadata("torch")["Name"], m.distribution("torch").requires)
        print([d.version for d in m.distributions() if d.metadata["Name"] == "torch"][0])
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    expected = f"2.13.0+lumbre{version}"
    assert run_text(lumbre, text) == [expected, f"{expected} torch None", expected]


def test_missing_names(lumbre) -> None:
    text = """
        import torch
        for text in ("import torch.nowhere", "import torch.nowhere.inner", "from torch import nowhere",
                     "torch.nowhere", "torch._device.nowhere", "import lumbre.nowhere"):
            try:
                exec(text)
            except (ImportError, AttributeError) as error:
                print(type(error).__name__, str(error).split(" (")[0], getattr(error, "name", None))
    """
    assert run_text(lumbre, text) == [
        "ModuleNotFoundError No module named 'torch.nowhere' torch.nowhere",
        "ModuleNotFoundError No module named 'torch.nowhere' torch.nowhere",
        "ImportError cannot import name 'nowhere' from 'torch' torch",
        "AttributeError module 'torch' has no attribute 'nowhere' nowhere",
        "AttributeError module 'torch._device' has no attribute 'nowhere' nowhere",
        "ModuleNotFoundError No module named 'lumbre.nowhere' lumbre.nowhere",
    ]


def test_printed_names(lumbre) -> None:
    text = """
        import torch
        print(torch.tensor([1.0]).dtype, torch._C.Size([2]), type(torch.tensor(1)), torch._C.dtype)
        import torch._numeric_info as n
        print(n.finfo)
    """
    assert run_text(lumbre, text) == [
        "torch.float32 torch.Size([2]) <class 'torch.Tensor'> <class 'torch.dtype'>",
        "<class 'torch.finfo'>",
    ]


def test_alias_outlives_a_cleared_module_table(lumbre) -> None:
    text = """
        import sys, torch
        first = torch
        del sys.modules["torch"]
        import torch
        print(torch is first, torch.__spec__.name)
        del sys.modules["torch"], sys.modules["lumbre"]
        import torch
        print(torch is first)
    """
    assert run_text(lumbre, text) == ["True torch", "True"]


def test_alias_is_refused_after_pytorch(python) -> None:
    pretend = "import sys, types; sys.modules['torch'] = types.ModuleType('torch')"
    outcome = python("-c", f"{pretend}\nfrom lumbre import _alias\n_alias.install()")
    assert "RuntimeError: PyTorch is already imported" in outcome.err


def test_own_name_without_the_runner(python) -> None:
    text = "import lumbre as torch; print(torch.__name__, torch.tensor([1]).dtype, torch._C.Size([1]))"
    assert python("-c", text).lines() == ["lumbre lumbre.int64 lumbre.Size([1])"]


def test_circular_imports_meet_one_module(write, lumbre) -> None:
    # A package of the same shape as a future torch.nn: it imports itself under both names while it loads.
    write("extra/circle/__init__.py", "from lumbre.circle import inner\nvalue = inner.value")
    write(
        "extra/circle/inner.py",
        """
        import sys, torch.circle, lumbre.circle
        assert sys.modules["torch.circle"] is sys.modules["lumbre.circle"]
        value = 3
        """,
    )
    write(
        "program.py",
        """
        import torch, sys
        torch.__path__.append("extra")
        from lumbre.circle import value
        import torch.circle.inner
        print(value, torch.circle.inner is sys.modules["lumbre.circle.inner"], torch.circle.__name__)
        """,
    )
    assert lumbre("program.py").lines() == ["3 True torch.circle"]


def test_failed_import_leaves_nothing(write, lumbre) -> None:
    write("extra/broken.py", "raise OSError('no')")
    write(
        "program.py",
        """
        import torch, sys
        torch.__path__.append("extra")
        for name in ("torch.broken", "lumbre.broken"):
            try:
                __import__(name)
            except OSError:
                print([n for n in sys.modules if n.endswith(".broken")])
        """,
    )
    assert lumbre("program.py").lines() == ["[]", "[]"]


# --- other processes --------------------------------------------------------------------------------------------------

WORKERS = """
    import multiprocessing, sys

    def work(value):
        import torch
        return torch.__name__, "lumbre" in torch.__version__, str(torch.tensor([value]).dtype), __name__

    import torch
    assert "lumbre" in torch.__version__

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(2) as pool:
            print(set(pool.map(work, range(3))))
        queue = context.Queue()
        from inner import put
        process = context.Process(target=put, args=(queue,))
        process.start()
        print(queue.get(timeout=60))
        process.join()
        print(process.exitcode)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_worker_processes_carry_the_alias(method, write, lumbre) -> None:
    write("sub/program.py", WORKERS)
    write("sub/inner.py", "import torch\ndef put(queue):\n    queue.put(torch.__version__.split('+')[1][:6])")
    name = "__main__" if method == "fork" else "__mp_main__"
    assert lumbre("sub/program.py", method).lines() == [f"{{('torch', True, 'torch.int64', '{name}')}}", "lumbre", "0"]


def test_workers_of_a_module(write, lumbre) -> None:
    write("pack/__init__.py", "")
    write("pack/program.py", WORKERS.replace("from inner", "from pack.inner"))
    write("pack/inner.py", "import torch\ndef put(queue):\n    queue.put(torch.__version__.split('+')[1][:6])")
    assert lumbre("-m", "pack.program", "spawn").lines()[1:] == ["lumbre", "0"]


def test_workers_find_the_package_where_their_parent_found_it(write, tmp_path) -> None:
    # Lumbre is not on the workers' own path: the parent found it in its working directory, and moved away.
    write("program.py", "import os; os.chdir('/')\n" + textwrap.dedent(WORKERS))
    write("inner.py", "import torch\ndef put(queue):\n    queue.put(torch.__version__.split('+')[1][:6])")
    outcome = start(["-m", "lumbre", str(tmp_path / "program.py"), "spawn"], ROOT, PYTHONPATH="")
    assert outcome.lines()[1:] == ["lumbre", "0"]


def test_executors(write, lumbre) -> None:
    write(
        "program.py",
        """
        import concurrent.futures, multiprocessing
        def work(x):
            import torch
            return torch.__name__ + torch.__version__[7:13]
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                print(pool.submit(work, 1).result())
        """,
    )
    assert lumbre("program.py").lines() == ["torchlumbre"]


def test_joblib_workers(write, lumbre) -> None:
    pytest.importorskip("joblib")
    write(
        "program.py",
        """
        import joblib, torch
        def work(x):
            import torch
            return torch.__version__[7:13]
        if __name__ == "__main__":
            print(joblib.Parallel(n_jobs=2)(joblib.delayed(work)(i) for i in range(2)))
        """,
    )
    assert lumbre("program.py").lines() == ["['lumbre', 'lumbre']"]


# --- extensions built for PyTorch -------------------------------------------------------------------------------------


def test_extension_linked_against_libtorch_is_refused_with_a_reason(tmp_path, lumbre) -> None:
    library, extension = tmp_path / "libc10.so", tmp_path / "built_for_torch.so"
    (tmp_path / "library.c").write_text("int c10_value(void) { return 1; }\n")
    (tmp_path / "extension.c").write_text("int c10_value(void); int use(void) { return c10_value(); }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "library.c"], check=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", extension, tmp_path / "extension.c", library], check=True)
    library.unlink()
    outcome = lumbre("-c", "import torch, built_for_torch")
    assert outcome.status == 1
    assert "libc10.so" in outcome.err
    assert "built_for_torch is compiled against PyTorch's own C++ library" in outcome.err


def test_other_broken_extensions_say_nothing_of_pytorch(tmp_path, lumbre) -> None:
    (tmp_path / "broken.so").write_bytes(b"nothing")
    assert "PyTorch" not in lumbre("-c", "import broken").err


# --- notebooks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def notebook(tmp_path: Path):
    def notebook(*cells: str, name: str = "book.ipynb") -> str:
        content = [{"cell_type": "markdown", "metadata": {}, "source": "# text"}]
        content += [
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": c.splitlines(True)}
            for c in cells
        ]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return name

    return notebook


def test_cells_run_in_order_and_show_their_last_value(notebook, lumbre) -> None:
    name = notebook(
        "import torch\nx = 2",
        "x",
        "x + 1;",
        "x + 1; # quiet",
        "x + 1  # loud",
        "None",
        "print('p')\n_ * 2",
        "'é' * x",
        "if x:\n    x",
        "",
        "# only a comment",
        "torch._C.Size([x])",
        "display(x, 'y')",
        "def f():\n    return 1\nf()",
    )
    expected = ["2", "3", "p", "6", "'éé'", "torch.Size([2])", "2", "'y'", "1"]
    assert lumbre(name, PYTHONIOENCODING="utf-8").lines() == expected


def test_notebook_environment(notebook, lumbre, tmp_path) -> None:
    name = notebook(
        "import sys, os, __main__\nprint(__name__, sys.argv, __main__.__dict__ is globals(), '__file__' in globals())",
        "print(sys.path[0] == os.getcwd() == os.path.realpath(os.getcwd()), os.path.basename(os.getcwd()))",
        "import inspect\ndef f():\n    return 5\nprint(inspect.getsource(f))",
        name="inner/book.ipynb",
    )
    first, second, *rest = lumbre(name, "a").lines()
    assert first == "__main__ ['inner/book.ipynb', 'a'] True False" and second == "True inner"
    assert rest == ["def f():", "    return 5", ""]


def test_an_error_names_its_cell_and_stops(notebook, lumbre) -> None:
    name = notebook("x = 1\nprint('before')", "def f():\n    return x / 0\n\nf()", "print('after')")
    outcome = lumbre(name)
    assert (outcome.status, outcome.out) == (1, "before\n")
    assert outcome.err.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "book.ipynb, cell 2", line 4, in <module>',
        "    f()",
    ]
    assert '  File "book.ipynb, cell 2", line 2, in f\n    return x / 0\n' in outcome.err
    assert outcome.err.splitlines()[-2:] == ["ZeroDivisionError: division by zero", "in book.ipynb, cell 2"]
    assert "_runner" not in outcome.err and "_notebook" not in outcome.err


def test_a_syntax_error_names_its_cell(notebook, lumbre) -> None:
    outcome = lumbre(notebook("print('before')", "x ="))
    assert (outcome.status, outcome.out) == (1, "before\n")
    assert outcome.err.startswith('  File "book.ipynb, cell 2", line 1\n    x =\n')


def test_exit_in_a_cell(notebook, lumbre) -> None:
    outcome = lumbre(notebook("import sys\nsys.exit(3)", "print('after')"))
    assert (outcome.status, outcome.out, outcome.err) == (3, "", "")


def test_matplotlib_magic_is_harmless(notebook, lumbre) -> None:
    assert lumbre(notebook("%matplotlib inline\nx = 3", "if x:\n    %matplotlib notebook\nx")).lines() == ["3"]


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("%timeit f()", "%timeit"),
        ("%%time\nf()", "%%time"),
        ("!pip install torch", "!pip"),
        ("files = !ls", "!ls"),
        ("t = %timeit -o f()", "%timeit"),
        ("print?", "print?"),
        ("?print", "?print"),
        ("x = 1\n%load_ext autoreload", "%load_ext"),
    ],
)
def test_other_magics_are_refused_by_name_before_anything_runs(cell, named, notebook, lumbre) -> None:
    outcome = lumbre(notebook("print('ran')", cell))
    assert (outcome.status, outcome.out) == (1, "")
    assert "cell 2" in outcome.err and named in outcome.err and "Traceback" not in outcome.err


def test_python_that_looks_like_a_magic(notebook, lumbre) -> None:
    assert lumbre(notebook("x = (7\n% 4)\ny = '''\n!text\n'''\nx", "y")).lines() == ["3", "'\\n!text\\n'"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"worksheets": []}'])
def test_what_is_not_a_notebook(content, write, lumbre) -> None:
    write("book.ipynb", content)
    outcome = lumbre("book.ipynb")
    assert outcome.status == 1 and "book.ipynb: not a notebook" in outcome.err and "Traceback" not in outcome.err


# --- the command ------------------------------------------------------------------------------------------------------


def test_entry_point() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"lumbre": "lumbre.__main__:main"}


def test_console_command(write, tmp_path) -> None:
    write("bin/lumbre", "import sys\nfrom lumbre.__main__ import main\nsys.exit(main())")
    write("program.py", "import sys, torch\nprint(sys.argv, sys.path[0], torch.__name__)\n1 / 0")
    outcome = start(["bin/lumbre", "program.py", "a"], tmp_path)
    assert outcome.out == f"['program.py', 'a'] {tmp_path} torch\n"
    assert outcome.status == 1 and outcome.err.count("File") == 1
