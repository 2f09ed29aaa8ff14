"""PyTorch's own samples, run under both: its wheel carries a database of operators with inputs for each.

``check(opinfo)`` holds one operator against PyTorch: forward values, dtype and shape for every dtype that both have,
then the in-place and ``out=`` forms, then the samples that must be refused.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import lumbre

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
DTYPES = {getattr(torch, name): getattr(lumbre, name) for name in NAMES}
RTOL = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-5, "float64": 1e-7}
ATOL = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-7}


class Unsupported(Exception):
    """The sample uses something that Lumbre does not have by design yet (complex, sparse)."""


def storage_of(tensor: torch.Tensor) -> torch.Tensor:
    """The whole storage of a tensor as a flat tensor of its dtype."""
    count = tensor.untyped_storage().nbytes() // tensor.element_size()
    return torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage(), 0, (count,), (1,))


def to_lumbre(value: Any, memo: dict[int, Any]) -> Any:
    """The same structure with Lumbre's tensors: same strides, offset and shared storage."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in DTYPES or value.layout is not torch.strided:
            raise Unsupported(str(value.dtype))
        key = value.untyped_storage().data_ptr() if value.untyped_storage().nbytes() else id(value)
        if (key, value.dtype) not in memo:
            flat = storage_of(value.detach()).clone()
            raw = flat.view(torch.uint8).numpy() if flat.numel() else np.zeros(0, np.uint8)
            base = lumbre.empty(flat.numel(), dtype=DTYPES[value.dtype])
            if flat.numel():
                np.copyto(base_bytes(base), raw)
            memo[key, value.dtype] = base
        view = lumbre.empty(0, dtype=DTYPES[value.dtype])
        return view._set_geometry(memo[key, value.dtype], value.storage_offset(), tuple(value.shape), value.stride())
    if isinstance(value, torch.dtype):
        if value not in DTYPES:
            raise Unsupported(str(value))
        return DTYPES[value]
    if isinstance(value, torch.Size):
        return lumbre.Size(value)
    if isinstance(value, torch.memory_format | torch.layout):
        return getattr(lumbre, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return lumbre.device(str(value))
    if isinstance(value, complex):
        raise Unsupported("complex")
    if isinstance(value, torch.nn.Module) or (callable(value) and getattr(value, "__module__", "").startswith("torch")):
        return counterpart(value)
    if is_dataclass(value) and not isinstance(value, type):  # options
        given = {each.name: to_lumbre(getattr(value, each.name), memo) for each in fields(value)}
        return getattr(lumbre.nn, type(value).__name__)(**given)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_lumbre(item, memo) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(to_lumbre(item, memo) for item in value)
    if isinstance(value, dict):
        return {key: to_lumbre(item, memo) for key, item in value.items()}
    return value


def counterpart(function: Any) -> Any:
    """Lumbre's function or module for one of PyTorch's that is an argument; modules without parameters only."""
    if isinstance(function, torch.nn.Module):
        made = getattr(lumbre.nn, type(function).__name__)()
        made.__dict__.update({key: value for key, value in vars(function).items() if not key.startswith("_")})
        return made
    found: Any = lumbre
    for part in [*function.__module__.split(".")[1:], function.__name__]:
        found = getattr(found, part, None)
    if found is None:
        raise Unsupported(str(function))
    return found


def base_bytes(tensor: Any) -> np.ndarray:
    """A NumPy view of a contiguous tensor's bytes; bfloat16 has no NumPy dtype, so the address is used."""
    import ctypes

    size = tensor.numel() * tensor.element_size()
    return np.frombuffer((ctypes.c_uint8 * size).from_address(tensor.data_ptr()), np.uint8)


def to_numpy(tensor: Any) -> np.ndarray:
    """The elements of a tensor of either library, 16-bit floats widened."""
    if str(tensor.dtype).endswith("float16"):
        tensor = tensor.to((lumbre if isinstance(tensor, lumbre.Tensor) else torch).float32)
    return tensor.detach().numpy()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def same(ours: Any, theirs: Any, where: str = "", tolerance: float = 1.0) -> str | None:
    """None when both are equal in structure, dtype, shape and value; otherwise what differs."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, lumbre.Tensor):
            return f"{where}: {type(ours).__name__} instead of a tensor"
        name = str(theirs.dtype).removeprefix("torch.")
        if str(ours.dtype).rpartition(".")[2] != name:
            return f"{where}: dtype {ours.dtype}, expected {name}"
        if tuple(ours.shape) != tuple(theirs.shape):
            return f"{where}: shape {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
        a, b = to_numpy(ours), to_numpy(theirs)
        rtol, atol = RTOL.get(name, 0.0) * tolerance, ATOL.get(name, 0.0) * tolerance
        if not np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True):
            bad = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
            return (
                f"{where}: {int(bad.sum())} of {bad.size} values differ, {a[bad].flat[0]!r} expected {b[bad].flat[0]!r}"
            )
        return None
    if isinstance(theirs, list | tuple):
        if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
            return f"{where}: {type(ours).__name__} instead of {len(theirs)} results"
        for i, (x, y) in enumerate(zip(ours, theirs, strict=True)):
            if difference := same(x, y, f"{where}[{i}]", tolerance):
                return difference
        return None
    if isinstance(theirs, torch.dtype):
        return None if DTYPES.get(theirs) is ours else f"{where}: {ours} instead of {theirs}"
    if isinstance(theirs, float) and isinstance(ours, float):
        return None if np.isclose(ours, theirs, rtol=1e-6, equal_nan=True) else f"{where}: {ours} instead of {theirs}"
    return None if ours == theirs else f"{where}: {ours!r} instead of {theirs!r}"


def doubled(value: Any) -> Any:
    """The same structure in float64; Unsupported where that would ask for other results."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, torch.dtype | torch.nn.Module):
        raise Unsupported(str(value))
    if type(value) in (list, tuple):
        return type(value)(map(doubled, value))
    if type(value) is dict:
        return {key: doubled(item) for key, item in value.items()}
    return value


def exact(name: str) -> Callable[..., Any] | None:
    """An element's true value where PyTorch's float64 is not to be trusted; None where it is."""
    import mpmath

    def polygamma(x: float, n: int) -> float:
        if x <= 0 and x == int(x):
            return float("inf") if n % 2 else float("nan")
        return float(mpmath.psi(n, x))

    functions = {
        "polygamma": polygamma,
        "special.polygamma": polygamma,
        "special.bessel_j0": lambda x: float(mpmath.besselj(0, x)),
        "special.bessel_y1": lambda x: float(mpmath.bessely(1, x)) if x > 0 else float("nan" if x < 0 else "-inf"),
    }
    return functions.get(name)


def true_value(opinfo: Any, sample: Any) -> Any:
    """What exact arithmetic gives for a sample: by mpmath where that is told, else PyTorch in float64."""
    if (function := exact(opinfo.name)) is not None:
        elements = [function(x, *sample.args) for x in sample.input.double().flatten().tolist()]
        return torch.tensor(elements, dtype=torch.float64).reshape(sample.input.shape)
    given = [doubled(each) for each in (sample.input, *sample.args)]
    return sample.output_process_fn_grad(opinfo.op(*given, **doubled(sample.kwargs)))


def nearer(ours: Any, theirs: Any, opinfo: Any, sample: Any) -> bool:
    """Whether each value that differs is at least as near to the true one as PyTorch's own is.

    Rounding in another order is no error: a half-precision sum of ours that stays in float32 is the better one.
    """
    try:
        with quiet():
            truth = true_value(opinfo, sample)
    except Exception:
        return False
    tensors = [list(each) if isinstance(each, list | tuple) else [each] for each in (ours, theirs, truth)]
    for one, other, exact_value in zip(*tensors, strict=True):
        if same(one, other) is None:
            continue
        if not isinstance(one, lumbre.Tensor) or one.shape != tuple(other.shape) or not other.is_floating_point():
            return False
        a, b, c = to_numpy(one), to_numpy(other), to_numpy(exact_value)
        name = str(other.dtype).removeprefix("torch.")
        alike = np.isclose(a, b, rtol=RTOL[name], atol=ATOL[name], equal_nan=True)
        rounded = to_numpy(exact_value.to(other.dtype))  # what is too large for the dtype is infinite
        with np.errstate(all="ignore"):
            closer = (np.abs(a - c) <= np.abs(b - c)) | (a == rounded) | (np.isnan(b) & np.isfinite(a) & np.isfinite(c))
        if str(one.dtype).rpartition(".")[2] != name or not (alike | closer).all():
            return False
    return True


def same_up_to_ties(given: Any, ours: Any, theirs: Any, opinfo: Any) -> bool:
    """Whether indices differ only among equal elements, whose order PyTorch leaves open."""
    value, args, kwargs = given
    if opinfo.name not in ("sort", "argsort", "mode") or kwargs.get("stable") or value.dim() == 0:
        return False
    first = next((each for each in args if isinstance(each, int) and not isinstance(each, bool)), -1)
    dim = kwargs.get("dim", first)
    mine, other = (ours, theirs) if opinfo.name == "argsort" else (ours[1], theirs[1])
    if opinfo.name != "argsort" and same(ours[0], theirs[0]):
        return False
    if tuple(mine.shape) != tuple(other.shape) or mine.dtype is not lumbre.int64:
        return False
    theirs_here = lumbre.tensor(other.numpy())
    if mine.dim() < value.dim():
        mine, theirs_here = mine.unsqueeze(dim), theirs_here.unsqueeze(dim)
    a, b = (to_numpy(value.gather(dim, each)) for each in (mine, theirs_here))
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


# Where the database's sample is not the function's arguments in order.
SPECIAL: dict[str, Callable[..., Any]] = {
    "where": lambda value, condition, other, **k: lumbre.where(condition, value, other, **k),
    "__getitem__": lambda value, index: value[index],
    "cat": lambda tensors, *args, **k: lumbre.cat(tensors, *args, **k),
    "polygamma": lambda value, n, **k: lumbre.polygamma(n, value, **k),
    "special.polygamma": lambda value, n, **k: lumbre.special.polygamma(n, value, **k),
    "T": lambda value: value.T,
    "H": lambda value: value.H,
    "mT": lambda value: value.mT,
    "mH": lambda value: value.mH,
    "__rdiv__": lambda value, other: lumbre.Tensor.__rtruediv__(value, other),
    "einsum": lambda tensors, equation: lumbre.einsum(equation, *tensors),
    "nn.functional.embedding": lambda weight, index, **k: lumbre.nn.functional.embedding(index, weight, **k),
    "nn.functional.embedding_bag": lambda weight, index, **k: lumbre.nn.functional.embedding_bag(index, weight, **k),
    "linalg.lstsq:grad_oriented": lambda a, b, driver: lumbre.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg.pinv:singular": lambda a, b: lumbre.linalg.pinv(a @ b.mT),
    "bool": lambda value, **k: value.bool(**k),
    "byte": lambda value, **k: value.byte(**k),
    "char": lambda value, **k: value.char(**k),
    "double": lambda value, **k: value.double(**k),
    "float": lambda value, **k: value.float(**k),
    "half": lambda value, **k: value.half(**k),
    "int": lambda value, **k: value.int(**k),
    "long": lambda value, **k: value.long(**k),
    "short": lambda value, **k: value.short(**k),
    "bfloat16": lambda value, **k: value.bfloat16(**k),
}


def find(opinfo: Any) -> Callable[..., Any] | None:
    """Lumbre's function of an OpInfo's name; None when it is missing."""
    if opinfo.variant_test_name == "in_place":  # the database holds the in-place method itself, under this variant
        return getattr(lumbre.Tensor, opinfo.name + "_", None)
    if (variant := f"{opinfo.name}:{opinfo.variant_test_name}") in SPECIAL:
        return SPECIAL[variant]
    if opinfo.name in SPECIAL:
        return SPECIAL[opinfo.name]
    target: Any = lumbre
    for part in opinfo.name.split("."):
        target = getattr(target, part, None)
        if target is None:
            break
    if target is not None:
        return target
    # Methods without a function (__radd__, expand, ...): PyTorch's database calls them through a small lambda.
    return None if "." in opinfo.name else getattr(lumbre.Tensor, opinfo.name, None)


@dataclass
class Report:
    """What one operator did. ``right`` means that every forward sample of every shared dtype was right."""

    name: str
    present: bool = False
    samples: int = 0
    failures: list[str] = field(default_factory=list)
    inplace_samples: int = 0
    inplace_failures: list[str] = field(default_factory=list)
    out_samples: int = 0
    out_failures: list[str] = field(default_factory=list)
    errors: int = 0
    error_failures: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return self.present and self.samples > 0 and not (self.failures or self.inplace_failures or self.out_failures)


def brief(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(brief(item) for item in value) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={brief(item)}" for key, item in value.items()) + "}"
    return repr(value)


def describe(sample: Any, dtype: torch.dtype) -> str:
    return f"{dtype}: {brief(sample.input)} {brief(sample.args)} {brief(sample.kwargs)}"[:200]


def random_op(opinfo: Any) -> bool:
    """Operators whose result is a draw or uninitialised: only shape and dtype can be compared."""
    return opinfo.name in {
        "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "bernoulli",
        "multinomial", "normal", "rand_like", "randint_like", "randn_like", "randn", "randint", "rand", "uniform",
        "exponential", "geometric", "log_normal", "cauchy", "nn.functional.dropout", "nn.functional.dropout2d",
        "nn.functional.dropout3d", "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout",
        "nn.functional.rrelu", "randperm",
    }  # fmt: skip


def same_draw(ours: Any, theirs: Any) -> str | None:
    if tuple(ours.shape) != tuple(theirs.shape):
        return f": shape {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
    name = str(theirs.dtype).removeprefix("torch.")
    return None if str(ours.dtype).endswith(name) else f": dtype {ours.dtype}, expected {name}"


def call(function: Callable[..., Any], sample: tuple[Any, Any, Any], opinfo: Any) -> Any:
    value, args, kwargs = sample
    return function(value, *args, **kwargs)


def check_forms(opinfo: Any, sample: Any, expected: Any, dtype: torch.dtype, function: Any, report: Report) -> None:
    """The in-place form and the out= form give what the function gives."""
    where = describe(sample, dtype)
    inplace_name = opinfo.name.rpartition(".")[2].removesuffix("_") + "_"
    theirs_inplace = opinfo.inplace_variant
    if theirs_inplace is not None and isinstance(expected, torch.Tensor) and isinstance(sample.input, torch.Tensor):
        try:
            with quiet():
                wanted = theirs_inplace(sample.input.clone(), *sample.args, **sample.kwargs)
        except Exception:
            wanted = None
        if isinstance(wanted, torch.Tensor) and not sample.broadcasts_input:
            report.inplace_samples += 1
            try:
                value, args, kwargs = to_lumbre((sample.input.clone(), sample.args, sample.kwargs), {})
                method = getattr(value, inplace_name, None)
                if method is None:  # nn.functional.name_ is a function, or the function takes inplace=True
                    if getattr(opinfo.inplace_variant, "__name__", "") == inplace_name:
                        method = functools.partial(getattr(lumbre.nn.functional, inplace_name), value)
                    else:
                        method = functools.partial(function, value, inplace=True)
                ours = method(*args, **kwargs)
                problem = "returned another tensor" if ours is not value else same(ours, wanted)
                if problem and ours is value and nearer(ours, wanted, opinfo, sample):
                    problem = None
            except Unsupported:
                problem = None
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                report.inplace_failures.append(f"{where}: in place: {problem}"[:300])
    if opinfo.supports_out and isinstance(expected, torch.Tensor) and "out" not in sample.kwargs:
        report.out_samples += 1
        try:
            value, args, kwargs = to_lumbre((sample.input, sample.args, sample.kwargs), {})
            target = lumbre.empty(tuple(expected.shape), dtype=DTYPES[expected.dtype])
            ours = function(value, *args, **kwargs, out=target)
            problem = "returned another tensor" if ours is not target else same(ours, expected)
            if problem and ours is target and nearer(ours, expected, opinfo, sample):
                problem = None
        except Unsupported:
            problem = None
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            report.out_failures.append(f"{where}: out=: {problem}"[:300])


def check_forward(opinfo: Any, function: Any, report: Report) -> None:
    for dtype in sorted(opinfo.supported_dtypes("cpu") & DTYPES.keys(), key=str):
        torch.manual_seed(0)
        for index, sample in enumerate(opinfo.sample_inputs("cpu", dtype, requires_grad=False)):
            try:
                ours_in = to_lumbre((sample.input, sample.args, sample.kwargs), {})
            except Unsupported:
                continue
            try:
                # The seed that wrapped operators of the database set; the stream of the samples is left alone.
                with quiet(), torch.random.fork_rng(devices=[]):
                    torch.manual_seed(42)
                    expected = opinfo.op(sample.input, *sample.args, **sample.kwargs)
            except Exception:
                continue
            report.samples += 1
            where = describe(sample, dtype)
            try:
                with quiet():
                    lumbre.manual_seed(42)
                    got = call(function, ours_in, opinfo)
                    if random_op(opinfo):
                        problem = same_draw(got, expected)
                    else:
                        theirs = sample.output_process_fn_grad(expected)
                        mine = sample.output_process_fn_grad(got)
                        problem = same(mine, theirs)
                        if problem and (
                            nearer(mine, theirs, opinfo, sample) or same_up_to_ties(ours_in, mine, theirs, opinfo)
                        ):
                            problem = None
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                report.failures.append(f"{where} {problem}"[:300])
                if len(report.failures) > 20:
                    return
            elif not random_op(opinfo) and index < 12:
                with quiet():
                    check_forms(opinfo, sample, expected, dtype, function, report)


def check_errors(opinfo: Any, function: Any, report: Report) -> None:
    if opinfo.error_inputs_func is None:
        return
    for case in opinfo.error_inputs("cpu"):
        sample = case.sample_input
        try:
            ours = to_lumbre((sample.input, sample.args, sample.kwargs), {})
        except (Unsupported, Exception):
            continue
        report.errors += 1
        wanted = case.error_type
        try:
            with quiet():
                call(function, ours, opinfo)
            report.error_failures.append(
                f"accepted {brief(sample.input)} {brief(sample.args)} {brief(sample.kwargs)}"[:200]
            )
        except Exception as error:
            if not isinstance(error, wanted):
                report.error_failures.append(f"{type(error).__name__} instead of {wanted}: {error}"[:300])


def check(opinfo: Any) -> Report:
    name = opinfo.name + (f":{opinfo.variant_test_name}" if opinfo.variant_test_name else "")
    report = Report(name)
    function = find(opinfo)
    if function is None:
        return report
    report.present = True
    check_forward(opinfo, function, report)
    try:
        check_errors(opinfo, function, report)
    except Exception as error:
        report.error_failures.append(f"the samples: {type(error).__name__}: {error}")
    return report


def database() -> list[Any]:
    return list(op_db)
