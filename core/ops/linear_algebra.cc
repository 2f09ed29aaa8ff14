// Linear systems: LU and Cholesky factors, inverses, solutions, determinants.
#include "ops/linear_algebra.h"

#include "tensor/reads.h"

#include <cmath>

#include "base/threads.h"
#include "ops/backward.h"
#include "ops/factorizations.h"
#include "ops/row_matrix.h"
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

Dense dense(const Tensor& a) {
  if (a.is_contiguous()) return {a, {columns(a), 1}};
  return {as_column_major(a), {1, rows(a)}};
}

void each_matrix(int64_t count, double work, FunctionRef<void(int64_t)> body) {
  constexpr double kPart = 1 << 17, kLarge = 1 << 27;
  const auto part = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  };
  const double all = work * static_cast<double>(count);
  if (count == 1 || work >= kLarge || all < 2 * kPart) return part(0, count);
  const LongWork released(all >= 64 * kPart);
  parallel_for(count, std::max<int64_t>(static_cast<int64_t>(kPart / std::max(work, 1.0)), 1), part);
}

void check_info(const Tensor& info, const char* name, FunctionRef<std::string(int)> sentence, ErrorKind kind) {
  const int32_t* each = info.as<int32_t>();
  for (int64_t i = 0; i < info.count(); ++i) {
    if (each[i] == 0) continue;
    fail(kind, name, ": ", info.ndim() > 0 ? text("(Batch element ", i, "): ") : "", sentence(each[i]));
  }
}

