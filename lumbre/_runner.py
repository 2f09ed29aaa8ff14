"""``python -m lumbre program.py``: runs a PyTorch program, as ``python program.py`` would, on this package."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import os
import sys
from types import CodeType, ModuleType, TracebackType

from lumbre import _alias, _identity

TYPE_CHECKING = False  # typing itself takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

USAGE = """\
usage: lumbre program.py [argument ...]
       lumbre -m module [argument ...]
       lumbre -c text [argument ...]
       lumbre notebook.ipynb

Runs a PyTorch program on Lumbre: `import torch` gives Lumbre. Everything after the program is the program's.

  -h, --help     show this text
  -V, --version  show the version of Lumbre, and of the PyTorch that it follows
"""


def _refuse(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"lumbre: {message}\n")
    raise SystemExit(status)


def _set_first_path(folder: str) -> None:
    # Python has put the folder of its own program first: ours takes its place, unless it was told to put none.
    if not sys.flags.safe_path:
        sys.path[0:1] = [folder]


def _new_main(**attributes: Any) -> dict[str, Any]:
    """A fresh ``__main__``, in the place of the one that started the runner."""
    module = ModuleType("__main__")
    names = vars(module)
    names.update(attributes, __builtins__=sys.modules["builtins"])
    if "__annotations__" in vars(_first_main):
        names["__annotations__"] = {}
    sys.modules["__main__"] = module
    return names


_first_main = sys.modules["__main__"]  # kept alive


# --- tracebacks that begin in the program -----------------------------------------------------------------------------


def _print_with_cached_lines(cls: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # Python's own printing looks for source in files only; this looks in the line cache too.
    import traceback

    traceback.print_exception(cls, error, trace)


def _run(program: Callable[[], None], default_hook: Callable[..., Any] = sys.__excepthook__) -> None:
    """Runs it; an exception leaves the process as it would without a runner: shown from the program's first frame."""
    try:
        program()
    except SystemExit:
        raise
    except BaseException:
        show = default_hook if sys.excepthook is sys.__excepthook__ else sys.excepthook

        def show_program_only(cls: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            trace = _below_runner(trace)
            error.__traceback__ = trace
            show(cls, error, trace)

        sys.excepthook = show_program_only
        raise


def _below_runner(trace: TracebackType | None) -> TracebackType | None:
    below = trace
    frame = trace
    while frame is not None:
        if frame.tb_frame.f_code in _LAST_FRAMES:
            below = frame.tb_next
        frame = frame.tb_next
    return below


def execute(code: CodeType, names: dict[str, Any]) -> None:
    exec(code, names)


def compile_program(source: bytes | str, filename: str) -> CodeType:
    return compile(source, filename, "exec", dont_inherit=True)


# The runner's frames directly above the program's.
_LAST_FRAMES = {execute.__code__, compile_program.__code__}


# --- the kinds of program ---------------------------------------------------------------------------------------------


def run_file(path: str, arguments: list[str]) -> None:
    sys.argv[:] = [path, *arguments]
    full = os.path.abspath(path)
    try:
        with io.open_code(full) as file:
            source = file.read()
    except OSError as error:
        _refuse(f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}", 2)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    loader = importlib.machinery.SourceFileLoader("__main__", full)
    names = _new_main(__file__=full, __cached__=None, __loader__=loader, __package__=None, __spec__=None)
    _run(lambda: execute(compile_program(source, full), names))


def run_text(text: str, arguments: list[str]) -> None:
    sys.argv[:] = ["-c", *arguments]
    _set_first_path("")
    names = _new_main(__loader__=importlib.machinery.BuiltinImporter, __package__=None, __spec__=None)
    _run(lambda: execute(compile_program(text, "<string>"), names))


def _find_module(name: str) -> tuple[importlib.machinery.ModuleSpec, CodeType]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        _refuse(f"Error while finding module specification for {name!r} ({type(error).__name__}: {error})", 1)
    if spec is None:
        _refuse(f"No module named {name}", 1)
    if spec.submodule_search_locations is not None:
        inner = f"{name}.__main__"
        if name == "__main__" or importlib.util.find_spec(inner) is None:
            _refuse(f"No module named {inner}; {name!r} is a package and cannot be directly executed", 1)
        return _find_module(inner)
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code else None
    if code is None:
        _refuse(f"No code object available for {name}", 1)
    return spec, code


def run_module(name: str, arguments: list[str]) -> None:
    sys.argv[:] = ["-m", *arguments]
    _set_first_path(os.getcwd())

    def program() -> None:
        spec, code = _find_module(name)
        sys.argv[0] = spec.origin or name
        names = _new_main(
            __file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __package__=spec.parent, __spec__=spec
        )
        execute(code, names)

    _run(program)


def run_notebook(path: str, arguments: list[str]) -> None:
    from lumbre import _notebook

    try:
        cells = _notebook.read(path)
    except OSError as error:
        _refuse(f"can't open file {os.path.abspath(path)!r}: [Errno {error.errno}] {error.strerror}", 2)
    except _notebook.NotebookError as error:
        _refuse(f"{path}: {error}", 1)
    sys.argv[:] = [path, *arguments]
    folder = os.path.dirname(os.path.realpath(path))
    _set_first_path(folder)
    os.chdir(folder)  # where Jupyter would run it
    names = _new_main(__package__=None, __spec__=None, __loader__=None, display=_notebook.display)
    _LAST_FRAMES.update({_notebook.Cell.run.__code__, _notebook.Cell.parse.__code__})

    def program() -> None:
        for cell in cells:
            try:
                cell.run(names)
            except SystemExit:
                raise
            except BaseException as error:
                error.add_note(f"in {cell.name}")
                raise

    _run(program, _print_with_cached_lines)


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    first, rest = arguments[0], arguments[1:]
    if first in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return
    if first in ("-V", "--version"):
        sys.stdout.write(f"Lumbre {_identity.version} (PyTorch {_identity.api_level})\n")
        return
    option, attached = first[:2], first[2:]
    if option in ("-m", "-c") and not first.startswith("--"):
        values = [attached, *rest] if attached else rest
        if not values:
            _refuse(f"argument expected for the {option} option", 2)
        _alias.install()
        (run_module if option == "-m" else run_text)(values[0], values[1:])
    elif first.startswith("-") and first != "-":
        _refuse(f"unknown option {first}\n{USAGE}", 2)
    elif first == "-":
        _alias.install()
        names = _new_main(__loader__=importlib.machinery.BuiltinImporter, __package__=None, __spec__=None)
        sys.argv[:] = ["-", *rest]
        _set_first_path("")
        _run(lambda: execute(compile_program(sys.stdin.read(), "<stdin>"), names))
    else:
        _alias.install()
        (run_notebook if first.endswith(".ipynb") else run_file)(first, rest)
