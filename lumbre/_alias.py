"""Makes ``import torch`` mean this package, for the rest of the process.

Every module exists once, under two names: ``sys.modules["torch.nn"] is sys.modules["lumbre.nn"]``. Its own name, and
so what messages, pickles and ``repr`` show, is the one that begins with ``torch``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import os
import sys
from types import ModuleType

from lumbre import _C, _identity

TYPE_CHECKING = False  # typing itself takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

OWN = "lumbre"
ALIAS = "torch"


def _as(root: str, name: str) -> str:
    return root + name[len(name.partition(".")[0]) :]


class _SameModule:
    """Loads a module that is already there under its other name."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just put the alias's spec here.
        module.__spec__ = self.spec


def _wrap_execution(spec: importlib.machinery.ModuleSpec, wrapped: Callable[[Callable, ModuleType], None]) -> None:
    """Has ``wrapped(exec_module, module)`` run where the loader would run ``exec_module(module)``, once."""
    loader: Any = spec.loader

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        wrapped(loader.exec_module, module)

    loader.exec_module = exec_module


def _execute_under_both_names(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    own = _as(OWN, module.__name__)
    sys.modules[own] = module  # before it runs: modules import each other in circles
    try:
        execute(module)
    except BaseException:
        sys.modules.pop(own, None)
        raise


class _Finder:
    """Stands first in ``sys.meta_path``."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name in _AFTER_IMPORT:
            return self._find_patched(name, path)
        if name == "functorch":
            # PyTorch's wheel carries it beside torch; it would reach for parts that are not here.
            from importlib.util import spec_from_file_location

            file = os.path.join(_package_folder, "_functorch", "package.py")
            return spec_from_file_location(name, file, submodule_search_locations=[])
        root, _, rest = name.partition(".")
        if root not in (OWN, ALIAS):
            return None
        if not rest:
            return importlib.machinery.ModuleSpec(name, _SameModule(_package), is_package=True)  # type: ignore[arg-type]
        twin = sys.modules.get(_as(OWN if root == ALIAS else ALIAS, name))
        if twin is None and root == OWN:
            if importlib.machinery.PathFinder.find_spec(_as(ALIAS, name), path) is None:
                from lumbre import _named

                if rest not in _named.ROWS:
                    return None
            twin = importlib.import_module(_as(ALIAS, name))
            # Found there, it would be taken for a module that its parent imported, and loaded again from its own spec.
            sys.modules.pop(name, None)
        if twin is not None:
            loader: Any = _SameModule(twin)
            return importlib.machinery.ModuleSpec(name, loader, origin=getattr(twin, "__file__", None))
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            from lumbre import _named

            spec = _named.find(name, rest)
        if spec is not None and spec.loader is not None:
            _wrap_execution(spec, _execute_under_both_names)
        if spec is None:
            from lumbre import _absent

            if why := _absent.reason(rest):
                raise ModuleNotFoundError(f"No module named {name!r}: {why}", name=name)
        return spec

    @staticmethod
    def _find_patched(name: str, path: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:

            def execute_and_patch(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
                execute(module)
                _AFTER_IMPORT[name](module)

            _wrap_execution(spec, execute_and_patch)
        return spec

    def find_distributions(self, context: Any = None) -> Iterator[Any]:
        """``importlib.metadata.version("torch")`` answers as ``torch.__version__`` does."""
        wanted = getattr(context, "name", None)
        if wanted is None or wanted.lower() == ALIAS:
            yield _distribution()


def _distribution() -> Any:
    # Whoever asks has imported importlib.metadata; others need not wait for it.
    import importlib.metadata
    from pathlib import Path

    class TorchDistribution(importlib.metadata.Distribution):
        def read_text(self, filename: str) -> str | None:
            if filename == "METADATA":
                return f"Metadata-Version: 2.1\nName: {ALIAS}\nVersion: {_identity.torch_version}\n"
            return ALIAS + "\n" if filename == "top_level.txt" else None

        def locate_file(self, path: Any) -> Path:
            return Path(_package_folder).parent / path

    return TorchDistribution()


# --- the modules that were loaded before ------------------------------------------------------------------------------


def _rename(module: ModuleType) -> None:
    """Gives a loaded module, and what it defines, the names that they would have if loaded as ``torch``."""
    name = _as(ALIAS, module.__name__)
    old = module.__spec__
    module.__name__ = name
    if old is not None:
        loader = old.loader
        if isinstance(loader, importlib.machinery.SourceFileLoader | importlib.machinery.ExtensionFileLoader):
            loader = type(loader)(name, loader.path)
        spec = importlib.machinery.ModuleSpec(name, loader, origin=old.origin, loader_state=old.loader_state)
        spec.submodule_search_locations = old.submodule_search_locations
        spec.has_location = old.has_location
        spec.cached = old.cached
        module.__spec__ = spec
        module.__loader__ = loader
        module.__package__ = spec.parent
    for value in list(vars(module).values()):
        home = getattr(value, "__module__", None)
        if callable(value) and isinstance(home, str) and home.partition(".")[0] == OWN:
            # Built-in functions refuse: their module is neither shown nor pickled.
            with contextlib.suppress(AttributeError, TypeError):
                value.__module__ = _as(ALIAS, home)


# --- extensions built for PyTorch -------------------------------------------------------------------------------------

_LIBTORCH = r"\blib(?:torch\w*|c10\w*|shm)\.(?:so|dylib)|\b_ZNK?\d*(?:2at|3c10|5torch)|c10::|at::|torch::"


def _explain_extension_failures() -> None:
    loader = importlib.machinery.ExtensionFileLoader
    create = loader.create_module
    if getattr(create, "_explains_libtorch", False):
        return

    def create_module(self: Any, spec: Any) -> Any:
        try:
            return create(self, spec)
        except ImportError as error:
            import re

            if re.search(_LIBTORCH, str(error)):
                error.add_note(
                    f"{spec.name} is compiled against PyTorch's own C++ library, which Lumbre stands in for and does "
                    "not contain. Run this program with PyTorch, or use a build of that package without its extension."
                )
            raise

    create_module._explains_libtorch = True  # type: ignore[attr-defined]
    loader.create_module = create_module  # type: ignore[method-assign]


# --- worker processes -------------------------------------------------------------------------------------------------


class _InstallWhenUnpickled:
    """Travels with what multiprocessing tells a new process before anything else, and installs the alias there."""

    def __reduce__(self) -> tuple[Any, ...]:
        folder = os.path.dirname(_package_folder)
        lines = f"import sys\nif {folder!r} not in sys.path: sys.path.append({folder!r})\n"
        return exec, (lines + f"from {OWN} import _alias\n_alias.install()",)


def _carry_to_spawned(spawn: ModuleType) -> None:
    prepare = spawn.get_preparation_data  # type: ignore[attr-defined]

    def get_preparation_data(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"alias": _InstallWhenUnpickled(), **prepare(*args, **kwargs)}

    spawn.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]


def _keep_fork_server_clean(forkserver: ModuleType) -> None:
    # Its server would import the program before it is told of the alias; each worker does so after.
    server = forkserver._forkserver  # type: ignore[attr-defined]
    server._preload_modules = [name for name in server._preload_modules if name != "__main__"]


_AFTER_IMPORT: dict[str, Callable[[ModuleType], None]] = {
    "multiprocessing.spawn": _carry_to_spawned,
    "multiprocessing.forkserver": _keep_fork_server_clean,
    # loky, which joblib and scikit-learn run their workers with, starts processes in the same way by itself.
    "loky.backend.spawn": _carry_to_spawned,
    "joblib.externals.loky.backend.spawn": _carry_to_spawned,
}

# --- installing -------------------------------------------------------------------------------------------------------

_package = sys.modules[OWN]
_package_folder = os.path.dirname(os.path.abspath(_package.__file__ or ""))
_installed = False


def install() -> None:
    """Makes ``torch`` a name of this package, from now on. Doing it twice changes nothing."""
    global _installed
    if _installed:
        return
    if sys.modules.get(ALIAS, _package) is not _package:
        raise RuntimeError("PyTorch is already imported: Lumbre can take its name only before the first `import torch`")
    _installed = True
    _identity.printed_name = ALIAS
    _C._set_printed_prefix(ALIAS)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == OWN:
            _rename(module)
            sys.modules[_as(ALIAS, name)] = module
    _package.__version__ = _identity.torch_version  # type: ignore[attr-defined]
    _package.torch = _package  # type: ignore[attr-defined]  # some programs say torch.torch
    sys.meta_path.insert(0, _Finder())
    for name, patch in _AFTER_IMPORT.items():
        if name in sys.modules:
            patch(sys.modules[name])
    _explain_extension_failures()