namespace {

// --- LU -------------------------------------------------------------------------------------------------------------

// The matrices that `lu` holds have contiguous rows, or contiguous columns.
struct Factors {
  Tensor lu, pivots, info;
};

double cube(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

Factors factored(const Tensor& a) {
  const Tensor lu = a.clone(MemoryFormat::Contiguous);
  const int64_t k = std::min(rows(lu), columns(lu));
  const Tensor pivots = Tensor::empty(joined(batch_sizes(lu), {k}), DType::Int32);
  const Tensor info = Tensor::zeros(batch_sizes(lu), DType::Int32);
  int32_t *const places = pivots.as<int32_t>(), *const zeros = info.as<int32_t>();
  visit_real(lu.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(lu);
    each_matrix(k > 0 ? m.count : 0, cube(k), [&](int64_t i) {
      zeros[i] = static_cast<int32_t>(factor_lu<T>(m.rows, m.columns, m.at(i), m.columns, places + i * k));
    });
  });
  return {lu, pivots, info};
}

Factors factor(const Tensor& a, bool pivot) {
  LB_CHECK(a.ndim() >= 2, Runtime, "torch.lu_factor: Expected tensor with 2 or more dimensions. Got size: ", a.sizes(),
           " instead");
  check_floating(a, "torch.lu_factor");
  LB_CHECK(pivot, Runtime, "linalg.lu_factor: LU without pivoting is not implemented on the CPU");
  Factors f = factored(a);
  f.lu = column_major_copy(f.lu);
  return f;
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

// x <- A^-1 x, or A^-T x, from A's factors.
template <class T>
void solve_from_factors(bool adjoint, int64_t n, int64_t columns, const T* lu, MatrixLayout layout,
                        const int32_t* pivots, T* x, int64_t x_row) {
  const Triangle<T> lower{lu, layout, false, true}, upper{lu, layout, true, false};
  if (adjoint) {
    solve_triangle(n, columns, upper.transposed(), x, x_row);
    solve_triangle(n, columns, lower.transposed(), x, x_row);
    exchange_rows(n, pivots, true, columns, x, x_row);
  } else {
    exchange_rows(n, pivots, false, columns, x, x_row);
    solve_triangle(n, columns, lower, x, x_row);
    solve_triangle(n, columns, upper, x, x_row);
  }
}

// Calls solve(i, x, row) with the rows of each matrix of b, a batch of contiguous matrices; what it makes of them is
// the result, by columns.
template <class T>
void each_system(const Tensor& b, const Tensor& result, FunctionRef<void(int64_t, T*, int64_t)> solve) {
  const Matrices<T> from = matrices<T>(b), to = matrices<T>(result);
  const int64_t n = from.rows, columns = from.columns;
  const double work = 2 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns);
  each_matrix(result.count() > 0 ? from.count : 0, work, [&](int64_t i) {
    if (columns == 1) {
      std::copy_n(from.at(i), n, to.at(i));
      return solve(i, to.at(i), 1);
    }
    const RowMatrix<T> x(n, columns);
    x.fill_from(from.at(i));
    solve(i, x.data(), x.step());
    x.turn_to(to.at(i), n);
  });
}

// X of A X = B or X A = B, from A's factors; B's matrices may be fewer than A's and the other way round.
Tensor solved(const Factors& f, const Tensor& b, bool left, bool adjoint) {
  const Dims batch = broadcast_sizes(batch_sizes(f.lu), batch_sizes(b));
  const Dense lu = dense(expand(f.lu, joined(batch, {rows(f.lu), columns(f.lu)})));
  const Tensor pivots = expand(f.pivots, joined(batch, {rows(f.lu)})).contiguous();
  const Tensor wanted = left ? b : transpose(b, -1, -2);
  const Tensor from = expand(wanted, joined(batch, {rows(wanted), columns(wanted)})).contiguous();
  const Tensor x = column_major(from.sizes(), from.dtype());
  const int32_t* const places = pivots.as<int32_t>();
  visit_real(x.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(lu.tensor);
    each_system<T>(from, x, [&](int64_t i, T* to, int64_t row) {
      solve_from_factors<T>(left == adjoint, m.rows, columns(x), m.at(i), lu.layout, places + i * m.rows, to, row);
    });
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

// U^-1 L^-1 P: of L's inverse, the half that is zero takes no work.
template <class T>
void invert_from_factors(int64_t n, const T* lu, const int32_t* pivots, T* to) {
  const RowMatrix<T> x(n, n);
  invert_lower<T>(n, {lu, {n, 1}, false, true}, x.data(), x.step());
  solve_triangle<T>(n, n, {lu, {n, 1}, true, false}, x.data(), x.step());
  x.turn_to(to, n);
  exchange_rows(n, pivots, true, n, to, n);  // columns of the inverse
}

std::tuple<Tensor, Tensor> inverse_of(const Tensor& a, const char* name) {
  check_floating(a, name);
  check_square(a, name);
  const Factors f = factored(a);
  const Tensor inverse = column_major(a.sizes(), a.dtype());
  const int32_t* const pivots = f.pivots.as<int32_t>();
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(f.lu), to = matrices<T>(inverse);
    each_matrix(m.rows > 0 ? m.count : 0, 2 * cube(m.rows),
                [&](int64_t i) { invert_from_factors<T>(m.rows, m.at(i), pivots + i * m.rows, to.at(i)); });
  });
  return {inverse, f.info};
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
  const Factors f = factored(a);
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
  const Dense full = dense(expand(a, joined(batch, {rows(a), columns(a)})));
  const Dims sizes = joined(batch, {rows(b), columns(b)});
  const Tensor x = left ? column_major(sizes, b.dtype()) : column_major_copy(b, sizes);
  visit_real(x.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(full.tensor), to = matrices<T>(x);
    const auto triangle = [&](int64_t i) { return Triangle<T>{m.at(i), full.layout, upper, unitriangular}; };
    if (left)
      return each_system<T>(expand(b, sizes).contiguous(), x, [&](int64_t i, T* rows, int64_t step) {
        solve_triangle<T>(m.rows, columns(x), triangle(i), rows, step);
      });
    const double work = static_cast<double>(m.step) * static_cast<double>(to.rows);
    each_matrix(x.count() > 0 ? to.count : 0, work,
                [&](int64_t i) { solve_triangle<T>(m.rows, to.rows, triangle(i).transposed(), to.at(i), to.rows); });
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
  const Factors f = factored(a);
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
  const Factors f = factored(a);
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

// lu_factor's results as matrices. P is m x m, L m x k with ones on its diagonal, U k x n.
Tensor permutations(const Tensor& pivots, int64_t m, DType dtype) {
  const int64_t k = pivots.sizes().back();
  const Tensor result = Tensor::zeros(joined(batch_sizes(pivots, 1), {m, m}), dtype);
  const Tensor places = pivots.contiguous();
  std::vector<int64_t> order(static_cast<size_t>(m));
  visit_real(dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < (m > 0 ? result.count() / (m * m) : 0); ++i) {
      for (int64_t j = 0; j < m; ++j) order[static_cast<size_t>(j)] = j;
      for (int64_t j = 0; j < k; ++j) {
        const int64_t other = places.as<int32_t>()[i * k + j] - 1;
        LB_CHECK(other >= 0 && other < m, Runtime,
                 "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive. Did you properly pass the "
                 "result of lu_factor?");
        std::swap(order[static_cast<size_t>(j)], order[static_cast<size_t>(other)]);
      }
      for (int64_t j = 0; j < m; ++j) result.as<T>()[i * m * m + order[static_cast<size_t>(j)] * m + j] = 1;
    }
  });
  return result;
}

std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu, const Tensor& pivots, bool unpack_data,
                                             bool unpack_pivots) {
  LB_CHECK(pivots.dtype() == DType::Int32, Runtime,
           "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.");
  LB_CHECK(lu.ndim() >= 2, Runtime,
           "torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: ", lu.sizes(), " instead");
  check_floating(lu, "torch.lu_unpack");
  const int64_t k = std::min(rows(lu), columns(lu));
  LB_CHECK(pivots.sizes() == joined(batch_sizes(lu), {k}), Runtime,
           "torch.lu_unpack: LU_pivots does not fit LU_data: expected ", joined(batch_sizes(lu), {k}), ", got ",
           pivots.sizes());
  Tensor p = Tensor::empty({0}, lu.dtype()), l = p, u = p;
  if (unpack_pivots) p = permutations(pivots, rows(lu), lu.dtype());
  if (unpack_data) {
    l = narrow(lu, -1, 0, k).clone(MemoryFormat::Contiguous);
    u = narrow(lu, -2, 0, k).clone(MemoryFormat::Contiguous);
    visit_real(lu.dtype(), [&]<class T>(T) {
      T *lower = l.as<T>(), *upper = u.as<T>();
      for (int64_t i = 0; i < l.count(); ++i) {
        const int64_t row = i / k % rows(lu), column = i % k;
        if (row <= column) lower[i] = row == column;
      }
      for (int64_t i = 0; i < u.count(); ++i)
        if (i / columns(lu) % k > i % columns(lu)) upper[i] = 0;
    });
  }
  return {p, l, u};
}

