"""Assertions that values are close, with messages that say where they are not."""

from __future__ import annotations

import cmath
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

from lumbre import Tensor, as_tensor, bfloat16, float16, float32, float64, promote_types, unravel_index
from lumbre import int64 as _int64

_TOLERANCES = {
    float16: (1e-3, 1e-5),
    bfloat16: (1.6e-2, 1e-5),
    float32: (1.3e-6, 1e-5),
    float64: (1e-7, 1e-7),
}


class _Mismatch(Exception):
    """A failure, with its class, its text and the place in the containers."""

    def __init__(self, kind: type[Exception], text: str, path: tuple = ()) -> None:
        super().__init__(text)
        self.kind, self.text, self.path = kind, text, path


def _differ(text: str) -> NoReturn:
    raise _Mismatch(AssertionError, text)


class _Comparison:
    def __init__(self, **options: Any) -> None:
        self.options = options
        self.rtol, self.atol = options["rtol"], options["atol"]

    def compare(self, actual: Any, expected: Any, path: tuple = ()) -> None:
        try:
            self._compare_one(actual, expected, path)
        except _Mismatch as found:
            if not found.path:
                found.path = path
            raise

    def _compare_one(self, actual: Any, expected: Any, path: tuple) -> None:
        numpy = sys.modules.get("numpy")
        if (actual is None and not isinstance(expected, Tensor)) or (
            expected is None and not isinstance(actual, Tensor)
        ):
            if actual is not expected:
                _differ(f"None mismatch: {actual} is not {expected}")
        elif isinstance(actual, bool) and isinstance(expected, bool):
            if actual is not expected:
                _differ(f"Booleans mismatch: {actual} is not {expected}")
        elif _is_number(actual) and _is_number(expected):
            self._compare_numbers(actual, expected)
        elif isinstance(actual, Tensor) and isinstance(expected, Tensor):
            self._compare_tensors(actual, expected)
        elif numpy and isinstance(actual, numpy.ndarray) and isinstance(expected, numpy.ndarray):
            self._compare_tensors(as_tensor(actual), as_tensor(expected))
        elif _is_mapping(actual) and _is_mapping(expected):
            self._compare_mappings(actual, expected, path)
        elif _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                _differ(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
            for i in range(len(expected)):
                self.compare(actual[i], expected[i], (*path, i))
        else:
            raise _Mismatch(
                TypeError, f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
            )

    def _compare_mappings(self, actual: Any, expected: Any, path: tuple) -> None:
        missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        if missing or extra:
            _differ(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing)}\n"
                f"Additional keys in the actual mapping: {sorted(extra)}"
            )
        try:
            keys = sorted(expected.keys())
        except TypeError:
            keys = list(expected.keys())
        for key in keys:
            self.compare(actual[key], expected[key], (*path, key))

    def _tolerances(self, *dtypes: Any) -> tuple[float, float]:
        if self.rtol is not None:
            return self.rtol, self.atol
        each = [_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
        return max(r for r, _ in each), max(a for _, a in each)

    def _compare_numbers(self, actual: Any, expected: Any) -> None:
        if self.options["check_dtype"] and type(actual) is not type(expected):
            _differ(f"The (d)types do not match: {type(actual)} != {type(expected)}.")
        rtol, atol = self._tolerances(*[float64 if isinstance(x, float) else _int64 for x in (actual, expected)])
        close = (
            actual == expected
            or (self.options["equal_nan"] and cmath.isnan(actual) and cmath.isnan(expected))
            or (cmath.isfinite(expected) and abs(actual - expected) <= atol + rtol * abs(expected))
        )
        if not close:
            _differ(_scalar_text(actual, expected, rtol, atol))

    def _compare_tensors(self, actual: Tensor, expected: Tensor) -> None:
        options = self.options
        if not options["allow_subclasses"] and type(actual) is not type(expected):
            raise _Mismatch(
                TypeError, f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
            )
        for checked, name, values in (
            (True, "shape", (actual.shape, expected.shape)),
            (options["check_layout"], "layout", (actual.layout, expected.layout)),
            (options["check_stride"], "stride()", (actual.stride(), expected.stride())),
            (options["check_device"], "device", (actual.device, expected.device)),
            (options["check_dtype"], "dtype", (actual.dtype, expected.dtype)),
        ):
            if checked and values[0] != values[1]:
                _differ(f"The values for attribute '{name}' do not match: {values[0]} != {values[1]}.")
        rtol, atol = self._tolerances(actual.dtype, expected.dtype)
        actual, expected = actual.detach(), expected.detach()
        if actual.dtype != expected.dtype:
            common = promote_types(actual.dtype, expected.dtype)
            actual, expected = actual.to(common), expected.to(common)
        matches = actual.isclose(expected, rtol=rtol, atol=atol, equal_nan=options["equal_nan"])
        if bool(matches.all()):
            return
        if actual.dim() == 0:
            _differ(_scalar_text(actual.item(), expected.item(), rtol, atol))
        _differ(_tensor_text(actual, expected, matches, rtol, atol))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex))


