// Linear systems: LU and Cholesky factors, inverses, solutions, determinants.
#include "ops/linear_algebra.h"

#include <cmath>

#include "ops/views.h"

namespace lumbre::ops {

using lapack::Int;

Dims batch_sizes(const Tensor& a, int count) {
  return Dims(std::span(a.sizes().begin(), a.sizes().size() - static_cast<size_t>(count)));
}

Dims joined(Dims batch, std::initializer_list<int64_t> last) {
  for (int64_t size : last) batch.push_back(size);
  return batch;
}

void check_matrix(const Tensor& a, const char* name, const char* parameter) {
  LB_CHECK(a.ndim() >= 2, Runtime, name, ": The input tensor ", parameter, " must have at least 2 dimensions.");
}

void check_square(const Tensor& a, const char* name, const char* parameter) {
  check_matrix(a, name, parameter);
  LB_CHECK(rows(a) == columns(a), Runtime, name, ": ", parameter, " must be batches of square matrices, but they are ",
           rows(a), " by ", columns(a), " matrices");
}

void check_floating(const Tensor& a, const char* name) {
  LB_CHECK(is_floating(a.dtype()), Runtime, name, ": Expected a floating point or complex tensor as input. Got ",
           dtype_title(a.dtype()));
  LB_CHECK(!is_half(a.dtype()), Runtime, name, ": Low precision dtypes not supported. Got ", dtype_title(a.dtype()));
}

void check_same_dtype(const Tensor& a, const Tensor& b, const char* name) {
  LB_CHECK(a.dtype() == b.dtype(), Runtime, name, ": Expected A and B to have the same dtype, but found A of type ",
           dtype_title(a.dtype()), " and B of type ", dtype_title(b.dtype()), " instead");
}

Tensor column_major(const Dims& sizes, DType dtype) {
  Dims swapped = sizes;
  std::swap(swapped[sizes.ndim() - 1], swapped[sizes.ndim() - 2]);
  return transpose(Tensor::empty(swapped, dtype), -1, -2);
}

Tensor column_major_copy(const Tensor& a, const Dims& sizes) {
  Tensor result = column_major(sizes, a.dtype());
  result.copy_from(a);
  return result;
}
Tensor column_major_copy(const Tensor& a) { return column_major_copy(a, a.sizes()); }

Tensor as_column_major(const Tensor& a) { return transpose(a, -1, -2).is_contiguous() ? a : column_major_copy(a); }

void check_info(const Tensor& info, const char* name, FunctionRef<std::string(int)> sentence, ErrorKind kind) {
  const int32_t* each = info.as<int32_t>();
  for (int64_t i = 0; i < info.count(); ++i) {
    if (each[i] == 0) continue;
    fail(kind, name, ": ", info.ndim() > 0 ? text("(Batch element ", i, "): ") : "", sentence(each[i]));
  }
}

namespace {

// --- LU -------------------------------------------------------------------------------------------------------------

struct Factors {
  Tensor lu, pivots, info;
};

Factors factored(Tensor lu) {
  const int64_t k = std::min(rows(lu), columns(lu));
  const Tensor pivots = Tensor::empty(joined(batch_sizes(lu), {k}), DType::Int32);
  const Tensor info = Tensor::zeros(batch_sizes(lu), DType::Int32);
  visit_real(lu.dtype(), [&]<class T>(T) {
    const Matrices<T> a = matrices<T>(lu);
    for (int64_t i = 0; i < a.count && k > 0; ++i)
      info.as<int32_t>()[i] = lapack::getrf(a.rows, a.columns, a.at(i), a.leading(), pivots.as<int32_t>() + i * k);
  });
  return {std::move(lu), pivots, info};
}

Factors factor(const Tensor& a, bool pivot) {
  LB_CHECK(a.ndim() >= 2, Runtime, "torch.lu_factor: Expected tensor with 2 or more dimensions. Got size: ", a.sizes(),
           " instead");
  check_floating(a, "torch.lu_factor");
  LB_CHECK(pivot, Runtime, "linalg.lu_factor: LU without pivoting is not implemented on the CPU");
  return factored(column_major_copy(a));
}

void check_factors(const Tensor& info, const char* name) {
  check_info(
      info, name,
      [](int at) {
        return text("U[", at, ",", at,
                    "] is zero and using it on lu_solve would result in a division by zero. If you still want to "
                    "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)");
      },
      ErrorKind::Runtime);
}

std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& a, bool pivot, bool check_errors) {
  Factors f = factor(a, pivot);
  if (check_errors) check_factors(f.info, "torch.linalg.lu_factor_ex");
  return {f.lu, f.pivots, f.info};
}
std::tuple<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot) {
  Factors f = factor(a, pivot);
  check_factors(f.info, "torch.linalg.lu_factor");
  return {f.lu, f.pivots};
}

