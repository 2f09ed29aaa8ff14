// Orthogonal decompositions and least squares: QR, singular values, eigenvalues of symmetric matrices.

#include <cmath>

#include "ops/backward.h"
#include "ops/linear_algebra.h"
#include "ops/products.h"
#include "ops/reflectors.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {

using lapack::Int;

// The first `count` columns (or rows) of matrices.
Tensor first_columns(const Tensor& a, int64_t count) { return narrow(a, -1, 0, count); }
Tensor first_rows(const Tensor& a, int64_t count) { return narrow(a, -2, 0, count); }

Tensor upper_triangle(const Tensor& a) {
  const Tensor result = column_major_copy(a);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(result);
    for (int64_t i = 0; i < m.count; ++i)
      for (int64_t column = 0; column < m.columns; ++column)
        if (column + 1 < m.rows)
          std::fill(m.at(i) + column * m.rows + column + 1, m.at(i) + (column + 1) * m.rows, T{0});
  });
  return result;
}

Tensor identities(const Dims& batch, int64_t n, DType dtype) {
  const Tensor result = column_major(joined(batch, {n, n}), dtype);
  result.fill(0);
  diagonal(result, 0, -2, -1).fill(1);
  return result;
}

// --- QR -------------------------------------------------------------------------------------------------------------

std::tuple<Tensor, Tensor> geqrf(const Tensor& a) {
  LB_CHECK(a.ndim() >= 2, Runtime, "torch.geqrf: input must have at least 2 dimensions.");
  check_floating(a, "geqrf");
  const int64_t k = std::min(rows(a), columns(a));
  const Tensor qr = column_major_copy(a);
  const Tensor tau = Tensor::empty(joined(batch_sizes(a), {k}), a.dtype());
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(qr);
    T* const scales = tau.as<T>();
    const double work = 2 * static_cast<double>(m.step) * static_cast<double>(k);
    each_matrix(k > 0 ? m.count : 0, work,
                [&](int64_t i) { factor_qr<T>(m.rows, m.columns, m.at(i), m.rows, scales + i * k); });
  });
  return {qr, tau};
}

void check_reflectors(const Tensor& a, const Tensor& tau, const char* name) {
  LB_CHECK(a.ndim() >= 2, Runtime, name, ": input must have at least 2 dimensions.");
  LB_CHECK(rows(a) >= columns(a), Runtime, name, ": input.shape[-2] must be greater than or equal to input.shape[-1]");
  LB_CHECK(tau.ndim() >= 1 && columns(a) >= tau.sizes().back(), Runtime, name,
           ": input.shape[-1] must be greater than or equal to tau.shape[-1]");
  LB_CHECK(a.ndim() - tau.ndim() == 1, Runtime, name,
           ": Expected tau to have one dimension less than input, but got tau.ndim equal to ", tau.ndim(),
           " and input.ndim is equal to ", a.ndim());
  LB_CHECK(batch_sizes(tau, 1) == batch_sizes(a), Runtime, name,
           ": Expected batch dimensions of tau to be equal to input.shape[:-2], but got ", batch_sizes(tau, 1));
  LB_CHECK(tau.dtype() == a.dtype(), Runtime, name, ": tau dtype ", dtype_title(tau.dtype()),
           " does not match input dtype ", dtype_title(a.dtype()));
  check_floating(a, name);
}

// Q's first columns (as many as `q` has), from the reflectors that stand below q's diagonal.
void form_columns(const Tensor& q, const Tensor& tau, int64_t reflectors) {
  const Tensor scales = tau.contiguous();
  visit_real(q.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(q);
    const T* const each = scales.as<T>();
    const int64_t step = scales.sizes().back();
    const double work = 2 * static_cast<double>(m.step) * static_cast<double>(reflectors);
    each_matrix(m.step > 0 ? m.count : 0, work,
                [&](int64_t i) { form_q<T>(m.rows, m.columns, reflectors, m.at(i), m.rows, each + i * step); });
  });
}

Tensor householder_product(const Tensor& a, const Tensor& tau) {
  check_reflectors(a, tau, "torch.linalg.householder_product");
  const Tensor q = column_major_copy(a);
  form_columns(q, tau, tau.sizes().back());
  return q;
}

Tensor ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool transpose_q) {
  const char* name = "torch.ormqr";
  LB_CHECK(a.ndim() >= 2, Runtime, name, ": input must have at least 2 dimensions.");
  LB_CHECK(other.ndim() >= 2, Runtime, name, ": other must have at least 2 dimensions.");
  const int64_t size = left ? rows(other) : columns(other);
  LB_CHECK(tau.ndim() >= 1 && size >= tau.sizes().back(), Runtime, name, ": other.shape[", left ? -2 : -1,
           "] must be greater than or equal to tau.shape[-1]");
  LB_CHECK(size == rows(a), Runtime, name, ": other.shape[", left ? -2 : -1, "] must be equal to input.shape[-2]");
  LB_CHECK(tau.sizes().back() <= columns(a), Runtime, name,
           ": tau.shape[-1] must be less than or equal to input.shape[-1]");
  LB_CHECK(a.ndim() - tau.ndim() == 1 && batch_sizes(tau, 1) == batch_sizes(a), Runtime, name,
           ": Expected batch dimensions of tau to be equal to input.shape[:-2], but got ", batch_sizes(tau, 1));
  LB_CHECK(a.ndim() == other.ndim() && batch_sizes(other) == batch_sizes(a), Runtime, name,
           ": Expected batch dimensions of other to be equal to input.shape[:-2], but got ", batch_sizes(other));
  LB_CHECK(tau.dtype() == a.dtype(), Runtime, name,
           ": Expected input and tau to have the same dtype, but input has dtype ", dtype_title(a.dtype()),
           " and tau has dtype ", dtype_title(tau.dtype()));
  LB_CHECK(other.dtype() == a.dtype(), Runtime, name,
           ": Expected input and other to have the same dtype, but input has dtype ", dtype_title(a.dtype()),
           " and other has dtype ", dtype_title(other.dtype()));
  check_floating(a, name);
  const Tensor reflectors = as_column_major(a), scales = tau.contiguous(), result = column_major_copy(other);
  const int64_t k = tau.sizes().back();
  if (result.count() > 0 && k > 0)
    visit_real(a.dtype(), [&]<class T>(T) {
      const Matrices<T> m = matrices<T>(reflectors), c = matrices<T>(result);
      for (int64_t i = 0; i < c.count; ++i)
        lapack::ormqr(left, transpose_q, c.rows, c.columns, static_cast<Int>(k), m.at(i), m.leading(),
                      scales.as<T>() + i * k, c.at(i), c.leading());
    });
  return result;
}

std::tuple<Tensor, Tensor> qr(const Tensor& a, const std::string& mode) {
  check_matrix(a, "linalg.qr");
  check_floating(a, "linalg.qr");
  LB_CHECK(mode == "reduced" || mode == "complete" || mode == "r", Runtime, "qr received unrecognized mode '", mode,
           "' but expected one of 'reduced' (default), 'r', or 'complete'");
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n);
  const auto [packed, tau] = geqrf(a);
  const int64_t height = mode == "complete" ? m : k;
  const Tensor r = upper_triangle(first_rows(packed, height));
  if (mode == "r") return {Tensor::empty({0}, a.dtype()), r};
  if (k == 0) return {first_columns(identities(batch_sizes(a), m, a.dtype()), height), r};
  const Tensor q = column_major(joined(batch_sizes(a), {m, height}), a.dtype());
  const int64_t kept = std::min(height, n);
  first_columns(q, kept).copy_from(first_columns(packed, kept));
  form_columns(q, tau, k);
  return {q, r};
}

// --- singular values ------------------------------------------------------------------------------------------------

struct Singular {
  Tensor u, s, vh;
};

Singular singular(const Tensor& a, char job) {
  const char* name = "linalg.svd";
  check_matrix(a, name);
  check_floating(a, name);
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n);
  const Dims batch = batch_sizes(a);
  const Tensor work = column_major_copy(a), s = Tensor::empty(joined(batch, {k}), a.dtype());
  if (k == 0 && job == 'A') return {identities(batch, m, a.dtype()), s, identities(batch, n, a.dtype())};
  const Tensor u = column_major(joined(batch, {m, job == 'A' ? m : job == 'S' ? k : 0}), a.dtype());
  const Tensor vh = column_major(joined(batch, {job == 'A' ? n : job == 'S' ? k : 0, n}), a.dtype());
  const Tensor info = Tensor::zeros(batch, DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> from = matrices<T>(work), left = matrices<T>(u), right = matrices<T>(vh);
    for (int64_t i = 0; i < from.count && k > 0; ++i) {
      const T* all = from.at(i);
      const bool finite = std::all_of(all, all + from.step, [](T x) { return std::isfinite(x); });
      info.as<int32_t>()[i] =
          finite ? lapack::gesdd(job, from.rows, from.columns, from.at(i), from.leading(), s.as<T>() + i * k,
                                 left.at(i), left.leading(), right.at(i), right.leading())
                 : -4;
    }
  });
  check_info(info, name, [](int at) {
    return at < 0
               ? std::string("The algorithm failed to converge because the input matrix contained non-finite values.")
               : text(
                     "The algorithm failed to converge because the input matrix is ill-conditioned or has too many "
                     "repeated singular values (error code: ",
                     at, ").");
  });
  return {u, s, vh};
}

void check_driver(const std::optional<std::string>& driver) {
  LB_CHECK(!driver, Runtime,
           "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.");
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full_matrices, std::optional<std::string> driver) {
  check_driver(driver);
  Singular found = singular(a, full_matrices ? 'A' : 'S');
  return {found.u, found.s, found.vh};
}
Tensor svdvals(const Tensor& a, std::optional<std::string> driver) {
  check_driver(driver);
  return singular(a, 'N').s;
}

// --- eigenvalues of symmetric matrices ------------------------------------------------------------------------------

std::tuple<Tensor, Tensor> eigen(const Tensor& a, const std::string& triangle, bool vectors) {
  const char* name = "linalg.eigh";
  check_square(a, name);
  check_floating(a, name);
  LB_CHECK(triangle.size() == 1 && std::string_view("LUlu").find(triangle[0]) != std::string_view::npos, Runtime,
           "Expected UPLO argument to be 'L' or 'U', but got ", triangle);
  const bool upper = triangle == "U" || triangle == "u";
  const Tensor v = column_major_copy(a), values = Tensor::empty(batch_sizes(a, 1), a.dtype());
  const Tensor info = Tensor::zeros(batch_sizes(a), DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(v);
    for (int64_t i = 0; i < m.count && m.rows > 0; ++i)
      info.as<int32_t>()[i] = lapack::syevd(vectors, upper, m.rows, m.at(i), m.leading(), values.as<T>() + i * m.rows);
  });
  check_info(info, name, [](int at) {
    return at < 0
               ? std::string("The algorithm failed to converge because the input matrix contained non-finite values.")
               : text(
                     "The algorithm failed to converge because the input matrix is ill-conditioned or has too many "
                     "repeated eigenvalues (error code: ",
                     at, ").");
  });
  return {values, v};
}

std::tuple<Tensor, Tensor> eigh(const Tensor& a, const std::string& triangle) { return eigen(a, triangle, true); }
Tensor eigvalsh(const Tensor& a, const std::string& triangle) { return std::get<0>(eigen(a, triangle, false)); }

// --- symmetric indefinite matrices ----------------------------------------------------------------------------------

std::tuple<Tensor, Tensor, Tensor> ldl_factor_ex(const Tensor& a, bool, bool check_errors) {
  check_square(a, "torch.linalg.ldl_factor_ex");
  check_floating(a, "torch.linalg.ldl_factor_ex");
  const Tensor ld = column_major_copy(a), pivots = Tensor::empty(batch_sizes(a, 1), DType::Int32);
  const Tensor info = Tensor::zeros(batch_sizes(a), DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(ld);
    for (int64_t i = 0; i < m.count && m.rows > 0; ++i) {
      info.as<int32_t>()[i] = lapack::sytrf(m.rows, m.at(i), m.leading(), pivots.as<int32_t>() + i * m.rows);
      for (int64_t column = 1; column < m.columns; ++column)
        std::fill(m.at(i) + column * m.rows, m.at(i) + column * m.rows + column, T{0});
    }
  });
  if (check_errors)
    check_info(
        info, "torch.linalg.ldl_factor_ex",
        [](int at) { return text("The factor D has a zero on its diagonal at ", at, ": it cannot be solved with."); },
        ErrorKind::Runtime);
  return {ld, pivots, info};
}
std::tuple<Tensor, Tensor> ldl_factor(const Tensor& a, bool hermitian) {
  const auto [ld, pivots, info] = ldl_factor_ex(a, hermitian, false);
  check_info(
      info, "torch.linalg.ldl_factor",
      [](int at) { return text("The factor D has a zero on its diagonal at ", at, ": it cannot be solved with."); },
      ErrorKind::Runtime);
  return {ld, pivots};
}

Tensor ldl_solve(const Tensor& ld, const Tensor& pivots, const Tensor& b, bool) {
  const char* name = "torch.linalg.ldl_solve";
  check_square(ld, name, "LD");
  check_floating(ld, name);
  LB_CHECK(b.ndim() >= 2, Runtime, name, ": Expected B to have at least 2 dimensions, but it has ", b.ndim(),
           " dimensions instead");
  LB_CHECK(rows(ld) == rows(b), Runtime, name, ": Incompatible shapes of A and B for the equation AX = B (", rows(ld),
           "x", columns(ld), " and ", rows(b), "x", columns(b), ")");
  LB_CHECK(batch_sizes(ld, 1) == pivots.sizes(), Runtime, name,
           ": Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape ", pivots.sizes(),
           " instead");
  LB_CHECK(pivots.dtype() == DType::Int32, Runtime, name, ": Expected pivots to be integers. Got ",
           dtype_title(pivots.dtype()));
  LB_CHECK(ld.dtype() == b.dtype(), Runtime, name, ": ldl_solve expects ",
           "LD and B to have the same dtype, but found ", dtype_title(ld.dtype()), " and ", dtype_title(b.dtype()));
  const int64_t n = rows(ld);
  const Dims batch = broadcast_sizes(batch_sizes(ld), batch_sizes(b));
  const Tensor places = expand(pivots, joined(batch, {n})).contiguous();
  for (int64_t i = 0; i < places.count(); ++i)
    LB_CHECK(std::abs(places.as<int32_t>()[i]) >= 1 && std::abs(places.as<int32_t>()[i]) <= n, Runtime, name,
             ": pivots must be within the matrix");
  const Tensor factors = as_column_major(expand(ld, joined(batch, {n, n})));
  const Tensor x = column_major_copy(b, joined(batch, {n, columns(b)}));
  if (x.count() > 0)
    visit_real(x.dtype(), [&]<class T>(T) {
      const Matrices<T> m = matrices<T>(factors), to = matrices<T>(x);
      for (int64_t i = 0; i < to.count; ++i)
        lapack::sytrs(m.rows, to.columns, m.at(i), m.leading(), places.as<int32_t>() + i * n, to.at(i), to.leading());
    });
  return x;
}

// --- least squares --------------------------------------------------------------------------------------------------

// (solution of max(m, n) rows, rank, singular values), the last two where the driver finds them; sizes are checked.
std::tuple<Tensor, Tensor, Tensor> least_squares(const Tensor& a, const Tensor& b, double rcond,
                                                 const std::string& driver) {
  const char* name = "torch.linalg.lstsq";
  check_floating(a, name);
  check_same_dtype(a, b, name);
  LB_CHECK(a.ndim() >= 2 && b.ndim() >= 2 && rows(a) == rows(b), Runtime, name,
           ": input.size(-2) should match other.size(-2)");
  LB_CHECK(driver == "gels" || driver == "gelsy" || driver == "gelsd" || driver == "gelss", Runtime, name,
           ": parameter `driver` should be one of (gels, gelsy, gelsd, gelss)");
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n);
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b));
  const auto matrix = [&] { return column_major_copy(a, joined(batch, {m, n})); };
  const auto right_side = [&] {
    const Tensor result = column_major(joined(batch, {std::max(m, n), columns(b)}), a.dtype());
    if (m < n) result.fill(0);
    first_rows(result, m).copy_from(b);
    return result;
  };
  const Tensor work = matrix(), x = right_side();
  const bool ranks = driver != "gels", values = driver == "gelsd" || driver == "gelss";
  const Tensor rank = Tensor::zeros(ranks ? batch : Dims{0}, DType::Int64);
  const Tensor s = Tensor::empty(values ? joined(batch, {k}) : Dims{0}, a.dtype());
  const Tensor info = Tensor::zeros(batch, DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> from = matrices<T>(work), to = matrices<T>(x);
    const T limit = static_cast<T>(rcond);
    Tensor work_again, x_again;
    for (int64_t i = 0; i < from.count && k > 0; ++i) {
      if (!values && m >= n) {
        if (solve_least_squares<T>(ranks, limit, m, n, to.columns, from.at(i), to.at(i))) {
          if (ranks) rank.as<int64_t>()[i] = n;
          continue;
        }
        if (!work_again.defined()) work_again = matrix(), x_again = right_side();
        std::copy_n(matrices<T>(work_again).at(i), from.step, from.at(i));
        std::copy_n(matrices<T>(x_again).at(i), to.step, to.at(i));
      }
      Int found = 0;
      T* singular_values = values ? s.as<T>() + i * k : nullptr;
      const auto call = [&](auto function, auto... more) {
        info.as<int32_t>()[i] =
            function(from.rows, from.columns, to.columns, from.at(i), from.leading(), to.at(i), to.leading(), more...);
      };
      if (driver == "gels")
        call(&lapack::gels<T>);
      else if (driver == "gelsy")
        call(&lapack::gelsy<T>, limit, &found);
      else if (driver == "gelsd")
        call(&lapack::gelsd<T>, singular_values, limit, &found);
      else
        call(&lapack::gelss<T>, singular_values, limit, &found);
      if (ranks) rank.as<int64_t>()[i] = found;
    }
  });
  check_info(info, "torch.linalg.lstsq", [](int at) {
    return text(
        "The least squares solution could not be computed because the input matrix does not have full rank "
        "(error code: ",
        at, ").");
  });
  return {x, rank, s};
}