def _is_mapping(value: Any) -> bool:
    from collections.abc import Mapping

    return isinstance(value, Mapping)


def _is_sequence(value: Any) -> bool:
    from collections.abc import Sequence

    return isinstance(value, Sequence) and not isinstance(value, str)


def _allowed(tolerance: float, equal: bool) -> str:
    return "" if equal else f" (up to {tolerance} allowed)"


def _scalar_text(actual: Any, expected: Any, rtol: float, atol: float) -> str:
    equal = rtol == 0 and atol == 0
    difference = abs(actual - expected)
    relative = float("inf") if expected == 0 else difference / abs(expected)
    return (
        f"Scalars are not {'equal' if equal else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {difference}{_allowed(atol, equal)}\n"
        f"Relative difference: {relative}{_allowed(rtol, equal)}"
    )


def _tensor_text(actual: Tensor, expected: Tensor, matches: Tensor, rtol: float, atol: float) -> str:
    equal = rtol == 0 and atol == 0
    wrong, total = int((~matches).sum()), matches.numel()
    if not actual.is_floating_point():
        actual, expected = actual.to(_int64), expected.to(_int64)
    flat = matches.flatten()
    differences = (actual - expected).abs().flatten()
    relative = differences / expected.abs().flatten()
    # Elements that match do not compete for the greatest difference.
    places = []
    for values in (differences, relative):
        values = values.clone()
        values[flat] = 0
        at = values.argmax()
        where = tuple(int(i) for i in unravel_index(at, matches.shape))
        places.append((values[at].item(), where))
    (absolute, first), (ratio, second) = places
    return (
        f"Tensor-likes are not {'equal' if equal else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
        f"Greatest absolute difference: {absolute} at index {first}{_allowed(atol, equal)}\n"
        f"Greatest relative difference: {ratio} at index {second}{_allowed(rtol, equal)}"
    )


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError unless |actual - expected| <= atol + rtol |expected| everywhere, and the attributes agree.

    Takes tensors, numbers, NumPy arrays, None, and sequences and mappings of them; the tolerances follow from the dtypes.

    >>> torch.testing.assert_close(torch.tensor(1.), torch.tensor(1. + 1e-7))
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    comparison = _Comparison(
        allow_subclasses=allow_subclasses,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=check_device,
        check_dtype=check_dtype,
        check_layout=check_layout,
        check_stride=check_stride,
    )
    try:
        comparison.compare(actual, expected)
    except _Mismatch as found:
        kind, text = found.kind, found.text
        if found.path:
            text += f"\n\nThe failure occurred for item {''.join(f'[{each!r}]' for each in found.path)}"
        if kind is AssertionError and msg is not None:
            text = msg(text) if callable(msg) else msg
    else:
        return
    raise kind(text)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Deprecated: see ``assert_close``, which also compares the dtypes."""
    from warnings import warn

    warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use "
        "`torch.testing.assert_close()` instead. You can find detailed upgrade instructions in "
        "https://github.com/pytorch/pytorch/issues/61844.",
        FutureWarning,
        stacklevel=2,
    )
    actual = actual if isinstance(actual, Tensor) else as_tensor(actual)
    expected = expected if isinstance(expected, Tensor) else as_tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        rtol, atol = _TOLERANCES.get(promote_types(actual.dtype, expected.dtype), (0.0, 0.0))
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )
