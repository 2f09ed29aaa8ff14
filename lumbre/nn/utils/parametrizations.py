"""Ready parametrizations: weights as direction and length, of spectral norm 1, orthogonal."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn.modules.module import Module
from lumbre.nn.utils import parametrize
from lumbre.nn.utils.spectral_norm import as_matrix, default_dim, unit
from lumbre.nn.utils.weight_norm import norm_except, scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor
__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """A weight from its lengths along ``dim`` and its direction."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return scaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Any:
    """Parametrizes a weight by its lengths along ``dim`` (``original0``) and its direction (``original1``).

    >>> net = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 3))
    >>> net.parametrizations.weight.original0.shape
    torch.Size([3, 1])
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state: dict, prefix: str, *rest: Any) -> None:
        # State dicts of the older weight_norm.
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state and v in state:
            state[f"{prefix}parametrizations.{name}.original0"] = state.pop(g)
            state[f"{prefix}parametrizations.{name}.original1"] = state.pop(v)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    """A weight over its largest singular value, found by power iterations that go on in training."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            rows, columns = matrix.size()
            u = matrix.new_empty(rows).normal_(0, 1)
            v = matrix.new_empty(columns).normal_(0, 1)
            self.register_buffer("_u", unit(u, eps))
            self.register_buffer("_v", unit(v, eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        from lumbre import mv, no_grad

        with no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(unit(mv(matrix, self._v), self.eps))
                self._v.copy_(unit(mv(matrix.t(), self._u), self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return unit(weight, self.eps)
        from lumbre import dot, mv

        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix.detach(), self.n_power_iterations)
        # Later iterations must not change what this forward saved.
        u, v = self._u.clone(), self._v.clone()
        return weight / dot(u, mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def _tensor_of(module: Module, name: str) -> Tensor:
    value = getattr(module, name, None)
    if not isinstance(value, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Parametrizes a weight so that its largest singular value is 1 (Miyato et al. 2018).

    ``dim`` says which dimension counts the outputs; by default 1 for transposed convolutions, else 0.

    >>> net = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 3))
    >>> net.parametrizations.weight.original.shape
    torch.Size([3, 2])
    """
    weight = _tensor_of(module, name)
    if dim is None:
        dim = default_dim(module)
    parametrize.register_parametrization(module, name, _SpectralNorm(weight.detach(), n_power_iterations, dim, eps))
    return module


_MAPS = ("matrix_exp", "cayley", "householder")


def _signed(matrix: Tensor, values: Tensor) -> Tensor:
    """The columns times the signs of values."""
    return matrix * values.sign().unsqueeze(-2)


def _is_orthogonal(q: Tensor) -> bool:
    from lumbre import allclose, eye, finfo

    return allclose(q.mT @ q, eye(q.size(-1), dtype=q.dtype), atol=10.0 * q.size(-2) * finfo(q.dtype).eps)


def _nearest(matrix: Tensor) -> Tensor:
    """The orthogonal factor of a matrix whose triangular one has a positive diagonal."""
    from lumbre import geqrf, linalg

    packed, tau = geqrf(matrix)
    return _signed(linalg.householder_product(packed, tau), packed.diagonal(dim1=-2, dim2=-1))


class _Orthogonal(Module):
    """An orthogonal matrix from any one: the exponential or the Cayley transform of its skew part, or reflections."""

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.trivialized = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def _tall(self, x: Tensor) -> Tensor:
        """The map of a matrix with as many rows as columns or more."""
        rows, columns = x.size(-2), x.size(-1)
        from lumbre import cat, eye, linalg

        if self.orthogonal_map == "householder":
            a = x.tril(-1)
            q = linalg.householder_product(a, 2.0 / (1.0 + (a * a).sum(-2)))
            return q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        x = x.tril()
        if rows != columns:
            x = cat([x, x.new_zeros((*x.shape[:-1], rows - columns))], -1)
        skew = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            q = linalg.matrix_exp(skew)
        else:
            one = eye(rows, dtype=skew.dtype)
            q = linalg.solve(one - 0.5 * skew, one + 0.5 * skew)
        return q[..., :columns] if rows != columns else q

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        q = self._tall(X.mT if wide else X)
        if self.trivialized:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        from lumbre import no_grad

        with no_grad():
            return self._inverse(Q)

    def _inverse(self, given: Tensor) -> Tensor:
        from lumbre import cat, geqrf, randn, zeros_like

        wide = given.size(-2) < given.size(-1)
        q = given.mT if wide else given
        rows, columns = q.size(-2), q.size(-1)
        if not self.trivialized:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                    "use_trivialization=False."
                )
            packed, tau = geqrf(q)
            diagonal = packed.diagonal(dim1=-2, dim2=-1)
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1
            return packed.mT if wide else packed
        if rows != columns:
            q = _nearest(cat([q, randn(*q.shape[:-2], rows, rows - columns, dtype=q.dtype)], -1))
        else:
            q = q.clone() if _is_orthogonal(q) else _nearest(q)
        self.base = q
        # Minus the identity: its skew part is zero, and it stands for no reflection.
        start = zeros_like(given)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Any:
    """Parametrizes a weight to have orthonormal rows or columns, whichever are fewer.

    ``orthogonal_map`` is 'matrix_exp' (for square weights by default), 'cayley' or 'householder' (for others). With
    ``use_trivialization`` the map acts around the weight of now, which may also be assigned.

    >>> net = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(2, 4))
    >>> torch.dist(net.weight.T @ net.weight, torch.eye(2)) < 1e-5
    tensor(True)
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.size(-2) == weight.size(-1) else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, made, unsafe=True)
    return module
