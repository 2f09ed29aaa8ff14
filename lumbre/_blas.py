"""Where the BLAS library is: asked for at the first product that is worth its call."""

from __future__ import annotations


def library_path() -> str:
    """The path of the OpenBLAS library of the package ``scipy-openblas32``, found without importing it."""
    from importlib.util import find_spec
    from os import listdir, path

    spec = find_spec("scipy_openblas32")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("matrix products need the package scipy-openblas32: pip install scipy-openblas32")
    for root in spec.submodule_search_locations:
        folder = path.join(root, "lib")
        if not path.isdir(folder):
            continue
        for name in sorted(listdir(folder)):
            if name.startswith("libscipy_openblas") and name.endswith((".so", ".dylib", ".dll")):
                return path.join(folder, name)
    raise ImportError("the package scipy-openblas32 is installed without its library; reinstall it")
