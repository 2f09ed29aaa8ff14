// Linear algebra written with recorded operators: factors as matrices, least squares, and the older names.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "ops/backward.h"
#include "ops/linear_algebra.h"

namespace lumbre::ops {

namespace {

Tensor turned(const Tensor& a) { return op::transpose(a, -1, -2); }

Tensor identity(const Tensor& like) {
  const Tensor result = Tensor::zeros({rows(like), rows(like)}, like.dtype());
  for (int64_t i = 0; i < rows(like); ++i)
    visit_real(like.dtype(), [&]<class T>(T) { result.as<T>()[i * (rows(like) + 1)] = 1; });
  return result;
}

std::tuple<Tensor, Tensor, Tensor> lu(const Tensor& a, bool pivot) {
  const std::vector<Tensor> factors = op::call<"linalg.lu_factor_ex">.all(a, pivot, false);
  const std::vector<Tensor> parts = op::call<"lu_unpack">.all(factors[0], factors[1], true, true);
  return {parts[0], parts[1], parts[2]};
}

Tensor lu_solve(const Tensor& b, const Tensor& lu_data, const Tensor& pivots) {
  return op::call<"linalg.lu_solve">(lu_data, pivots, b, true, false);
}

Tensor logdet(const Tensor& a) {
  const std::vector<Tensor> parts = op::call<"linalg.slogdet">.all(a);
  return op::where(op::call<"eq">(parts[0], Scalar(-1.0)), Scalar(std::nan("")), parts[1]);
}

Tensor cholesky_solve(const Tensor& b, const Tensor& l, bool upper) {
  LB_CHECK(b.ndim() >= 2, Runtime, "b should have at least 2 dimensions, but has ", b.ndim(), " dimensions instead");
  LB_CHECK(l.ndim() >= 2, Runtime, "u should have at least 2 dimensions, but has ", l.ndim(), " dimensions instead");
  LB_CHECK(rows(l) == columns(l), Runtime, "cholesky_solve: A must be batches of square matrices, but they are ",
           rows(l), " by ", columns(l), " matrices");
  LB_CHECK(rows(l) == rows(b), Runtime, "Incompatible matrix sizes for cholesky_solve: each A matrix is ", rows(l),
           " by ", rows(l), " but each b matrix is ", rows(b), " by ", columns(b));
  const autograd::GradModeGuard off(false);
  const Tensor first = upper ? turned(l) : l;
  const Tensor half = op::call<"linalg.solve_triangular">(first, b, false, true, false);
  return op::call<"linalg.solve_triangular">(turned(first), half, true, true, false);
}

// As if every element of the factor were read, as PyTorch has it: a factor from a decomposition keeps the right half.
Tensor through_factor(const Tensor& l, const Tensor& outer, bool upper) {
  const Tensor both = op::add(outer, turned(outer));
  return op::neg(upper ? op::mm(l, both) : op::mm(both, l));
}

void cholesky_solve_gradient(Backward& b) {
  const Tensor l = b.input(1);
  const Tensor gb = op::call<"cholesky_solve">(b.grad(), l, b.flag(2));
  if (b.needs(0)) b.give(0, gb);
  if (b.needs(1)) b.give(1, through_factor(l, op::mm(gb, turned(b.result())), b.flag(2)));
}

void cholesky_inverse_gradient(Backward& b) {
  const Tensor inverse = b.result();
  b.give(0, through_factor(b.input(0), op::mm(op::mm(inverse, b.grad()), inverse), b.flag(1)));
}

Tensor cholesky_inverse(const Tensor& l, bool upper) {
  check_square(l, "cholesky_inverse");
  check_floating(l, "cholesky_inverse");
  return cholesky_solve(identity(l), l, upper);
}

std::tuple<Tensor, Tensor> triangular_solve(const Tensor& b, const Tensor& a, bool upper, bool transposed, bool unit) {
  LB_CHECK(b.ndim() >= 2, Runtime, "torch.triangular_solve: Expected b to have at least 2 dimensions, but it has ",
           b.ndim(), " dimensions instead");
  LB_CHECK(a.ndim() >= 2, Runtime, "torch.triangular_solve: Expected A to have at least 2 dimensions, but it has ",
           a.ndim(), " dimensions instead");
  const Tensor x = transposed ? op::call<"linalg.solve_triangular">(turned(a), b, !upper, true, unit)
                              : op::call<"linalg.solve_triangular">(a, b, upper, true, unit);
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b));
  return {x, op::call<"clone">(op::expand(a, joined(batch, {rows(a), columns(a)})), MemoryFormat::Contiguous)};
}