// --- derivatives ----------------------------------------------------------------------------------------------------

Tensor turned(const Tensor& a) { return op::transpose(a, -1, -2); }
Tensor lower(const Tensor& a, int64_t diagonal) { return op::call<"tril">(a, diagonal); }
Tensor upper(const Tensor& a, int64_t diagonal) { return op::call<"triu">(a, diagonal); }
Tensor columns_of(const Tensor& a, int64_t start, int64_t count) { return op::call<"narrow">(a, -1, start, count); }
Tensor rows_of(const Tensor& a, int64_t start, int64_t count) { return op::call<"narrow">(a, -2, start, count); }
Tensor triangular(const Tensor& a, const Tensor& b, bool is_upper, bool left, bool unit) {
  return op::call<"linalg.solve_triangular">(a, b, is_upper, left, unit);
}
Tensor as_matrices(const Tensor& a) { return op::unsqueeze(op::unsqueeze(a, -1), -1); }

void inverse_gradient(Backward& b) {
  using namespace op;
  const Tensor t = turned(b.result(0));
  b.give(0, -op::mm(op::mm(t, b.grad()), t));
}

void solve_gradient(Backward& b) {
  using namespace op;
  const bool left = b.flag(2);
  const Dims a_sizes = b.sizes(0), b_sizes = b.sizes(1);
  const bool vector = b_sizes.ndim() == 1 || (a_sizes.ndim() - 1 == b_sizes.ndim() &&
                                              b_sizes == Dims(std::span(a_sizes.begin(), a_sizes.size() - 1)));
  const Tensor gb = call<"linalg.solve">(turned(b.input(0)), b.grad(), left);
  if (b.needs(1)) b.give(1, gb);
  if (!b.needs(0)) return;
  const Tensor x = b.result(0);
  if (vector)
    b.give(0, -mul(op::unsqueeze(gb, -1), op::unsqueeze(x, -2)));
  else
    b.give(0, -(left ? op::mm(gb, turned(x)) : op::mm(turned(x), gb)));
}