// A's pseudo-inverse: singular values up to max(atol, rtol * the largest) count as zero. The tolerances broadcast
// against the batch.
Tensor pinv(const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  check_floating(a, "linalg.pinv");
  check_matrix(a, "linalg.pinv", "A");
  if (hermitian) check_square(a, "linalg.pinv", "A");
  const int64_t k = std::min(rows(a), columns(a));
  Tensor left, values, right;  // columns, factors, rows; values may be negative in the symmetric case
  if (hermitian) {
    std::tie(values, left) = eigen(a, "L", true);
    right = transpose(left, -1, -2);
  } else {
    Singular found = singular(a, 'S');
    left = found.u, values = found.s, right = found.vh;
  }
  const auto per_matrix = [&](const Tensor& t) {
    const Tensor full = Tensor::empty(batch_sizes(a), a.dtype());
    full.copy_from(t);
    return full;
  };
  const Tensor least = per_matrix(atol), ratio = per_matrix(rtol), scaled = column_major_copy(left);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(scaled);
    for (int64_t i = 0; i < m.count; ++i) {
      const T* s = values.as<T>() + i * k;
      T largest = 0;
      for (int64_t j = 0; j < k; ++j) largest = std::max(largest, std::abs(s[j]));
      const T limit = std::max(least.as<T>()[i], ratio.as<T>()[i] * largest);
      for (int64_t j = 0; j < k; ++j) {
        const T factor = std::abs(s[j]) > limit ? 1 / s[j] : T{0};
        T* column = m.at(i) + j * m.rows;
        for (Int row = 0; row < m.rows; ++row) column[row] *= factor;
      }
    }
  });
  return matmul(transpose(right, -1, -2), transpose(scaled, -1, -2));
}

// --- derivatives ----------------------------------------------------------------------------------------------------

Tensor turned(const Tensor& a) { return op::transpose(a, -1, -2); }
Tensor scaled_columns(const Tensor& a, const Tensor& factors) { return op::mul(a, op::unsqueeze(factors, -2)); }
Tensor scaled_rows(const Tensor& a, const Tensor& factors) { return op::mul(a, op::unsqueeze(factors, -1)); }

// x_j - x_i at (i, j), 1 on the diagonal.
Tensor gaps(const Tensor& x) {
  const int64_t n = x.sizes().back();
  const Tensor diagonal = Tensor::zeros({n, n}, DType::Bool);
  for (int64_t i = 0; i < n; ++i) diagonal.as<bool>()[i * n + i] = true;
  return op::where(diagonal, Scalar(1.0), op::sub(op::unsqueeze(x, -2), op::unsqueeze(x, -1)));
}

// Of A = Q R with as many rows as columns or more, from the gradients of Q and R (either may be undefined).
Tensor qr_gradient_tall(const Tensor& q, const Tensor& r, const Tensor& gq, const Tensor& gr) {
  using namespace op;
  Tensor m;
  if (gr.defined()) m = op::mm(gr, turned(r));
  if (gq.defined()) {
    const Tensor from_q = op::mm(turned(q), gq);
    m = m.defined() ? m - from_q : -from_q;
  }
  const Tensor half = call<"triu">(m, 0), mirrored = half + turned(call<"triu">(m, 1));
  Tensor inner = op::mm(q, mirrored);
  if (gq.defined()) inner = inner + gq;
  return call<"linalg.solve_triangular">(turned(r), inner, false, false, false);
}

void qr_gradient(Backward& b) {
  using namespace op;
  const std::string& mode = b.string(1);
  LB_CHECK(mode != "r", Runtime,
           "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, "
           "mode='reduced')");
  const Tensor q = b.result(0), r = b.result(1);
  const int64_t m = rows(q), n = columns(r), k = std::min(m, n);
  LB_CHECK(mode != "complete" || m <= n, Runtime,
           "The QR decomposition is not differentiable when mode='complete' and nrows > ncols");
  Tensor gq = b.has(0) ? b.grad(0) : Tensor(), gr = b.has(1) ? b.grad(1) : Tensor();
  if (m >= n) return b.give(0, qr_gradient_tall(q, r, gq, gr));
  // A = Q [R1 R2]: the second part of A is Q R2.
  const Tensor r1 = call<"narrow">(r, -1, 0, k), r2 = call<"narrow">(r, -1, k, n - k);
  if (!gr.defined())
    return b.give(
        0, call<"cat">(std::vector<Tensor>{qr_gradient_tall(q, r1, gq, gr), mul(op::mm(q, r2), Scalar(0.0))}, -1));
  const Tensor g1 = call<"narrow">(gr, -1, 0, k), g2 = call<"narrow">(gr, -1, k, n - k);
  const Tensor through = op::mm(op::mm(q, r2), turned(g2));
  gq = gq.defined() ? gq + through : through;
  b.give(0, call<"cat">(std::vector<Tensor>{qr_gradient_tall(q, r1, gq, g1), op::mm(q, g2)}, -1));
}