std::tuple<Tensor, Tensor> qr(const Tensor& a, bool some) {
  const std::vector<Tensor> parts = op::call<"linalg.qr">.all(a, some ? "reduced" : "complete");
  return {parts[0], parts[1]};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool some, bool compute_uv) {
  LB_CHECK(a.ndim() >= 2, Runtime, "linalg.svd: input should have at least 2 dimensions, but has ", a.ndim(),
           " dimensions instead");
  if (compute_uv) {
    const std::vector<Tensor> parts = op::call<"linalg.svd">.all(a, !some, op::none);
    return {parts[0], parts[1], turned(parts[2])};
  }
  const auto zeros = [&](int64_t n) { return Tensor::zeros(joined(batch_sizes(a), {n, n}), a.dtype()); };
  return {zeros(rows(a)), op::call<"linalg.svdvals">(a, op::none), zeros(columns(a))};
}

// Squared distances from A X to B. What LAPACK leaves below the solution has the same length, but another direction:
// it gives the value, and A X - B the derivative.
Tensor lstsq_residuals(const Tensor&, const Tensor&, const Tensor&, const Tensor& rest) {
  const autograd::GradModeGuard off(false);
  return op::sum(op::mul(rest, rest), {-2}, false);
}
void lstsq_residuals_gradient(Backward& b) {
  using namespace op;
  const Tensor a = b.input(0), x = b.input(2);
  const Tensor g = op::unsqueeze(b.grad(), -2) * (op::mm(a, x) - b.input(1)) * Scalar(2.0);
  if (b.needs(0)) b.give(0, op::mm(g, turned(x)));
  if (b.needs(1)) b.give(1, -g);
  if (b.needs(2)) b.give(2, op::mm(turned(a), g));
}

// solution, residuals, rank, singular values
std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond,
                                                 std::optional<std::string> given_driver) {
  const char* name = "torch.linalg.lstsq";
  LB_CHECK(a.ndim() >= 2, Runtime, name, ": input must have at least 2 dimensions.");
  LB_CHECK(b.ndim() >= 1, Runtime, name, ": other must have at least 1 dimension.");
  LB_CHECK(a.dtype() == b.dtype(), Runtime, name,
           ": Expected input and other to have the same dtype, but got input's dtype ", dtype_title(a.dtype()),
           " and other's dtype ", dtype_title(b.dtype()));
  const std::string driver = given_driver.value_or("gelsy");
  const bool vector = b.ndim() == 1 || (a.ndim() - 1 == b.ndim() && b.sizes() == batch_sizes(a, 1));
  const Tensor wanted = vector ? op::unsqueeze(b, -1) : b;
  LB_CHECK(rows(a) == rows(wanted), Runtime, name,
           vector ? ": input.size(-2) should match other.size(-1)" : ": input.size(-2) should match other.size(-2)");
  const int64_t m = rows(a), n = columns(a);
  const double epsilon = a.dtype() == DType::Float32 ? FLT_EPSILON : DBL_EPSILON;
  const double limit = rcond.value_or(epsilon * static_cast<double>(std::max(m, n)));
  const std::vector<Tensor> parts = op::call<"_linalg_lstsq">.all(a, wanted, limit, driver.c_str());
  Tensor x = op::call<"narrow">(parts[0], -2, 0, n), residuals = Tensor::empty({0}, a.dtype());
  bool full_rank = driver != "gelsy" && m > n;
  if (driver == "gelsd" || driver == "gelss")
    full_rank = full_rank && std::all_of(parts[1].as<int64_t>(), parts[1].as<int64_t>() + parts[1].count(),
                                         [n](int64_t rank) { return rank == n; });
  if (full_rank) {
    residuals = op::call<"_lstsq_residuals">(a, wanted, x, op::call<"narrow">(parts[0], -2, n, m - n));
  }
  if (vector) x = op::call<"squeeze">(x, -1);
  return {x, residuals, parts[1], parts[2]};
}

}  // namespace