void triangular_gradient(Backward& b) {
  using namespace op;
  const bool is_upper = b.flag(2), left = b.flag(3), unit = b.flag(4);
  const Tensor gb = triangular(turned(b.input(0)), b.grad(), !is_upper, left, unit);
  if (b.needs(1)) b.give(1, gb);
  if (!b.needs(0)) return;
  const Tensor x = b.result(0), ga = -(left ? op::mm(gb, turned(x)) : op::mm(turned(x), gb));
  b.give(0, is_upper ? upper(ga, unit ? 1 : 0) : lower(ga, unit ? -1 : 0));
}

void cholesky_gradient(Backward& b) {
  using namespace op;
  const bool is_upper = b.flag(1);
  const Tensor l = is_upper ? turned(b.result(0)) : b.result(0), g = is_upper ? turned(b.grad()) : b.grad();
  const Tensor x = op::mm(turned(l), g);
  const Tensor phi = (lower(x, 0) + turned(lower(x, -1))) * Scalar(0.5);
  b.give(0, triangular(l, triangular(turned(l), phi, true, true, false), false, false, false));
}

// det(A) A^-T. Where A is singular, from its singular values: U diag(products of the others) Vh, with U's and Vh's
// signs.
Tensor cofactors(const Tensor& a, const Tensor& det) {
  using namespace op;
  ++element_reads;
  const auto is_zero = [&]<class T>(T) {
    const Tensor values = det.contiguous();
    return std::any_of(values.as<T>(), values.as<T>() + values.count(), [](T x) { return x == 0; });
  };
  if (!(det.dtype() == DType::Float32 ? is_zero(float{}) : is_zero(double{})))
    return mul(as_matrices(det), turned(call<"linalg.inv">(a)));
  const std::vector<Tensor> parts = call<"linalg.svd">.all(a, true, none);
  const Tensor &u = parts[0], &s = parts[1], &vh = parts[2];
  const int64_t n = s.sizes().back();
  const Tensor diagonal = Tensor::zeros({n, n}, DType::Bool);
  for (int64_t i = 0; i < n; ++i) diagonal.as<bool>()[i * n + i] = true;
  const Tensor others = call<"prod">(where(diagonal, Scalar(1.0), op::unsqueeze(s, -2)), -1, false, none);
  const Tensor sign = mul(call<"linalg.det">(u), call<"linalg.det">(vh));
  return mul(as_matrices(sign), op::mm(mul(u, op::unsqueeze(others, -2)), vh));
}

void det_gradient(Backward& b) { b.give(0, op::mul(as_matrices(b.grad()), cofactors(b.input(0), b.result(0)))); }

void slogdet_gradient(Backward& b) {
  if (!b.has(1)) return b.give(0, op::zeros(b.sizes(0), b.dtype(0)));
  const Tensor inverse = op::call<"linalg.inv_ex">.all(b.input(0), false)[0];
  b.give(0, op::mul(as_matrices(b.grad(1)), turned(inverse)));
}