void svd_gradient(Backward& b) {
  using namespace op;
  const Tensor s = b.result(1);
  const int64_t k = s.sizes().back(), m = rows(b.result(0)), n = columns(b.result(2));
  const auto first = [k](const Tensor& t, int dim) { return call<"narrow">(t, dim, 0, k); };
  const Tensor u = first(b.result(0), -1), vh = first(b.result(2), -2);
  const auto skewed = [](const Tensor& x) { return x - turned(x); };
  Tensor inner, outer;  // of U . Vh; what reaches beyond the columns of U or the rows of Vh
  const auto add_to = [](Tensor& sum, const Tensor& t) { sum = sum.defined() ? sum + t : t; };
  const Tensor gap = gaps(mul(s, s));
  if (b.has(0)) {
    const Tensor gu = first(b.grad(0), -1), projected = op::mm(turned(u), gu);
    add_to(inner, scaled_columns(div(skewed(projected), gap), s));
    if (m > k) add_to(outer, op::mm(scaled_columns(gu - op::mm(u, projected), call<"reciprocal">(s)), vh));
  }
  if (b.has(2)) {
    const Tensor gvh = first(b.grad(2), -2), projected = op::mm(gvh, turned(vh));
    add_to(inner, scaled_rows(div(skewed(turned(projected)), gap), s));
    if (n > k) add_to(outer, op::mm(u, scaled_rows(gvh - op::mm(projected, vh), call<"reciprocal">(s))));
  }
  if (b.has(1)) add_to(inner, call<"diag_embed">(b.grad(1), 0, -2, -1));
  Tensor ga;
  if (inner.defined()) add_to(ga, op::mm(op::mm(u, inner), vh));
  if (outer.defined()) add_to(ga, outer);
  b.give(0, ga);
}

void svdvals_gradient(Backward& b) {
  using namespace op;
  const std::vector<Tensor> parts = call<"linalg.svd">.all(b.input(0), false, none);
  b.give(0, op::mm(scaled_columns(parts[0], b.grad()), parts[2]));
}

void eigh_gradient(Backward& b) {
  using namespace op;
  const Tensor values = b.result(0), v = b.result(1);
  Tensor inner;
  if (b.has(1)) {
    // Eigenvectors turn: what is not skew in their gradient leads nowhere.
    const Tensor projected = op::mm(turned(v), b.grad(1));
    inner = div(mul(projected - turned(projected), Scalar(0.5)), gaps(values));
  }
  if (b.has(0)) {
    const Tensor from_values = call<"diag_embed">(b.grad(0), 0, -2, -1);
    inner = inner.defined() ? inner + from_values : from_values;
  }
  b.give(0, op::mm(op::mm(v, inner), turned(v)));
}

void eigvalsh_gradient(Backward& b) {
  using namespace op;
  const Tensor v = call<"linalg.eigh">.all(b.input(0), b.string(1).c_str())[1];
  b.give(0, op::mm(scaled_columns(v, b.grad()), turned(v)));
}

// Gradients of a product of reflectors H = I - tau v v^T applied to a matrix, v a column of a unit lower triangle.
struct ThroughReflectors {
  Tensor reflectors, scales, matrix;
};
// The result is H_1 H_2 ... H_k C, or H_k ... H_1 C when `backwards`.
ThroughReflectors through_reflectors(const Tensor& a, const Tensor& tau, const Tensor& c, Tensor g, bool backwards) {
  using namespace op;
  const int64_t m = rows(a), n = columns(a), k = tau.sizes().back();
  const Tensor ones = Tensor::zeros({m, n}, a.dtype());
  diagonal(ones, 0, 0, 1).fill(1);
  const Tensor packed = call<"tril">(a, -1) + ones;
  const auto v = [&](int64_t i) { return call<"narrow">(packed, -1, i, 1); };
  const auto scale = [&](int64_t i) { return op::unsqueeze(call<"narrow">(tau, -1, i, 1), -1); };
  const auto reflected = [&](const Tensor& x, int64_t i) {
    return x - scale(i) * op::mm(v(i), op::mm(turned(v(i)), x));
  };
  const auto at = [&](int64_t step) { return backwards ? k - 1 - step : step; };
  // What the reflector of each step is applied to.
  std::vector<Tensor> before(static_cast<size_t>(k)), columns_of(static_cast<size_t>(n)), scales;
  Tensor state = c;
  for (int64_t step = k - 1; step >= 0; --step) {
    before[static_cast<size_t>(step)] = state;
    state = reflected(state, at(step));
  }
  scales.resize(static_cast<size_t>(k));
  for (int64_t step = 0; step < k; ++step) {
    const int64_t i = at(step);
    const Tensor& x = before[static_cast<size_t>(step)];
    const Tensor xv = op::mm(turned(x), v(i)), gv = op::mm(turned(g), v(i));  // as columns
    scales[static_cast<size_t>(i)] = -call<"squeeze">(op::mm(turned(gv), xv), -1);
    columns_of[static_cast<size_t>(i)] = -scale(i) * (op::mm(g, xv) + op::mm(x, gv));
    g = reflected(g, i);
  }
  const Tensor none_of_a = op::zeros(joined(batch_sizes(a), {m, 1}), a.dtype());
  for (Tensor& column : columns_of)
    if (!column.defined()) column = none_of_a;
  ThroughReflectors found;
  found.reflectors = n ? call<"tril">(call<"cat">(columns_of, -1), -1) : op::zeros(a.sizes(), a.dtype());
  found.scales = k ? call<"cat">(scales, -1) : op::zeros(tau.sizes(), tau.dtype());
  found.matrix = g;
  return found;
}