void check_shapes(const Tensor& a, const Tensor& b, bool left, const char* name) {
  const bool fits = left ? rows(a) == rows(b) : columns(a) == columns(b);
  LB_CHECK(fits, Runtime, name, ": Incompatible shapes of A and B for the equation ", left ? "AX = B" : "XA = B", " (",
           rows(a), "x", columns(a), " and ", rows(b), "x", columns(b), ")");
}

// X of A X = B or X A = B, from A's factors; B's matrices may be fewer than A's and the other way round.
Tensor solved(const Factors& f, const Tensor& b, bool left, bool adjoint) {
  const Dims batch = broadcast_sizes(batch_sizes(f.lu), batch_sizes(b));
  const Tensor lu = as_column_major(expand(f.lu, joined(batch, {rows(f.lu), columns(f.lu)})));
  const Tensor pivots = expand(f.pivots, joined(batch, {rows(f.lu)})).contiguous();
  const Tensor wanted = left ? b : transpose(b, -1, -2);
  const Tensor x = column_major_copy(wanted, joined(batch, {rows(wanted), columns(wanted)}));
  if (x.count() > 0)
    visit_real(x.dtype(), [&]<class T>(T) {
      const Matrices<T> m = matrices<T>(lu), to = matrices<T>(x);
      for (int64_t i = 0; i < to.count; ++i)
        lapack::getrs(left == adjoint, m.rows, to.columns, m.at(i), m.leading(), pivots.as<int32_t>() + i * m.rows,
                      to.at(i), to.leading());
    });
  return left ? x : transpose(x, -1, -2);
}

Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  const char* name = "linalg.lu_solve";
  check_floating(lu, name);
  check_same_dtype(lu, b, name);
  LB_CHECK(pivots.dtype() == DType::Int32, Runtime, name, ": pivots should be a Tensor of scalar type torch.int32");
  check_square(lu, name, "LU");
  check_matrix(b, name, "B");
  check_shapes(lu, b, left, name);
  LB_CHECK(pivots.ndim() >= 1 && pivots.sizes().back() == columns(lu), Runtime, name,
           ": Number of pivots per batch should be same as the dimension of the matrix");
  LB_CHECK(batch_sizes(pivots, 1) == batch_sizes(lu), Runtime, name,
           ": Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape ", pivots.sizes(),
           " instead");
  const Tensor places = pivots.contiguous();
  for (int64_t i = 0; i < places.count(); ++i)
    LB_CHECK(places.as<int32_t>()[i] >= 1 && places.as<int32_t>()[i] <= columns(lu), Runtime, name,
             ": pivots given to lu_solve must all be greater or equal to 1 and at most the matrix's size");
  return solved({lu, places, Tensor()}, b, left, adjoint);
}

// --- inverses and solutions -----------------------------------------------------------------------------------------

std::tuple<Tensor, Tensor> inverse_of(const Tensor& a, const char* name) {
  check_floating(a, name);
  check_square(a, name);
  Factors f = factored(column_major_copy(a));
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(f.lu);
    for (int64_t i = 0; i < m.count && m.rows > 0; ++i)
      if (f.info.as<int32_t>()[i] == 0)
        lapack::getri(m.rows, m.at(i), m.leading(), f.pivots.as<int32_t>() + i * m.rows);
  });
  return {f.lu, f.info};
}

void check_inverse(const Tensor& info, const char* name) {
  check_info(info, name, [](int at) {
    return text("The diagonal element ", at,
                " is zero, the inversion could not be completed because the input matrix is singular.");
  });
}