void lu_unpack_gradient(Backward& b) {
  using namespace op;
  const Dims sizes = b.sizes(0);
  const int64_t m = sizes[sizes.ndim() - 2], n = sizes.back(), k = std::min(m, n);
  const auto widened = [&](const Tensor& t, int64_t dim, int64_t missing) {
    if (missing == 0) return t;
    Dims more = sizes;
    more[sizes.ndim() + static_cast<int>(dim)] = missing;
    return call<"cat">(std::vector<Tensor>{t, op::zeros(more, t.dtype())}, dim);
  };
  Tensor g;
  if (b.has(1)) g = widened(lower(b.grad(1), -1), -1, n - k);
  if (b.has(2)) {
    const Tensor from_u = widened(upper(b.grad(2), 0), -2, m - k);
    g = g.defined() ? g + from_u : from_u;
  }
  b.give(0, g.defined() ? g : op::zeros(sizes, b.dtype(0)));
}

void lu_factor_gradient(Backward& b) {
  using namespace op;
  const Tensor g = b.grad();
  const std::vector<Tensor> parts = call<"lu_unpack">.all(b.result(0), b.result(1), true, true);
  const Tensor &p = parts[0], &l = parts[1], &u = parts[2];
  const int64_t m = rows(g), n = columns(g), k = std::min(m, n);
  Tensor gl = lower(columns_of(g, 0, k), -1), gu = upper(rows_of(g, 0, k), 0);
  const Tensor l1 = rows_of(l, 0, k), u1 = columns_of(u, 0, k);
  Tensor beside, below;  // gradients of the columns right of the square part, of the rows under it
  if (n > k) {
    beside = triangular(turned(l1), columns_of(gu, k, n - k), true, true, true);
    gl = gl - op::mm(beside, turned(columns_of(u, k, n - k)));
    gu = columns_of(gu, 0, k);
  } else if (m > k) {
    below = triangular(turned(u1), rows_of(gl, k, m - k), false, false, false);
    gu = gu - op::mm(turned(rows_of(l, k, m - k)), below);
    gl = rows_of(gl, 0, k);
  }
  const Tensor inner = lower(op::mm(turned(l1), gl), -1) + upper(op::mm(gu, turned(u1)), 0);
  Tensor ga = triangular(turned(u1), triangular(turned(l1), inner, true, true, true), false, false, false);
  if (beside.defined()) ga = call<"cat">(std::vector<Tensor>{ga, beside}, -1);
  if (below.defined()) ga = call<"cat">(std::vector<Tensor>{ga, below}, -2);
  b.give(0, op::mm(p, ga));
}

void lu_solve_gradient(Backward& b) {
  using namespace op;
  const bool left = b.flag(3), adjoint = b.flag(4);
  const Tensor lu = b.input(0), pivots = b.input(1);
  const Tensor gb = call<"linalg.lu_solve">(lu, pivots, b.grad(), left, !adjoint);
  if (b.needs(2)) b.give(2, gb);
  if (!b.needs(0)) return;
  const Tensor x = b.result(0);
  const std::vector<Tensor> parts = call<"lu_unpack">.all(lu, pivots, true, true);
  Tensor ga = -(left ? op::mm(gb, turned(x)) : op::mm(turned(x), gb));
  if (adjoint) ga = turned(ga);
  const Tensor inner = op::mm(turned(parts[0]), ga);
  b.give(0, lower(op::mm(inner, turned(parts[2])), -1) + upper(op::mm(turned(parts[1]), inner), 0));
}

}  // namespace

