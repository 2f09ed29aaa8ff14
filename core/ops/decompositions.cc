// Orthogonal decompositions and least squares: QR, singular values, eigenvalues of symmetric matrices.

#include <cmath>

#include "ops/linear_algebra.h"
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
    for (int64_t i = 0; i < m.count && k > 0; ++i)
      lapack::geqrf(m.rows, m.columns, m.at(i), m.leading(), tau.as<T>() + i * k);
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
void form_q(const Tensor& q, const Tensor& tau, int64_t reflectors) {
  const Tensor scales = tau.contiguous();
  visit_real(q.dtype(), [&]<class T>(T) {
    const Matrices<T> m = matrices<T>(q);
    for (int64_t i = 0; i < m.count && m.rows > 0 && m.columns > 0; ++i)
      lapack::orgqr(m.rows, m.columns, static_cast<Int>(reflectors), m.at(i), m.leading(),
                    scales.as<T>() + i * scales.sizes().back());
  });
}

Tensor householder_product(const Tensor& a, const Tensor& tau) {
  check_reflectors(a, tau, "torch.linalg.householder_product");
  const Tensor q = column_major_copy(a);
  form_q(q, tau, tau.sizes().back());
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
  form_q(q, tau, k);
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
  check_floating(a, "torch.linalg.lstsq");
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n);
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b));
  const Tensor work = column_major_copy(a, joined(batch, {m, n}));
  const Tensor x = column_major(joined(batch, {std::max(m, n), columns(b)}), a.dtype());
  x.fill(0);
  first_rows(x, m).copy_from(b);
  const bool ranks = driver != "gels", values = driver == "gelsd" || driver == "gelss";
  const Tensor rank = Tensor::zeros(ranks ? batch : Dims{0}, DType::Int64);
  const Tensor s = Tensor::empty(values ? joined(batch, {k}) : Dims{0}, a.dtype());
  const Tensor info = Tensor::zeros(batch, DType::Int32);
  visit_real(a.dtype(), [&]<class T>(T) {
    const Matrices<T> from = matrices<T>(work), to = matrices<T>(x);
    const T limit = static_cast<T>(rcond);
    for (int64_t i = 0; i < from.count && k > 0; ++i) {
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

}  // namespace

LB_OPERATOR(
        .signature = "geqrf(input, *, out=None) -> (a, tau)",
        .doc =
            R"(QR of (..., m, n) matrices as LAPACK leaves it: R above, reflectors below the diagonal, and their scales.

>>> torch.geqrf(torch.eye(2)).tau
tensor([0., 0.]))",
        .forward = forward_of<geqrf>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "linalg.householder_product(A, tau, *, out=None)",
            .doc = R"(The first n columns of the product of reflectors that geqrf gives.

>>> torch.linalg.householder_product(*torch.geqrf(torch.eye(2)))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<householder_product>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "orgqr(input, input2, *, out=None)", .doc = R"(See torch.linalg.householder_product.

>>> torch.orgqr(*torch.geqrf(torch.eye(2)))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<householder_product>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "ormqr(input, input2, input3, left=True, transpose=False, *, out=None)",
            .doc = R"(Q C, or C Q when left is false, for the Q of geqrf's results; Q^T when transpose is true.

>>> torch.ormqr(*torch.geqrf(torch.eye(2)), torch.ones(2, 1))
tensor([[1.],
        [1.]]))",
            .forward = forward_of<ormqr>, .derivative = kDerivativePlanned);
LB_OPERATOR(.signature = "linalg.qr(A, mode='reduced', *, out=None) -> (Q, R)",
            .doc = R"(Q with orthonormal columns and an upper triangular R whose product is A, for (..., m, n) matrices.

mode is 'reduced' (Q is m x k, k the smaller size), 'complete' (m x m) or 'r' (Q is left empty).

>>> torch.linalg.qr(torch.tensor([[3.], [4.]])).R
tensor([[-5.]]))",
            .forward = forward_of<qr>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.svd(A, full_matrices=True, *, driver=None, out=None) -> (U, S, Vh)",
            .doc = R"(U diag(S) Vh = A: orthonormal U and Vh, and the singular values from the largest.

A is (..., m, n). U is m x m and Vh n x n, or without full_matrices m x k and k x n. LinAlgError when A is not finite.

>>> torch.linalg.svd(torch.tensor([[3., 0.], [0., 4.]])).S
tensor([4., 3.]))",
            .forward = forward_of<svd>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.svdvals(A, *, driver=None, out=None)",
            .doc = R"(The singular values of (..., m, n) matrices, from the largest.

>>> torch.linalg.svdvals(torch.tensor([[3., 0.], [0., 4.]]))
tensor([4., 3.]))",
            .forward = forward_of<svdvals>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.eigh(A, UPLO='L', *, out=None) -> (eigenvalues, eigenvectors)",
            .doc = R"(Eigenvalues, rising, and eigenvectors (columns) of symmetric matrices; only one triangle is read.

>>> torch.linalg.eigh(torch.tensor([[2., 0.], [0., 1.]])).eigenvalues
tensor([1., 2.]))",
            .forward = forward_of<eigh>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.eigvalsh(A, UPLO='L', *, out=None)",
            .doc = R"(The eigenvalues of symmetric matrices, rising.

>>> torch.linalg.eigvalsh(torch.tensor([[2., 0.], [0., 1.]]))
tensor([1., 2.]))",
            .forward = forward_of<eigvalsh>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature =
                "linalg.ldl_factor_ex(A, *, hermitian=False, check_errors=False, out=None) -> (LD, pivots, info)",
            .doc = R"(ldl_factor with a third result: per matrix 0, or the place of a zero in D (int32).

>>> torch.linalg.ldl_factor_ex(torch.eye(2)).info
tensor(0, dtype=torch.int32))",
            .forward = forward_of<ldl_factor_ex>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.ldl_factor(A, *, hermitian=False, out=None) -> (LD, pivots)",
            .doc = R"(L D L^T of symmetric matrices, packed in one, and LAPACK's pivots (int32).

>>> torch.linalg.ldl_factor(torch.eye(2)).LD
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<ldl_factor>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "linalg.ldl_solve(LD, pivots, B, *, hermitian=False, out=None)",
            .doc = R"(X of A X = B from ldl_factor's results.

>>> torch.linalg.ldl_solve(*torch.linalg.ldl_factor(torch.eye(2)), torch.ones(2, 1))
tensor([[1.],
        [1.]]))",
            .forward = forward_of<ldl_solve>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_OPERATOR(.signature = "_linalg_lstsq(A, B, rcond, driver) -> (solution, rank, singular_values)",
            .doc = "Least squares by a driver of LAPACK; the solution has max(m, n) rows.",
            .forward = forward_of<least_squares>, .derivative = kDerivativePlanned, .forms = kFunction);

}  // namespace lumbre::ops