std::tuple<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors) {
  auto [inverse, info] = inverse_of(a, "linalg.inv");
  if (check_errors) check_inverse(info, "linalg.inv_ex");
  return {inverse, info};
}
Tensor inv(const Tensor& a) {
  auto [inverse, info] = inverse_of(a, "linalg.inv");
  check_inverse(info, "linalg.inv");
  return inverse;
}

// B is a batch of vectors, not of matrices.
bool is_vector(const Tensor& a, const Tensor& b) {
  return b.ndim() == 1 || (a.ndim() - 1 == b.ndim() && b.sizes() == batch_sizes(a, 1));
}

std::tuple<Tensor, Tensor> solution(const Tensor& a, const Tensor& b, bool left) {
  const char* name = "linalg.solve";
  check_floating(a, name);
  check_same_dtype(a, b, name);
  check_square(a, name);
  const bool vector = is_vector(a, b);
  LB_CHECK(!vector || left, Runtime,
           "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case "
           "linalg.solve is equivalent to B / A.squeeze(-1)");
  const Tensor wanted = vector ? unsqueeze(b, -1) : b;
  check_matrix(wanted, name, "B");
  check_shapes(a, wanted, left, name);
  const Factors f = factored(column_major_copy(a));
  const Tensor x = solved(f, wanted, left, false);
  return {vector ? squeeze(x, {-1}) : x, f.info};
}

void check_solution(const Tensor& info, const char* name) {
  check_info(info, name, [](int) { return std::string("The solver failed because the input matrix is singular."); });
}

std::tuple<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
  auto [x, info] = solution(a, b, left);
  if (check_errors) check_solution(info, "torch.linalg.solve_ex");
  return {x, info};
}
Tensor solve(const Tensor& a, const Tensor& b, bool left) {
  auto [x, info] = solution(a, b, left);
  check_solution(info, "torch.linalg.solve");
  return x;
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
  const char* name = "linalg.solve_triangular";
  check_same_dtype(a, b, name);
  check_floating(a, name);
  check_square(a, name);
  check_matrix(b, name, "B");
  check_shapes(a, b, left, name);
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b));
  const Tensor full = as_column_major(expand(a, joined(batch, {rows(a), columns(a)})));
  const Tensor x = column_major_copy(b, joined(batch, {rows(b), columns(b)}));
  if (x.count() > 0)
    visit_real(x.dtype(), [&]<class T>(T) {
      const Matrices<T> m = matrices<T>(full), to = matrices<T>(x);
      for (int64_t i = 0; i < to.count; ++i)
        lapack::trsm(left, upper, false, unitriangular, to.rows, to.columns, m.at(i), m.leading(), to.at(i),
                     to.leading());
    });
  return x;
}

// --- Cholesky -------------------------------------------------------------------------------------------------------

std::tuple<Tensor, Tensor> cholesky_of(const Tensor& a, bool upper, const char* name) {
  check_floating(a, name);
  check_square(a, name);
  const Tensor l = column_major_copy(a);
  const Tensor info = Tensor::zeros(batch_sizes(a), DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(l);
    for (int64_t i = 0; i < m.count && m.rows > 0; ++i) {
      info.as<int32_t>()[i] = lapack::potrf(upper, m.rows, m.at(i), m.leading());
      for (int64_t column = 0; column < m.columns; ++column) {
        T* at = m.at(i) + column * m.rows;
        if (upper)
          std::fill(at + column + 1, at + m.rows, T{0});
        else
          std::fill(at, at + column, T{0});
      }
    }
  });
  return {l, info};
}

void check_cholesky(const Tensor& info, const char* name) {
  check_info(info, name, [](int at) {
    return text(
        "The factorization could not be completed because the input is not positive-definite (the leading "
        "minor of order ",
        at, " is not positive-definite).");
  });
}

