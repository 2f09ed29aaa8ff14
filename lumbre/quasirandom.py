"""``torch.quasirandom``: points that fill a cube more evenly than random ones.

Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals", USSR Computational
Mathematics and Mathematical Physics 7(4), 1967; directions of Joe and Kuo, "Constructing Sobol sequences with better
two-dimensional projections", SIAM Journal on Scientific Computing 30(5), 2008.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import lumbre
from lumbre import _C

Tensor = _C.Tensor
__all__ = ["SobolEngine"]
_BITS = 30
# A primitive polynomial per dimension, its coefficients as bits, and the directions that start its recurrence.
_FIRST = (
    (1, (1,)), (3, (1,)), (7, (1, 3)), (11, (1, 3, 1)), (13, (1, 1, 1)), (19, (1, 1, 3, 3)), (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
)  # fmt: skip


def _starts(dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """The polynomials and first directions of all dimensions: our own of the first eight, SciPy's table of more."""
    if dimension <= len(_FIRST):
        rows = _FIRST[:dimension]
        return np.array([p for p, _ in rows]), np.array([[*m, *[0] * (18 - len(m))] for _, m in rows])
    spec = find_spec("scipy")
    folders = spec.submodule_search_locations if spec is not None else None
    tables = [Path(folder, "stats", "_sobol_direction_numbers.npz") for folder in folders or ()]
    found = next((table for table in tables if table.exists()), None)
    if found is None:
        raise NotImplementedError(
            f"SobolEngine: the directions of more than {len(_FIRST)} dimensions are read from SciPy's table: install scipy"
        )
    with np.load(found) as table:
        return table["poly"][:dimension], table["vinit"][:dimension]


def _directions(dimension: int) -> np.ndarray:
    """(dimension, 30): the number whose bits are flipped together, per bit of a point's index."""
    polynomials, starts = _starts(dimension)
    m = np.ones((dimension, _BITS), dtype=np.int64)  # of the first dimension all are 1
    degrees = np.array([int(p).bit_length() - 1 for p in polynomials])
    for degree in range(1, degrees.max(initial=0) + 1):
        rows = np.flatnonzero(degrees == degree)
        values = np.zeros((len(rows), _BITS), dtype=np.int64)
        values[:, :degree] = starts[rows, :degree]
        for k in range(degree, _BITS):
            values[:, k] = values[:, k - degree] ^ (values[:, k - degree] << degree)
            for i in range(1, degree):
                taken = polynomials[rows] >> (degree - i) & 1
                values[:, k] ^= taken * (values[:, k - i] << i)
        m[rows] = values
    return m << np.arange(_BITS - 1, -1, -1)


def _scrambled(directions: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The directions, the bits of each (the highest first) multiplied by its dimension's triangular matrix."""
    weights = np.arange(_BITS - 1, -1, -1)
    bits = directions[:, :, None] >> weights & 1
    return ((bits @ triangles.transpose(0, 2, 1) & 1) << weights).sum(-1)


class SobolEngine:
    """Points of a Sobol sequence in the unit cube of ``dimension`` (1 to 21201) dimensions, one after the other.

    With ``scramble`` digits are mixed by random triangular matrices and a shift, of ``seed`` or the default generator.
    More than eight dimensions need SciPy, whose table of directions is read (NotImplementedError without it). ValueError
    for another number of dimensions.

    >>> torch.quasirandom.SobolEngine(2).draw(4)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000],
            [0.7500, 0.2500],
            [0.2500, 0.7500]])
    """

    MAXBIT = _BITS
    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]")
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        directions = _directions(dimension)
        shift = np.zeros(dimension, dtype=np.int64)
        if scramble:
            generator = None if seed is None else lumbre.Generator().manual_seed(seed)
            digits = lumbre.randint(2, (dimension, _BITS), generator=generator).numpy()
            shift = (digits << np.arange(_BITS)).sum(-1)
            triangles = lumbre.randint(2, (dimension, _BITS, _BITS), generator=generator).numpy()
            directions = _scrambled(directions, np.tril(triangles, -1) | np.eye(_BITS, dtype=np.int64))
        self.sobolstate, self.shift = lumbre.from_numpy(directions), lumbre.from_numpy(shift)
        self.reset()

    def reset(self) -> SobolEngine:
        """Begins again with the first point."""
        self.num_generated = 0
        self.quasi = self.shift.clone()
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Passes over ``n`` points."""
        self.num_generated += n
        self.quasi = lumbre.from_numpy(self._points(max(self.num_generated - 1, 0), 1)[0].copy())
        return self

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next ``n`` points, (n, dimension), of ``dtype`` (by default the default one) or in ``out``."""
        if n < 0:
            raise RuntimeError(f"SobolEngine: cannot draw {n} points")
        points = lumbre.from_numpy(self._points(self.num_generated, n))
        result = points.to(dtype or lumbre.get_default_dtype()) * 2.0**-_BITS
        self.fast_forward(n)
        return result if out is None else out.resize_(result.shape).copy_(result)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next ``2 ** m`` points. ValueError where the points drawn are then no power of two, which balances them."""
        n = 2**m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                f"The balance properties of Sobol' points require n to be a power of 2. {self.num_generated} points have "
                f"been previously generated, then: n={self.num_generated}+2**{m}={total}. If you still want to do this, "
                "please use 'SobolEngine.draw()' instead."
            )
        return self.draw(n, out=out, dtype=dtype)

    def _points(self, first: int, n: int) -> np.ndarray:
        """(n, dimension): points as multiples of 2 ** -30, found from the Gray code of their index alone."""
        if first + n > 1 << _BITS:
            raise ValueError(f"SobolEngine: a sequence has 2**{_BITS} points")
        index = np.arange(first, first + n)
        gray = index ^ index >> 1
        points = np.tile(self.shift.numpy(), (n, 1))
        for bit in range((first + n).bit_length()):
            points ^= (gray >> bit & 1)[:, None] * self.sobolstate[:, bit].numpy()
        return points

    def __repr__(self) -> str:
        text = f"SobolEngine(dimension={self.dimension}"
        text += ", scramble=True" if self.scramble else ""
        return text + (f", seed={self.seed})" if self.seed is not None else ")")