LB_OPERATOR(.signature = "linalg.lu(A, *, pivot=True, out=None) -> (P, L, U)",
            .doc = R"(A permutation, a unit lower and an upper triangular matrix whose product is A (..., m, n).

>>> torch.linalg.lu(torch.tensor([[0., 2.], [4., 1.]])).U
tensor([[4., 1.],
        [0., 2.]]))",
            .forward = forward_of<lu>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "lu_solve(b, LU_data, LU_pivots, *, out=None)", .doc = R"(See torch.linalg.lu_solve.

>>> torch.lu_solve(torch.ones(2, 1), *torch.linalg.lu_factor(torch.eye(2)))
tensor([[1.],
        [1.]]))",
            .forward = forward_of<lu_solve>, .derivative = kComposed);
LB_OPERATOR(.signature = "logdet(input)", .doc = R"(The logarithms of determinants; nan where one is negative.

>>> torch.logdet(torch.eye(2))
tensor(0.))",
            .forward = forward_of<logdet>, .derivative = kComposed);
LB_OPERATOR(.signature = "cholesky_solve(input, input2, upper=False, *, out=None)",
            .doc = R"(X of A X = input, where input2 is the Cholesky factor of A.

>>> torch.cholesky_solve(torch.ones(1, 1), torch.tensor([[2.]]))
tensor([[0.2500]]))",
            .forward = forward_of<cholesky_solve>,
            .derivative = gradients("CholeskySolveBackward0", cholesky_solve_gradient, "0:1 1:1r"));
LB_OPERATOR(.signature = "cholesky_inverse(input, upper=False, *, out=None)",
            .doc = R"(The inverse of A from its Cholesky factor.

>>> torch.cholesky_inverse(torch.tensor([[2.]]))
tensor([[0.2500]]))",
            .forward = forward_of<cholesky_inverse>,
            .derivative = gradients("CholeskyInverseBackward0", cholesky_inverse_gradient, "0:0r"));
LB_OPERATOR(.signature =
                "triangular_solve(b, A, upper=True, transpose=False, unitriangular=False, *, out=None) -> (solution, "
                "cloned_coefficient)",
            .doc = R"(X of A X = b for a triangular A, and a copy of A. See torch.linalg.solve_triangular.

>>> torch.triangular_solve(torch.ones(1, 1), torch.tensor([[2.]])).solution
tensor([[0.5000]]))",
            .forward = forward_of<triangular_solve>, .derivative = kComposed);
LB_OPERATOR(.signature = "qr(input, some=True, *, out=None) -> (Q, R)", .doc = R"(See torch.linalg.qr.

>>> torch.qr(torch.tensor([[3.], [4.]])).R
tensor([[-5.]]))",
            .forward = forward_of<qr>, .derivative = kComposed);
LB_OPERATOR(.signature = "svd(input, some=True, compute_uv=True, *, out=None) -> (U, S, V)",
            .doc = R"(U diag(S) V^T = input. See torch.linalg.svd, which gives V^T.

>>> torch.svd(torch.tensor([[3., 0.], [0., 4.]])).S
tensor([4., 3.]))",
            .forward = forward_of<svd>, .derivative = kComposed);
LB_OPERATOR(.signature = "_lstsq_residuals(A, B, X, rest)",
            .doc = "Sums of squares of the rows that LAPACK leaves below the solution X of least squares.",
            .forward = forward_of<lstsq_residuals>,
            .derivative = gradients("LinalgLstsqBackward0", lstsq_residuals_gradient, "0:012 1:012 2:012"),
            .forms = kFunction);
LB_OPERATOR(.signature =
                "linalg.lstsq(input, b, rcond=None, *, driver=None) -> (solution, residuals, rank, singular_values)",
            .doc = R"(The X that makes ||A X - B|| least, for (..., m, n) and (..., m, k) or vectors (..., m).

driver is 'gelsy' (None), 'gels', 'gelsd' or 'gelss'; residuals, rank and singular values are empty where the driver does
not give them.

>>> torch.linalg.lstsq(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [3.]])).solution
tensor([[2.]]))",
            .forward = forward_of<lstsq>, .derivative = kComposed, .forms = kFunction, .decides = Decides::Elements);

}  // namespace lumbre::ops