std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
  auto [l, info] = cholesky_of(a, upper, "linalg.cholesky");
  if (check_errors) check_cholesky(info, "linalg.cholesky_ex");
  return {l, info};
}
Tensor linalg_cholesky(const Tensor& a, bool upper) {
  auto [l, info] = cholesky_of(a, upper, "linalg.cholesky");
  check_cholesky(info, "linalg.cholesky");
  return l;
}
Tensor cholesky(const Tensor& a, bool upper) {
  auto [l, info] = cholesky_of(a, upper, "cholesky");
  check_cholesky(info, "cholesky");
  return l;
}

// --- determinants ---------------------------------------------------------------------------------------------------

// Calls body(i, diagonal element's address, step, n, sign of the permutation) for the LU of each matrix.
template <class T, class Body>
void each_diagonal(const Factors& f, Body&& body) {
  const Matrices<T> m = matrices<T>(f.lu);
  for (int64_t i = 0; i < m.count; ++i) {
    const int32_t* pivots = f.pivots.as<int32_t>() + i * m.rows;
    bool odd = false;
    for (Int k = 0; k < m.rows; ++k) odd ^= pivots[k] != k + 1;
    body(i, m.at(i), static_cast<int64_t>(m.rows) + 1, m.rows, odd ? T{-1} : T{1});
  }
}

Tensor det(const Tensor& a) {
  check_square(a, "linalg.det");
  check_floating(a, "linalg.det");
  const Factors f = factored(column_major_copy(a));
  const Tensor result = Tensor::empty(batch_sizes(a), a.dtype());
  visit_real(a.dtype(), [&]<class T>(T) {
    each_diagonal<T>(f, [&](int64_t i, const T* diagonal, int64_t step, Int n, T sign) {
      T product = 1;
      for (Int k = 0; k < n; ++k) product *= diagonal[k * step];
      result.as<T>()[i] = product * sign;
    });
  });
  return result;
}

std::tuple<Tensor, Tensor> slogdet(const Tensor& a) {
  check_square(a, "linalg.slogdet");
  check_floating(a, "linalg.slogdet");
  const Factors f = factored(column_major_copy(a));
  const Tensor signs = Tensor::empty(batch_sizes(a), a.dtype()), logs = Tensor::empty(batch_sizes(a), a.dtype());
  visit_real(a.dtype(), [&]<class T>(T) {
    each_diagonal<T>(f, [&](int64_t i, const T* diagonal, int64_t step, Int n, T sign) {
      T log = 0;
      for (Int k = 0; k < n; ++k) {
        const T x = diagonal[k * step];
        sign *= x > 0 ? T{1} : x < 0 ? T{-1} : x;
        log += std::log(std::abs(x));
      }
      signs.as<T>()[i] = sign;
      logs.as<T>()[i] = log;
    });
  });
  return {signs, logs};
}

}  // namespace

LB_OPERATOR(.signature = "linalg.lu_factor_ex(A, *, pivot=True, check_errors=False, out=None) -> (LU, pivots, info)",
            .doc = R"(lu_factor with a third result: per matrix 0, or the first zero on U's diagonal (from 1), int32.

>>> torch.linalg.lu_factor_ex(torch.zeros(2, 2)).info
tensor(1, dtype=torch.int32))",
            .forward = forward_of<lu_factor_ex>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.lu_factor(A, *, pivot=True, out=None) -> (LU, pivots)",
            .doc = R"(The LU factors of (..., m, n) matrices, packed in one, and the rows exchanged (from 1), int32.

Raises RuntimeError where U has a zero on its diagonal.

>>> torch.linalg.lu_factor(torch.tensor([[0., 2.], [4., 1.]])).LU
tensor([[4., 1.],
        [0., 2.]]))",
            .forward = forward_of<lu_factor>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(
        .signature = "linalg.lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None)",
        .doc = R"(X of A X = B (X A = B when left is false) from lu_factor's results; adjoint solves with A's transpose.

>>> A = torch.tensor([[2., 0.], [0., 4.]])
>>> torch.linalg.lu_solve(*torch.linalg.lu_factor(A), torch.ones(2, 1))
tensor([[0.5000],
        [0.2500]]))",
        .forward = forward_of<lu_solve>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(
        .signature = "linalg.inv_ex(A, *, check_errors=False, out=None) -> (inverse, info)",
        .doc = R"(The inverses of square matrices and, per matrix, 0 or the place of the zero that prevented it (int32).

>>> torch.linalg.inv_ex(torch.zeros(2, 2)).info
tensor(1, dtype=torch.int32))",
        .forward = forward_of<inv_ex>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.inv(A, *, out=None)",
            .doc = R"(The inverses of square matrices (..., n, n), float32 or float64. LinAlgError where there is none.