void householder_gradient(Backward& b) {
  const Tensor a = b.input(0);
  const Tensor start = Tensor::zeros({rows(a), columns(a)}, a.dtype());
  diagonal(start, 0, 0, 1).fill(1);
  const Tensor c = op::expand(start, joined(batch_sizes(a), {rows(a), columns(a)}));
  const ThroughReflectors found = through_reflectors(a, b.input(1), c, b.grad(), false);
  if (b.needs(0)) b.give(0, found.reflectors);
  if (b.needs(1)) b.give(1, found.scales);
}

void ormqr_gradient(Backward& b) {
  const bool left = b.flag(3), transposed = b.flag(4);
  // C Q is the transpose of Q^T C^T.
  const auto side = [&](const Tensor& t) { return left ? t : turned(t); };
  const ThroughReflectors found =
      through_reflectors(b.input(0), b.input(1), side(b.input(2)), side(b.grad()), left == transposed);
  if (b.needs(0)) b.give(0, found.reflectors);
  if (b.needs(1)) b.give(1, found.scales);
  if (b.needs(2)) b.give(2, side(found.matrix));
}

// A's gradient from that of its pseudo-inverse p.
Tensor through_pinv(const Tensor& a, const Tensor& p, const Tensor& g) {
  using namespace op;
  const Tensor gt = turned(g), pt = turned(p);
  if (rows(a) <= columns(a)) {
    const Tensor k = op::mm(gt, p), kp = op::mm(k, pt);
    return kp - turned(op::mm(p, k)) - op::mm(op::mm(a, p), kp) + op::mm(op::mm(pt, p), gt - op::mm(k, a));
  }
  const Tensor k = op::mm(p, gt), pk = op::mm(pt, k);
  return pk - turned(op::mm(k, p)) + op::mm(op::mm(gt - op::mm(a, k), p), pt) - op::mm(op::mm(pk, p), a);
}

void pinv_gradient(Backward& b) { b.give(0, through_pinv(b.input(0), b.result(0), b.grad())); }

// The solution is pinv(A) B; its rows beyond A's columns are residuals, which have no gradient.
void least_squares_gradient(Backward& b) {
  using namespace op;
  const Tensor a = b.input(0);
  const Tensor g = call<"narrow">(b.grad(), -2, 0, columns(a));
  const Tensor p = call<"_linalg_pinv">(a, Tensor::scalar(0.0, a.dtype()), Tensor::scalar(b.real(2), a.dtype()), false);
  if (b.needs(1)) b.give(1, op::mm(turned(p), g));
  if (b.needs(0)) b.give(0, through_pinv(a, p, op::mm(g, turned(b.input(1)))));
}

}  // namespace

LB_OPERATOR(.signature = "_linalg_pinv(A, atol, rtol, hermitian)",
            .doc = "The pseudo-inverse with tolerances given as tensors of the batch's sizes.",
            .forward = forward_of<pinv>, .derivative = gradients("LinalgPinvBackward0", pinv_gradient, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(
        .signature = "geqrf(input, *, out=None) -> (a, tau)",
        .doc =
            R"(QR of (..., m, n) matrices as LAPACK leaves it: R above, reflectors below the diagonal, and their scales.

>>> torch.geqrf(torch.eye(2)).tau
tensor([0., 0.]))",
        .forward = forward_of<geqrf>, .derivative = kDerivativeRefused);
LB_OPERATOR(.signature = "linalg.householder_product(A, tau, *, out=None)",
            .doc = R"(The first n columns of the product of reflectors that geqrf gives.

>>> torch.linalg.householder_product(*torch.geqrf(torch.eye(2)))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<householder_product>,
            .derivative = gradients("LinalgHouseholderProductBackward0", householder_gradient, "0:01 1:01"),
            .forms = kFunction);
LB_OPERATOR(.signature = "orgqr(input, input2, *, out=None)", .doc = R"(See torch.linalg.householder_product.

>>> torch.orgqr(*torch.geqrf(torch.eye(2)))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<householder_product>,
            .derivative = gradients("LinalgHouseholderProductBackward0", householder_gradient, "0:01 1:01"));
LB_OPERATOR(.signature = "ormqr(input, input2, input3, left=True, transpose=False, *, out=None)",
            .doc = R"(Q C, or C Q when left is false, for the Q of geqrf's results; Q^T when transpose is true.

>>> torch.ormqr(*torch.geqrf(torch.eye(2)), torch.ones(2, 1))
tensor([[1.],
        [1.]]))",
            .forward = forward_of<ormqr>,
            .derivative = gradients("OrmqrBackward0", ormqr_gradient, "0:012 1:012 2:012"));
LB_OPERATOR(.signature = "linalg.qr(A, mode='reduced', *, out=None) -> (Q, R)",
            .doc = R"(Q with orthonormal columns and an upper triangular R whose product is A, for (..., m, n) matrices.

mode is 'reduced' (Q is m x k, k the smaller size), 'complete' (m x m) or 'r' (Q is left empty).

>>> torch.linalg.qr(torch.tensor([[3.], [4.]])).R
tensor([[-5.]]))",
            .forward = forward_of<qr>, .derivative = gradients("LinalgQrBackward0", qr_gradient, "0:rs"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.svd(A, full_matrices=True, *, driver=None, out=None) -> (U, S, Vh)",
            .doc = R"(U diag(S) Vh = A: orthonormal U and Vh, and the singular values from the largest.

A is (..., m, n). U is m x m and Vh n x n, or without full_matrices m x k and k x n. LinAlgError when A is not finite.

>>> torch.linalg.svd(torch.tensor([[3., 0.], [0., 4.]])).S
tensor([4., 3.]))",
            .forward = forward_of<svd>, .derivative = gradients("LinalgSvdBackward0", svd_gradient, "0:rst"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.svdvals(A, *, driver=None, out=None)",
            .doc = R"(The singular values of (..., m, n) matrices, from the largest.

>>> torch.linalg.svdvals(torch.tensor([[3., 0.], [0., 4.]]))
tensor([4., 3.]))",
            .forward = forward_of<svdvals>, .derivative = gradients("LinalgSvdBackward0", svdvals_gradient, "0:0"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.eigh(A, UPLO='L', *, out=None) -> (eigenvalues, eigenvectors)",
            .doc = R"(Eigenvalues, rising, and eigenvectors (columns) of symmetric matrices; only one triangle is read.

>>> torch.linalg.eigh(torch.tensor([[2., 0.], [0., 1.]])).eigenvalues
tensor([1., 2.]))",
            .forward = forward_of<eigh>, .derivative = gradients("LinalgEighBackward0", eigh_gradient, "0:rs"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.eigvalsh(A, UPLO='L', *, out=None)",
            .doc = R"(The eigenvalues of symmetric matrices, rising.

>>> torch.linalg.eigvalsh(torch.tensor([[2., 0.], [0., 1.]]))
tensor([1., 2.]))",
            .forward = forward_of<eigvalsh>, .derivative = gradients("LinalgEighBackward0", eigvalsh_gradient, "0:0"),
            .forms = kFunction);
LB_OPERATOR(.signature =
                "linalg.ldl_factor_ex(A, *, hermitian=False, check_errors=False, out=None) -> (LD, pivots, info)",
            .doc = R"(ldl_factor with a third result: per matrix 0, or the place of a zero in D (int32).

>>> torch.linalg.ldl_factor_ex(torch.eye(2)).info
tensor(0, dtype=torch.int32))",
            .forward = forward_of<ldl_factor_ex>, .derivative = kDerivativeRefused, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.ldl_factor(A, *, hermitian=False, out=None) -> (LD, pivots)",
            .doc = R"(L D L^T of symmetric matrices, packed in one, and LAPACK's pivots (int32).

>>> torch.linalg.ldl_factor(torch.eye(2)).LD
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<ldl_factor>, .derivative = kDerivativeRefused, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.ldl_solve(LD, pivots, B, *, hermitian=False, out=None)",
            .doc = R"(X of A X = B from ldl_factor's results.

>>> torch.linalg.ldl_solve(*torch.linalg.ldl_factor(torch.eye(2)), torch.ones(2, 1))
tensor([[1.],
        [1.]]))",
            .forward = forward_of<ldl_solve>, .derivative = kDerivativeRefused, .forms = kFunction);
LB_OPERATOR(.signature = "_linalg_lstsq(A, B, rcond, driver) -> (solution, rank, singular_values)",
            .doc = "Least squares by a driver of LAPACK; the solution has max(m, n) rows.",
            .forward = forward_of<least_squares>,
            .derivative = gradients("LinalgLstsqBackward0", least_squares_gradient, "0:01 1:0"), .forms = kFunction);

}  // namespace lumbre::ops