LB_OPERATOR(.signature =
                "lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True, *, out=None) -> (P, L, U)",
            .doc = R"(The permutation and the two triangular matrices whose product is A, from lu_factor's results.

>>> torch.lu_unpack(*torch.linalg.lu_factor(torch.eye(2))).U
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<lu_unpack>, .derivative = gradients("LuUnpackBackward0", lu_unpack_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.lu_factor_ex(A, *, pivot=True, check_errors=False, out=None) -> (LU, pivots, info)",
            .doc = R"(lu_factor with a third result: per matrix 0, or the first zero on U's diagonal (from 1), int32.

>>> torch.linalg.lu_factor_ex(torch.zeros(2, 2)).info
tensor(1, dtype=torch.int32))",
            .forward = forward_of<lu_factor_ex>,
            .derivative = gradients("LinalgLuFactorExBackward0", lu_factor_gradient, "0:rs"), .forms = kFunction);
LB_OPERATOR(.signature = "linalg.lu_factor(A, *, pivot=True, out=None) -> (LU, pivots)",
            .doc = R"(The LU factors of (..., m, n) matrices, packed in one, and the rows exchanged (from 1), int32.

Raises RuntimeError where U has a zero on its diagonal.

>>> torch.linalg.lu_factor(torch.tensor([[0., 2.], [4., 1.]])).LU
tensor([[4., 1.],
        [0., 2.]]))",
            .forward = forward_of<lu_factor>,
            .derivative = gradients("LinalgLuFactorBackward0", lu_factor_gradient, "0:rs"), .forms = kFunction);
LB_OPERATOR(
        .signature = "linalg.lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None)",
        .doc = R"(X of A X = B (X A = B when left is false) from lu_factor's results; adjoint solves with A's transpose.

>>> A = torch.tensor([[2., 0.], [0., 4.]])
>>> torch.linalg.lu_solve(*torch.linalg.lu_factor(A), torch.ones(2, 1))
tensor([[0.5000],
        [0.2500]]))",
        .forward = forward_of<lu_solve>,
        .derivative = gradients("LinalgLuSolveBackward0", lu_solve_gradient, "0:01r 2:01"), .forms = kFunction);
LB_OPERATOR(
        .signature = "linalg.inv_ex(A, *, check_errors=False, out=None) -> (inverse, info)",
        .doc = R"(The inverses of square matrices and, per matrix, 0 or the place of the zero that prevented it (int32).

>>> torch.linalg.inv_ex(torch.zeros(2, 2)).info
tensor(1, dtype=torch.int32))",
        .forward = forward_of<inv_ex>, .derivative = gradients("LinalgInvExBackward0", inverse_gradient, "0:r"),
        .forms = kFunction);
LB_OPERATOR(.signature = "linalg.inv(A, *, out=None)",
            .doc = R"(The inverses of square matrices (..., n, n), float32 or float64. LinAlgError where there is none.

>>> torch.linalg.inv(torch.tensor([[2., 0.], [0., 4.]]))
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]]))",
            .forward = forward_of<inv>, .derivative = gradients("LinalgInvExBackward0", inverse_gradient, "0:r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "inverse(input, *, out=None)", .doc = R"(The inverses of square matrices; see torch.linalg.inv.

>>> torch.inverse(torch.tensor([[2.]]))
tensor([[0.5000]]))",
            .forward = forward_of<inv>, .derivative = gradients("LinalgInvExBackward0", inverse_gradient, "0:r"));
LB_OPERATOR(.signature = "linalg.solve_ex(A, B, *, left=True, check_errors=False, out=None) -> (result, info)",
            .doc = R"(solve with a second result: per matrix 0, or the place of the zero that prevented it (int32).

>>> torch.linalg.solve_ex(torch.eye(2), torch.ones(2)).result
tensor([1., 1.]))",
            .forward = forward_of<solve_ex>,
            .derivative = gradients("LinalgSolveExBackward0", solve_gradient, "0:0r 1:0"), .forms = kFunction);
LB_OPERATOR(.signature = "linalg.solve(A, B, *, left=True, out=None)",
            .doc = R"(X of A X = B (X A = B when left is false). A is (..., n, n); B (..., n, k), or vectors (..., n).

Batches broadcast. Raises LinAlgError where A is singular, RuntimeError where sizes or dtypes do not fit.

>>> torch.linalg.solve(torch.tensor([[2., 0.], [0., 4.]]), torch.tensor([2., 4.]))
tensor([1., 1.]))",
            .forward = forward_of<solve>, .derivative = gradients("LinalgSolveExBackward0", solve_gradient, "0:0r 1:0"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None)",
            .doc = R"(X of A X = B (X A = B when left is false) for a triangular A, of which only that triangle is read.

With unitriangular its diagonal counts as ones. Singular matrices give infinities.

>>> A = torch.tensor([[1., 0.], [1., 2.]])
>>> torch.linalg.solve_triangular(A, torch.tensor([[1.], [3.]]), upper=False)
tensor([[1.],
        [1.]]))",
            .forward = forward_of<solve_triangular>,
            .derivative = gradients("LinalgSolveTriangularBackward0", triangular_gradient, "0:0r 1:0"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.cholesky_ex(A, *, upper=False, check_errors=False, out=None) -> (L, info)",
            .doc = R"(cholesky and, per matrix, 0 or the order of the leading minor that is not positive (int32).

>>> torch.linalg.cholesky_ex(-torch.eye(2)).info
tensor(1, dtype=torch.int32))",
            .forward = forward_of<cholesky_ex>,
            .derivative = gradients("LinalgCholeskyExBackward0", cholesky_gradient, "0:r"), .forms = kFunction);
LB_OPERATOR(.signature = "linalg.cholesky(A, *, upper=False, out=None)",
            .doc = R"(The lower triangular L with L L^T = A (upper: U^T U) of symmetric positive definite (..., n, n).

Only one triangle of A is read. Raises LinAlgError where A is not positive definite.

>>> torch.linalg.cholesky(torch.tensor([[4., 2.], [2., 5.]]))
tensor([[2., 0.],
        [1., 2.]]))",
            .forward = forward_of<linalg_cholesky>,
            .derivative = gradients("LinalgCholeskyExBackward0", cholesky_gradient, "0:r"), .forms = kFunction);
LB_OPERATOR(.signature = "cholesky(input, upper=False, *, out=None)", .doc = R"(See torch.linalg.cholesky.

>>> torch.cholesky(torch.tensor([[4.]]))
tensor([[2.]]))",
            .forward = forward_of<cholesky>, .derivative = gradients("CholeskyBackward0", cholesky_gradient, "0:r"));
LB_OPERATOR(.signature = "linalg.det(A, *, out=None)", .doc = R"(The determinants of square matrices (..., n, n).

>>> torch.linalg.det(torch.tensor([[2., 0.], [0., 4.]]))
tensor(8.))",
            .forward = forward_of<det>, .derivative = gradients("LinalgDetBackward0", det_gradient, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "det(input)", .doc = R"(The determinants of square matrices; see torch.linalg.det.

>>> torch.det(torch.tensor([[3.]]))
tensor(3.))",
            .forward = forward_of<det>, .derivative = gradients("LinalgDetBackward0", det_gradient, "0:0r"));
LB_OPERATOR(.signature = "linalg.slogdet(A, *, out=None) -> (sign, logabsdet)",
            .doc = R"(The signs and the logarithms of the absolute values of determinants; 0 and -inf where singular.

>>> torch.linalg.slogdet(torch.tensor([[-1.]])).sign
tensor(-1.))",
            .forward = forward_of<slogdet>, .derivative = gradients("LinalgSlogdetBackward0", slogdet_gradient, "0:0"),
            .forms = kFunction);
LB_OPERATOR(.signature = "slogdet(input) -> (sign, logabsdet)", .doc = R"(See torch.linalg.slogdet.

>>> torch.slogdet(torch.tensor([[1.]])).logabsdet
tensor(0.))",
            .forward = forward_of<slogdet>, .derivative = gradients("LinalgSlogdetBackward0", slogdet_gradient, "0:0"));

}  // namespace lumbre::ops