>>> torch.linalg.inv(torch.tensor([[2., 0.], [0., 4.]]))
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]]))",
            .forward = forward_of<inv>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "inverse(input, *, out=None)", .doc = R"(The inverses of square matrices; see torch.linalg.inv.

>>> torch.inverse(torch.tensor([[2.]]))
tensor([[0.5000]]))",
            .forward = forward_of<inv>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "linalg.solve_ex(A, B, *, left=True, check_errors=False, out=None) -> (result, info)",
            .doc = R"(solve with a second result: per matrix 0, or the place of the zero that prevented it (int32).

>>> torch.linalg.solve_ex(torch.eye(2), torch.ones(2)).result
tensor([1., 1.]))",
            .forward = forward_of<solve_ex>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.solve(A, B, *, left=True, out=None)",
            .doc = R"(X of A X = B (X A = B when left is false). A is (..., n, n); B (..., n, k), or vectors (..., n).

Batches broadcast. Raises LinAlgError where A is singular, RuntimeError where sizes or dtypes do not fit.

>>> torch.linalg.solve(torch.tensor([[2., 0.], [0., 4.]]), torch.tensor([2., 4.]))
tensor([1., 1.]))",
            .forward = forward_of<solve>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None)",
            .doc = R"(X of A X = B (X A = B when left is false) for a triangular A, of which only that triangle is read.

With unitriangular its diagonal counts as ones. Singular matrices give infinities.

>>> A = torch.tensor([[1., 0.], [1., 2.]])
>>> torch.linalg.solve_triangular(A, torch.tensor([[1.], [3.]]), upper=False)
tensor([[1.],
        [1.]]))",
            .forward = forward_of<solve_triangular>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.cholesky_ex(A, *, upper=False, check_errors=False, out=None) -> (L, info)",
            .doc = R"(cholesky and, per matrix, 0 or the order of the leading minor that is not positive (int32).

>>> torch.linalg.cholesky_ex(-torch.eye(2)).info
tensor(1, dtype=torch.int32))",
            .forward = forward_of<cholesky_ex>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.cholesky(A, *, upper=False, out=None)",
            .doc = R"(The lower triangular L with L L^T = A (upper: U^T U) of symmetric positive definite (..., n, n).

Only one triangle of A is read. Raises LinAlgError where A is not positive definite.

>>> torch.linalg.cholesky(torch.tensor([[4., 2.], [2., 5.]]))
tensor([[2., 0.],
        [1., 2.]]))",
            .forward = forward_of<linalg_cholesky>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "cholesky(input, upper=False, *, out=None)", .doc = R"(See torch.linalg.cholesky.

>>> torch.cholesky(torch.tensor([[4.]]))
tensor([[2.]]))",
            .forward = forward_of<cholesky>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "linalg.det(A, *, out=None)", .doc = R"(The determinants of square matrices (..., n, n).

>>> torch.linalg.det(torch.tensor([[2., 0.], [0., 4.]]))
tensor(8.))",
            .forward = forward_of<det>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "det(input)", .doc = R"(The determinants of square matrices; see torch.linalg.det.

>>> torch.det(torch.tensor([[3.]]))
tensor(3.))",
            .forward = forward_of<det>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "linalg.slogdet(A, *, out=None) -> (sign, logabsdet)",
            .doc = R"(The signs and the logarithms of the absolute values of determinants; 0 and -inf where singular.

>>> torch.linalg.slogdet(torch.tensor([[-1.]])).sign
tensor(-1.))",
            .forward = forward_of<slogdet>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "slogdet(input) -> (sign, logabsdet)", .doc = R"(See torch.linalg.slogdet.

>>> torch.slogdet(torch.tensor([[1.]])).logabsdet
tensor(0.))",
            .forward = forward_of<slogdet>, .derivative = kDerivativePlanned);

}  // namespace lumbre::ops
