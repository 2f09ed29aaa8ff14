"""The libraries that run the rows: how each takes operands, gives answers, and is told how many threads to use."""

from __future__ import annotations

import contextlib
import importlib
import random
from typing import Any

import numpy as np

from benchmarks.suite import Row, names_in

Names = dict[str, Any]
INDIVIDUAL = (int, float, bool, str, np.generic)


class Library:
    """Lumbre or PyTorch: programs are written for both."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = importlib.import_module(name.partition(".")[0])
        self.threads = self.module.get_num_threads()

    @property
    def version(self) -> str:
        return self.module.__version__

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        torch = self.module
        wanted = getattr(torch, dtype)
        with_gaps = torch.from_numpy(array.copy())
        return with_gaps.clone() if with_gaps.dtype == wanted else with_gaps.to(wanted)

    def compiled(self, net: Any) -> Any:
        """The network as this peer runs it."""
        return net

    def names(self, row: Row) -> Names:
        torch = self.module
        self.seed()
        return {"torch": torch, "F": torch.nn.functional, **row.prepare(self)}

    def statement(self, row: Row, names: Names) -> str:
        return row.statement

    def answer(self, row: Row, names: Names) -> list[np.ndarray] | None:
        """What is compared before the row is timed; None where it cannot be."""
        self.seed()
        if row.answer is not None:
            exec(row.statement, names)
        return list(self.arrays(eval(row.answer or row.statement, names)))

    def arrays(self, value: Any) -> Any:
        """Every number in the value, as arrays."""
        if value is None or isinstance(value, self.module.dtype | self.module.Size):
            return
        if isinstance(value, self.module.Tensor):
            value = value.detach()
            yield (value.float() if value.dtype in (self.module.bfloat16, self.module.float16) else value).numpy()
        elif isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, dict):
            yield from self.arrays(list(value.values()))
        elif isinstance(value, INDIVIDUAL):
            yield np.asarray(value)
        else:
            for part in value:
                yield from self.arrays(part)

    def seed(self) -> None:
        random.seed(0)
        self.module.manual_seed(0)

    def set_threads(self, count: int | None) -> None:
        self.module.set_num_threads(self.threads if count is None else count)


class Compiled(Library):
    """PyTorch with its networks through ``torch.compile``."""

    def compiled(self, net: Any) -> Any:
        self.module.compiler.reset()
        return self.module.compile(net)


class Numpy(Library):
    def __init__(self, name: str) -> None:
        self.name, self.module = name, np

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        return array.astype(dtype)

    def names(self, row: Row) -> Names:
        return {"np": np, **row.prepare(self)}

    def statement(self, row: Row, names: Names) -> str:
        assert row.numpy is not None
        return row.numpy

    def answer(self, row: Row, names: Names) -> list[np.ndarray] | None:
        if row.answer is not None:
            exec(self.statement(row, names), names)
            return None if "torch" in names_in(row.answer) else list(self.arrays(eval(row.answer, names)))
        return list(self.arrays(eval(self.statement(row, names), names)))

    def arrays(self, value: Any) -> Any:
        if isinstance(value, INDIVIDUAL) or hasattr(value, "__array__"):
            yield np.asarray(value)
        else:
            for part in value:
                yield from self.arrays(part)

    def set_threads(self, count: int | None) -> None:
        if count is not None:
            raise NotImplementedError("NumPy has no such switch")


class Jax(Numpy):
    """JAX, with NumPy's statement under ``jit``; it has computed when the result is ready."""

    def __init__(self, name: str) -> None:
        import jax
        import jax.numpy

        jax.config.update("jax_enable_x64", True)
        self.name, self.module, self.jax = name, jax.numpy, jax

    @property
    def version(self) -> str:
        return self.jax.__version__

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        return self.module.asarray(array.copy(), dtype)

    def names(self, row: Row) -> Names:
        names = {"np": self.module, **row.prepare(self)}
        arrays = [name for name, value in names.items() if isinstance(value, self.jax.Array)]
        made: Names = dict(names)
        exec(f"def function({', '.join(arrays)}): return {row.numpy}", made)
        call = f"function({', '.join(arrays)})"
        return names | {"function": self.jax.jit(made["function"]), "ready": self.jax.block_until_ready, "call": call}

    def statement(self, row: Row, names: Names) -> str:
        return f"ready({names['call']})"


class Machine(Library):
    """What the machine itself can do: a copy of memory, and fused multiply-adds (``limits.cc``)."""

    def __init__(self, name: str) -> None:
        from benchmarks.limits import Limits

        self.name, self.module, self.limits = name, None, Limits()
        self.threads = self.limits.threads

    @property
    def version(self) -> str:
        return self.limits.compiler

    def names(self, row: Row) -> Names:
        return {"limits": self.limits}

    def statement(self, row: Row, names: Names) -> str:
        assert row.limit is not None
        return f"limits.reach({row.limit.kind!r})"

    def answer(self, row: Row, names: Names) -> None:
        return None

    def set_threads(self, count: int | None) -> None:
        self.limits.threads = self.threads if count is None else count


LIBRARIES = {
    "lumbre": Library,
    "lumbre.before": Library,
    "torch": Library,
    "torch.compile": Compiled,
    "numpy": Numpy,
    "jax": Jax,
    "machine": Machine,
}


def library(name: str) -> Library:
    return LIBRARIES[name](name)


@contextlib.contextmanager
def quiet_warnings() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
