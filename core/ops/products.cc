#include "ops/gradients.h"
#include "ops/products.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "base/threads.h"
#include "kernels/products.h"
#include "ops/gemm.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

// Below this many multiply-adds plain loops win over tiles.
constexpr int64_t kSmallWork = 512;

DType common_dtype(const Tensor& a, const Tensor& b, const char* name) {
  LB_CHECK(a.dtype() == b.dtype(), Runtime,
           "expected m1 and m2 to have the same dtype, but got: ", c_type_name(a.dtype()),
           " != ", c_type_name(b.dtype()));
  LB_CHECK(a.dtype() != DType::Bool, NotImplemented, "\"", name, "\" not implemented for 'Bool'");
  return a.dtype();
}

bool computes_in_float(DType dtype) { return is_half(dtype); }

// c = alpha A x + beta c for a matrix A whose columns are contiguous: blocks of c are sums of them.
template <class T>
void sum_of_columns(const Tensor& a, const Tensor& x, const Tensor& c, T alpha, T beta) {
  constexpr int64_t kBlock = 1024, kShare = 256;  // elements of c at a time, and those that a thread takes at least
  const int64_t m = a.sizes()[0], k = a.sizes()[1];
  const auto kernel = product_table().gemm[static_cast<int>(c.dtype())];
  const LongWork released(m * k >= 1 << 20);
  parallel_for(m, std::max<int64_t>(kShare, 65536 / k), [&](int64_t begin, int64_t end) {
    T sums[kBlock];
    for (int64_t from = begin; from < end; from += kBlock) {
      const int64_t rows = std::min(kBlock, end - from);
      kernel(1, rows, k, x.as<T>(), {0, x.strides()[0]}, a.as<T>() + from, {a.strides()[1], 1}, sums, rows);
      T* out = c.as<T>() + from;
      for (int64_t i = 0; i < rows; ++i) out[i] = alpha * sums[i] + (beta == 0 ? T(0) : beta * out[i]);
    }
  });
}

// c = alpha a b + beta c for contiguous rows of c; all of one dtype that is float32, float64 or an integer.
template <class T>
void product(const Tensor& a, const Tensor& b, const Tensor& c, Scalar alpha, Scalar beta) {
  const int64_t m = a.sizes()[0], k = a.sizes()[1], n = b.sizes()[1];
  const int64_t c_row = c.strides()[0];
  const bool plain = alpha.as_double() == 1 && beta.as_double() == 0;
  const auto& table = product_table();
  const bool small = std::is_integral_v<T> ||
                     (static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) <= kSmallWork && n > 1);
  if (small && plain && n > 0) {
    const auto kernel = table.gemm[static_cast<int>(c.dtype())];
    const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, n * k));
    const auto rows = [&](int64_t begin, int64_t end) {
      kernel(end - begin, n, k, a.as<T>() + begin * a.strides()[0], {a.strides()[0], a.strides()[1]}, b.as<T>(),
             {b.strides()[0], b.strides()[1]}, c.as<T>() + begin * c_row, c_row);
    };
    if (m <= grain) return rows(0, m);
    return parallel_for(m, grain, rows);
  }
  if constexpr (std::is_floating_point_v<T>) {
    if (n == 1 && c_row == 1 && m >= 64 && k >= 64 && a.strides()[0] == 1 && a.strides()[1] != 1)
      return sum_of_columns<T>(a, b, c, alpha.to<T>(), beta.to<T>());
    gemm(m, n, k, alpha.to<T>(), a.as<T>(), {a.strides()[0], a.strides()[1]}, b.as<T>(),
         {b.strides()[0], b.strides()[1]}, beta.to<T>(), c.as<T>(), c_row);
  } else {
    const Tensor fresh = Tensor::empty({m, n}, c.dtype());
    product<T>(a, b, fresh, Scalar(1), Scalar(0));
    const T x = alpha.to<T>(), y = beta.to<T>();
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        T& target = c.as<T>()[i * c_row + j];
        target = static_cast<T>((y == 0 ? T(0) : static_cast<T>(y * target)) + x * fresh.as<T>()[i * n + j]);
      }
  }
}

bool bfloat16_product(const Tensor& a, const Tensor& b, const Tensor& c, Scalar alpha, Scalar beta) {
  return c.dtype() == DType::BFloat16 &&
         gemm_bfloat16(c.sizes()[0], c.sizes()[1], a.sizes()[1], alpha.to<float>(), a.as<uint16_t>(),
                       {a.strides()[0], a.strides()[1]}, b.as<uint16_t>(), {b.strides()[0], b.strides()[1]},
                       beta.to<float>(), c.as<uint16_t>(), c.strides()[0]);
}

void product_into(const Tensor& a, const Tensor& b, const Tensor& c, Scalar alpha, Scalar beta) {
  if (c.count() == 0) return;
  if (a.sizes()[1] == 0) {
    if (beta.as_double() == 0)
      c.fill(Scalar(0));
    else if (beta.as_double() != 1)
      product_into(Tensor::zeros({a.sizes()[0], 1}, a.dtype()), Tensor::zeros({1, b.sizes()[1]}, b.dtype()), c, alpha,
                   beta);
    return;
  }
  if (bfloat16_product(a, b, c, alpha, beta)) return;
  if (computes_in_float(c.dtype())) {
    const Tensor wide =
        beta.as_double() == 0 ? Tensor::empty(c.sizes(), DType::Float32) : c.to(DType::Float32).contiguous();
    product<float>(a.to(DType::Float32), b.to(DType::Float32), wide, alpha, beta);
    return c.copy_from(wide);
  }
  visit_dtype(c.dtype(), [&]<class T>(T) {
    if constexpr (!is_half_type<T> && !std::is_same_v<T, bool>) product<T>(a, b, c, alpha, beta);
  });
}

Tensor matrix_of(const Tensor& batch, int64_t index) {
  return Tensor::over(batch->storage, batch.dtype(), {batch.sizes()[1], batch.sizes()[2]},
                      {batch.strides()[1], batch.strides()[2]}, batch->offset + index * batch.strides()[0]);
}

Tensor expanded(const Tensor& t, const Dims& sizes, const char* what) {
  LB_CHECK(t.ndim() <= sizes.ndim(), Runtime, "expand(torch.", dtype_title(t.dtype()), "Tensor{", t.sizes(),
           "}, size=", sizes, "): the number of sizes provided (", sizes.ndim(),
           ") must be greater or equal to the number of dimensions in the tensor (", t.ndim(), ")");
  (void)what;
  Dims strides(sizes.size(), 0);
  for (int d = 1; d <= t.ndim(); ++d) {
    const int64_t have = t.sizes()[t.ndim() - d], want = sizes[sizes.ndim() - d];
    LB_CHECK(have == want || have == 1, Runtime, "The expanded size of the tensor (", want,
             ") must match the existing size (", have, ") at non-singleton dimension ", sizes.ndim() - d,
             ".  Target sizes: ", sizes, ".  Tensor sizes: ", t.sizes());
    strides[sizes.ndim() - d] = have == want ? t.strides()[t.ndim() - d] : 0;
  }
  return Tensor::over(t->storage, t.dtype(), sizes, strides, t->offset);
}

// The start of an accumulating product: beta * input is left to the product, which reads c unless beta is 0.
Tensor accumulator(const Tensor& input, const Dims& sizes, DType dtype, Scalar beta) {
  const Tensor base = expanded(input, sizes, "input");
  LB_CHECK(input.dtype() == dtype, Runtime, "self and mat2 must have the same dtype, but got ",
           dtype_title(input.dtype()), " and ", dtype_title(dtype));
  Tensor result = Tensor::empty(sizes, dtype);
  if (beta.as_double() != 0) result.copy_from(base);
  return result;
}

void check_matrices(const Tensor& a, const Tensor& b, const char* first, const char* second) {
  LB_CHECK(a.ndim() == 2, Runtime, first, " must be a matrix",
           a.ndim() == 2 ? "" : text(", got ", a.ndim(), "-D tensor"));
  LB_CHECK(b.ndim() == 2, Runtime, second, " must be a matrix",
           b.ndim() == 2 ? "" : text(", got ", b.ndim(), "-D tensor"));
  LB_CHECK(a.sizes()[1] == b.sizes()[0], Runtime, "mat1 and mat2 shapes cannot be multiplied (", a.sizes()[0], "x",
           a.sizes()[1], " and ", b.sizes()[0], "x", b.sizes()[1], ")");
}

void check_batches(const Tensor& a, const Tensor& b) {
  LB_CHECK(a.ndim() == 3, Runtime, "batch1 must be a 3D tensor");
  LB_CHECK(b.ndim() == 3, Runtime, "batch2 must be a 3D tensor");
  LB_CHECK(a.sizes()[0] == b.sizes()[0] && a.sizes()[2] == b.sizes()[1], Runtime,
           "Expected size for first two dimensions of batch2 tensor to be: [", a.sizes()[0], ", ", a.sizes()[2],
           "] but got: [", b.sizes()[0], ", ", b.sizes()[1], "].");
}

// Many small matrices: raw loops only, so that the batch can be split over threads.
template <class T>
void batched(const Tensor& a, const Tensor& b, const Tensor& c, Scalar alpha, Scalar beta) {
  const int64_t m = a.sizes()[1], k = a.sizes()[2], n = b.sizes()[2];
  const auto kernel = product_table().gemm[static_cast<int>(c.dtype())];
  const bool own = std::is_integral_v<T> || (m * n * k <= kSmallWork && n > 1);
  const T x = alpha.to<T>(), y = beta.to<T>();
  parallel_for(
      a.sizes()[0], std::max<int64_t>(1, 65536 / std::max<int64_t>(1, m * n * k)), [&](int64_t begin, int64_t end) {
        std::vector<T> scratch(own && !(x == 1 && y == 0) ? static_cast<size_t>(m * n) : 0);
        for (int64_t i = begin; i < end; ++i) {
          const T* pa = a.as<T>() + i * a.strides()[0];
          const T* pb = b.as<T>() + i * b.strides()[0];
          T* pc = c.as<T>() + i * c.strides()[0];
          if constexpr (std::is_floating_point_v<T>) {
            if (!own) {
              gemm(m, n, k, x, pa, {a.strides()[1], a.strides()[2]}, pb, {b.strides()[1], b.strides()[2]}, y, pc, n);
              continue;
            }
          }
          T* target = scratch.empty() ? pc : scratch.data();
          kernel(m, n, k, pa, {a.strides()[1], a.strides()[2]}, pb, {b.strides()[1], b.strides()[2]}, target, n);
          if (scratch.empty()) continue;
          for (int64_t e = 0; e < m * n; ++e)
            pc[e] = static_cast<T>((y == 0 ? T(0) : static_cast<T>(y * pc[e])) + x * target[e]);
        }
      });
}

void batched_into(const Tensor& a, const Tensor& b, const Tensor& c, Scalar alpha, Scalar beta) {
  // A batch of half matrices is widened once, not matrix by matrix.
  if (computes_in_float(c.dtype())) {
    const Tensor wide =
        beta.as_double() == 0 ? Tensor::empty(c.sizes(), DType::Float32) : c.to(DType::Float32).contiguous();
    batched_into(a.to(DType::Float32), b.to(DType::Float32), wide, alpha, beta);
    return c.copy_from(wide);
  }
  const int64_t work = a.sizes()[1] * a.sizes()[2] * b.sizes()[2];
  // Small matrices in parallel, each on one thread; large ones one after the other, each on all threads.
  if (work >= 1 << 21 || a.sizes()[0] == 1 || c.count() == 0 || work == 0) {
    for (int64_t i = 0; i < a.sizes()[0]; ++i)
      product_into(matrix_of(a, i), matrix_of(b, i), matrix_of(c, i), alpha, beta);
    return;
  }
  visit_dtype(c.dtype(), [&]<class T>(T) {
    if constexpr (!is_half_type<T> && !std::is_same_v<T, bool>) batched<T>(a, b, c, alpha, beta);
  });
}

// The chunks of a long sum, and so its rounding, do not depend on the number of threads.
template <class T>
void dot_into(const Tensor& x, const Tensor& y, T& result) {
  constexpr int64_t kChunk = 1 << 16;
  const auto kernel = product_table().dot[static_cast<int>(x.dtype())];
  const int64_t n = x.count(), dx = x.strides()[0], dy = y.strides()[0];
  if (n <= kChunk) return kernel(n, x.bytes(), dx, y.bytes(), dy, &result);
  std::vector<T> sums(static_cast<size_t>(n / kChunk + (n % kChunk != 0)));
  const LongWork released(n >= 1 << 20);
  parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernel(std::min(kChunk, n - i * kChunk), x.as<T>() + i * kChunk * dx, dx, y.as<T>() + i * kChunk * dy, dy,
             &sums[static_cast<size_t>(i)]);
  });
  result = std::accumulate(sums.begin(), sums.end(), T(0), std::plus<T>());
}

}  // namespace

Tensor dot(const Tensor& input, const Tensor& tensor) {
  LB_CHECK(input.ndim() == 1 && tensor.ndim() == 1, Runtime, "1D tensors expected, but got ", input.ndim(), "D and ",
           tensor.ndim(), "D tensors");
  LB_CHECK(input.dtype() == tensor.dtype(), Runtime, "dot : expected both vectors to have same dtype, but found ",
           dtype_title(input.dtype()), " and ", dtype_title(tensor.dtype()));
  const int64_t n = input.count();
  LB_CHECK(n == tensor.count(), Runtime, "inconsistent tensor size, expected tensor [", n, "] and src [",
           tensor.count(), "] to have the same number of elements, but got ", n, " and ", tensor.count(),
           " elements respectively");
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"dot\" not implemented for 'Bool'");
  if (computes_in_float(input.dtype()))
    return dot(input.to(DType::Float32), tensor.to(DType::Float32)).to(input.dtype());
  Tensor result = Tensor::empty({}, input.dtype());
  visit_dtype(result.dtype(), [&]<class T>(T) {
    if constexpr (!is_half_type<T> && !std::is_same_v<T, bool>) dot_into<T>(input, tensor, *result.as<T>());
  });
  return result;
}

Tensor mm(const Tensor& input, const Tensor& mat2) {
  check_matrices(input, mat2, "self", "mat2");
  const DType dtype = common_dtype(input, mat2, "addmm_impl_cpu_");
  Tensor result = Tensor::empty({input.sizes()[0], mat2.sizes()[1]}, dtype);
  product_into(input, mat2, result, Scalar(1), Scalar(0));
  return result;
}

Tensor mv(const Tensor& input, const Tensor& vec) {
  LB_CHECK(input.ndim() == 2 && vec.ndim() == 1, Runtime, "vector + matrix @ vector expected, got ", 1, ", ",
           input.ndim(), ", ", vec.ndim());
  LB_CHECK(input.sizes()[1] == vec.sizes()[0], Runtime, "size mismatch, got input (", input.sizes()[0], "), mat (",
           input.sizes()[0], "x", input.sizes()[1], "), vec (", vec.sizes()[0], ")");
  common_dtype(input, vec, "addmv_impl_cpu");
  Tensor result = Tensor::empty({input.sizes()[0]}, input.dtype());
  const Tensor column = vec.view_as_strided({vec.sizes()[0], 1}, {vec.strides()[0], 1}, vec->offset);
  product_into(input, column, result.view_as_strided({result.count(), 1}, {1, 1}, 0), Scalar(1), Scalar(0));
  return result;
}

Tensor bmm(const Tensor& input, const Tensor& mat2) {
  check_batches(input, mat2);
  const DType dtype = common_dtype(input, mat2, "bmm");
  Tensor result = Tensor::empty({input.sizes()[0], input.sizes()[1], mat2.sizes()[2]}, dtype);
  batched_into(input, mat2, result, Scalar(1), Scalar(0));
  return result;
}

namespace {

Tensor reshaped(const Tensor& t, const Dims& sizes) {
  if (const auto strides = view_strides(t.sizes(), t.strides(), sizes))
    return Tensor::over(t->storage, t.dtype(), sizes, *strides, t->offset);
  const Tensor copy = t.clone(MemoryFormat::Contiguous);
  return Tensor::over(copy->storage, t.dtype(), sizes, contiguous_strides(sizes), 0);
}

Tensor batch_of(const Tensor& t, const Dims& batch) {
  Dims sizes = batch;
  sizes.push_back(t.sizes()[t.ndim() - 2]);
  sizes.push_back(t.sizes()[t.ndim() - 1]);
  return reshaped(expanded(t, sizes, "operand"), {count_elements(batch), sizes[batch.size()], sizes.back()});
}

Tensor matmul_batched(const Tensor& a, const Tensor& b) {
  const auto leading = [](const Tensor& t) { return Dims(std::span(t.sizes().begin(), t.sizes().size() - 2)); };
  const Dims batch = broadcast_sizes(leading(a), leading(b));
  const Tensor product = bmm(batch_of(a, batch), batch_of(b, batch));
  Dims sizes = batch;
  sizes.push_back(a.sizes()[a.ndim() - 2]);
  sizes.push_back(b.sizes()[b.ndim() - 1]);
  return reshaped(product, sizes);
}

}  // namespace

Tensor matmul(const Tensor& input, const Tensor& other) {
  const int a = input.ndim(), b = other.ndim();
  LB_CHECK(a > 0 && b > 0, Runtime, "both arguments to matmul need to be at least 1D, but they are ", a, "D and ", b,
           "D");
  if (a == 1 && b == 1) return dot(input, other);
  if (a == 2 && b == 1) return mv(input, other);
  if (a == 2 && b == 2) return mm(input, other);
  if (a == 1) {
    const Tensor row = reshaped(input, {1, input.sizes()[0]});
    const Tensor product = matmul(row, other);
    Dims sizes = product.sizes();
    sizes.erase(sizes.size() - 2);
    return reshaped(product, sizes);
  }
  if (b == 1) {
    const Tensor product = matmul(input, reshaped(other, {other.sizes()[0], 1}));
    Dims sizes = product.sizes();
    sizes.pop_back();
    return reshaped(product, sizes);
  }
  if (b == 2 && a > 2) {  // one matrix for all of the batch: one product of tall matrices
    const int64_t columns = input.sizes().back();
    Dims sizes = input.sizes();
    sizes.back() = other.sizes()[1];
    const int64_t rows = count_elements(std::span(input.sizes().begin(), input.sizes().size() - 1));
    return reshaped(mm(reshaped(input, {rows, columns}), other), sizes);
  }
  return matmul_batched(input, other);
}

namespace {

Tensor reversed_matmul(const Tensor& input, const Tensor& other) { return matmul(other, input); }

// The last step of PyTorch's composition for operands of these dimensions.
template <int kLeft, int kRight>
const char* matmul_node(const OperatorNode& node) {
  const int left = node.argument(kLeft).dims.ndim(), right = node.argument(kRight).dims.ndim();
  if (left == 1 && right == 1) return "DotBackward0";
  if (left == 2 && right == 1) return "MvBackward0";
  if (left == 1 && right == 2) return "SqueezeBackward4";
  if (left == 2 && right == 2) return "MmBackward0";
  if (left > 2 || left == 1 || !node.wants(kLeft)) return "UnsafeViewBackward0";
  return node.argument(kLeft).dims[0] == 0 ? "TransposeBackward0" : "CloneBackward0";
}

Tensor addmm(const Tensor& input, const Tensor& mat1, const Tensor& mat2, Scalar beta, Scalar alpha) {
  check_matrices(mat1, mat2, "mat1", "mat2");
  const DType dtype = common_dtype(mat1, mat2, "addmm_impl_cpu_");
  Tensor result = accumulator(input, {mat1.sizes()[0], mat2.sizes()[1]}, dtype, beta);
  product_into(mat1, mat2, result, alpha, beta);
  return result;
}

Tensor addmv(const Tensor& input, const Tensor& mat, const Tensor& vec, Scalar beta, Scalar alpha) {
  LB_CHECK(mat.ndim() == 2 && vec.ndim() == 1 && input.ndim() <= 1, Runtime, "vector + matrix @ vector expected, got ",
           input.ndim(), ", ", mat.ndim(), ", ", vec.ndim());
  LB_CHECK(mat.sizes()[1] == vec.sizes()[0], Runtime, "size mismatch, got input (", input.count(), "), mat (",
           mat.sizes()[0], "x", mat.sizes()[1], "), vec (", vec.sizes()[0], ")");
  const DType dtype = common_dtype(mat, vec, "addmv_impl_cpu");
  Tensor result = accumulator(input, {mat.sizes()[0]}, dtype, beta);
  const Tensor column = vec.view_as_strided({vec.sizes()[0], 1}, {vec.strides()[0], 1}, vec->offset);
  product_into(mat, column, result.view_as_strided({result.count(), 1}, {1, 1}, 0), alpha, beta);
  return result;
}

Tensor baddbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, Scalar beta, Scalar alpha) {
  check_batches(batch1, batch2);
  const DType dtype = common_dtype(batch1, batch2, "baddbmm");
  Tensor result = accumulator(input, {batch1.sizes()[0], batch1.sizes()[1], batch2.sizes()[2]}, dtype, beta);
  batched_into(batch1, batch2, result, alpha, beta);
  return result;
}

Tensor addbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, Scalar beta, Scalar alpha) {
  check_batches(batch1, batch2);
  const DType dtype = common_dtype(batch1, batch2, "addbmm");
  Tensor result = accumulator(input, {batch1.sizes()[1], batch2.sizes()[2]}, dtype, beta);
  if (batch1.sizes()[0] == 0)
    product_into(Tensor::zeros({result.sizes()[0], 1}, dtype), Tensor::zeros({1, result.sizes()[1]}, dtype), result,
                 alpha, beta);
  const Tensor wide = computes_in_float(dtype) ? result.to(DType::Float32) : result;
  for (int64_t i = 0; i < batch1.sizes()[0]; ++i)
    product_into(matrix_of(batch1, i).to(wide.dtype()), matrix_of(batch2, i).to(wide.dtype()), wide, alpha,
                 i == 0 ? beta : Scalar(1));
  return wide.to(dtype);
}

Tensor outer(const Tensor& input, const Tensor& vec2) {
  LB_CHECK(input.ndim() == 1, Runtime, "outer: Expected 1-D argument self, but got ", input.ndim(), "-D");
  LB_CHECK(vec2.ndim() == 1, Runtime, "outer: Expected 1-D argument vec2, but got ", vec2.ndim(), "-D");
  const autograd::GradModeGuard off(false);
  return op::mul(reshaped(input, {input.count(), 1}), reshaped(vec2, {1, vec2.count()}));
}

Tensor inner(const Tensor& input, const Tensor& other) {
  if (input.ndim() == 0 || other.ndim() == 0) {
    const Tensor& scalar = input.ndim() == 0 ? input : other;
    const Tensor& rest = input.ndim() == 0 ? other : input;
    PromotionState state;
    state.add(input);
    state.add(other);
    const DType dtype = state.result();
    const Tensor product = outer(reshaped(rest.to(dtype), {rest.count()}), reshaped(scalar.to(dtype), {1}));
    return reshaped(product, rest.sizes());
  }
  LB_CHECK(input.sizes().back() == other.sizes().back(), Runtime,
           "inner() the last dimension must match on both input tensors but got shapes ", input.sizes(), " and ",
           other.sizes());
  const int64_t k = input.sizes().back();
  Dims sizes(std::span(input.sizes().begin(), input.sizes().size() - 1));
  const int64_t m = count_elements(sizes);
  Dims rest(std::span(other.sizes().begin(), other.sizes().size() - 1));
  const int64_t n = count_elements(rest);
  for (int64_t size : rest) sizes.push_back(size);
  const Tensor right = reshaped(other, {n, k});
  const Tensor transposed =
      Tensor::over(right->storage, right.dtype(), {k, n}, {right.strides()[1], right.strides()[0]}, right->offset);
  return reshaped(mm(reshaped(input, {m, k}), transposed), sizes);
}

// One state of a small network: less than a call of the BLAS library costs.
constexpr int64_t kSmallLinear = 1 << 15;
bool is_small_linear(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
  const DType dtype = input.dtype();
  if (dtype != DType::Float32 && dtype != DType::Float64) return false;
  if (weight.ndim() != 2 || input.ndim() == 0 || weight.dtype() != dtype || input.sizes().back() != weight.sizes()[1])
    return false;
  if (!input.is_contiguous() || !weight.is_contiguous() || input.count() == 0) return false;
  if (bias &&
      (bias->ndim() != 1 || bias->dtype() != dtype || bias->count() != weight.sizes()[0] || !bias->is_contiguous()))
    return false;
  const int64_t rows = input.count() / weight.sizes()[1];
  return rows <= 8 && weight.count() <= kSmallLinear / rows;
}

Tensor linear(const Tensor& input, const Tensor& weight, std::optional<Tensor> bias) {
  if (is_small_linear(input, weight, bias)) {
    Dims sizes = input.sizes();
    sizes.back() = weight.sizes()[0];
    const Tensor result = Tensor::empty(sizes, input.dtype());
    product_table().linear[input.dtype() == DType::Float64](input.count() / weight.sizes()[1], weight.sizes()[1],
                                                            weight.sizes()[0], input.bytes(), weight.bytes(),
                                                            bias ? bias->bytes() : nullptr, result.bytes());
    return result;
  }
  LB_CHECK(weight.ndim() == 2 || weight.ndim() == 1, Runtime, "linear(): weight must be a matrix, got ", weight.ndim(),
           "-D");
  if (weight.ndim() == 1) {
    if (!bias) return matmul(input, weight);
    LB_CHECK(input.ndim() > 0, Runtime, "linear(): input must have at least one dimension");
    Dims sizes(std::span(input.sizes().begin(), input.sizes().size() - 1));
    const Tensor rows = reshaped(input, {count_elements(sizes), input.sizes().back()});
    return reshaped(addmv(*bias, rows, weight, Scalar(1), Scalar(1)), sizes);
  }
  const Tensor transposed = Tensor::over(weight->storage, weight.dtype(), {weight.sizes()[1], weight.sizes()[0]},
                                         {weight.strides()[1], weight.strides()[0]}, weight->offset);
  if (!bias) return matmul(input, transposed);
  LB_CHECK(input.ndim() > 0, Runtime, "linear(): input must have at least one dimension");
  Dims sizes = input.sizes();
  const int64_t columns = sizes.back();
  sizes.back() = weight.sizes()[0];
  const int64_t rows = count_elements(std::span(sizes.begin(), sizes.size() - 1));
  return reshaped(addmm(*bias, reshaped(input, {rows, columns}), transposed, Scalar(1), Scalar(1)), sizes);
}

}  // namespace

LB_OPERATOR(.signature = "dot(input, tensor, *, out=None)",
            .doc = R"(The dot product of two vectors of the same length and dtype: a 0-d tensor.

Raises RuntimeError for other shapes or different dtypes.

>>> torch.dot(torch.tensor([2., 3.]), torch.tensor([2., 1.]))
tensor(7.))",
            .forward = forward_of<dot>,
            .derivative = LB_GRADIENTS("DotBackward0", "0:1 1:0", g* b.input(1), g* b.input(0)), .aliases = "vdot");
LB_OPERATOR(.signature = "mv(input, vec, *, out=None)",
            .doc = R"(The product of an (n, m) matrix and a vector of m elements: a vector of n.

>>> torch.mv(torch.tensor([[1., 2.], [3., 4.]]), torch.tensor([1., 1.]))
tensor([3., 7.]))",
            .forward = forward_of<mv>,
            .derivative = LB_GRADIENTS("MvBackward0", "0:1 1:0", call<"outer">(g, b.input(1)),
                                       call<"mv">(call<"t">(b.input(0)), g)));
LB_OPERATOR(.signature = "mm(input, mat2, *, out=None)",
            .doc = R"(The product of an (n, k) and a (k, m) matrix: (n, m). Does not broadcast; see matmul.

>>> torch.mm(torch.tensor([[1., 2.]]), torch.tensor([[3.], [4.]]))
tensor([[11.]]))",
            .forward = forward_of<mm>,
            .derivative = LB_GRADIENTS("MmBackward0", "0:1 1:0", call<"mm">(g, call<"t">(b.input(1))),
                                       call<"mm">(call<"t">(b.input(0)), g)));
LB_OPERATOR(.signature = "bmm(input, mat2, *, out=None)",
            .doc = R"(The products of two batches of matrices: (b, n, k) and (b, k, m) give (b, n, m).

>>> torch.bmm(torch.ones(2, 1, 3), torch.ones(2, 3, 1))
tensor([[[3.]],

        [[3.]]]))",
            .forward = forward_of<bmm>,
            .derivative = LB_GRADIENTS("BmmBackward0", "0:1 1:0", call<"bmm">(g, transpose(b.input(1), 1, 2)),
                                       call<"bmm">(transpose(b.input(0), 1, 2), g)));
LB_OPERATOR(.signature = "matmul(input, other, *, out=None)", .doc = R"(The matrix product of two tensors.

Vectors give their dot product, matrices their product; leading dimensions are batches and are broadcast. A vector on
the left is taken as a row, one on the right as a column, and that dimension is dropped from the result.

>>> torch.matmul(torch.ones(2, 3), torch.ones(3))
tensor([3., 3.]))",
            .forward = forward_of<matmul>,
            .derivative = named_by(matmul_node<0, 1>, gradients(nullptr, matmul_gradient<0, 1>, "0:1 1:0")),
            .aliases = "linalg.matmul");
LB_OPERATOR(.signature = "_reversed_matmul(input, other)", .doc = "other @ input.",
            .forward = forward_of<reversed_matmul>,
            .derivative = named_by(matmul_node<1, 0>, gradients(nullptr, matmul_gradient<1, 0>, "0:1 1:0")),
            .forms = kHidden);
LB_OPERATOR(.signature = "addmm(input, mat1, mat2, *, beta=1, alpha=1, out=None)",
            .doc = R"(beta * input + alpha * (mat1 @ mat2); `input` is broadcast to the product's shape.

With beta 0, `input` is not read, so its NaNs do not matter.

>>> torch.addmm(torch.ones(2), torch.ones(1, 3), torch.ones(3, 2))
tensor([[4., 4.]]))",
            .forward = forward_of<addmm>,
            .derivative = gradients("AddmmBackward0", added_product_gradient<"mm">, "1:2 2:1"), .forms = kEveryForm);
LB_OPERATOR(.signature = "addmv(input, mat, vec, *, beta=1, alpha=1, out=None)",
            .doc = R"(beta * input + alpha * (mat @ vec).

>>> torch.addmv(torch.ones(2), torch.ones(2, 3), torch.ones(3))
tensor([4., 4.]))",
            .forward = forward_of<addmv>, .derivative = gradients("AddmvBackward0", addmv_gradient, "1:2 2:1"),
            .forms = kUnaryForms);
LB_OPERATOR(.signature = "baddbmm(input, batch1, batch2, *, beta=1, alpha=1, out=None)",
            .doc = R"(beta * input + alpha * (batch1 @ batch2), batch by batch.

>>> torch.baddbmm(torch.ones(1, 1, 1), torch.ones(1, 1, 2), torch.ones(1, 2, 1))
tensor([[[3.]]]))",
            .forward = forward_of<baddbmm>,
            .derivative = gradients("BaddbmmBackward0", added_product_gradient<"bmm">, "1:2 2:1"), .forms = kEveryForm);
LB_OPERATOR(.signature = "addbmm(input, batch1, batch2, *, beta=1, alpha=1, out=None)",
            .doc = R"(beta * input + alpha * the sum of the products batch1[i] @ batch2[i].

>>> torch.addbmm(torch.zeros(1, 1), torch.ones(2, 1, 3), torch.ones(2, 3, 1))
tensor([[6.]]))",
            .forward = forward_of<addbmm>, .derivative = gradients("AddbmmBackward0", addbmm_gradient, "1:2 2:1"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "outer(input, vec2, *, out=None)",
            .doc = R"(All products of an element of one vector with an element of the other: (n) and (m) give (n, m).

>>> torch.outer(torch.tensor([1., 2.]), torch.tensor([1., 10.]))
tensor([[ 1., 10.],
        [ 2., 20.]]))",
            .forward = forward_of<outer>,
            .derivative = LB_GRADIENTS("MulBackward0", "0:1 1:0", call<"mv">(g, cast(b.input(1), g.dtype())),
                                       call<"mv">(call<"t">(g), cast(b.input(0), g.dtype()))),
            .aliases = "ger");
LB_OPERATOR(.signature = "inner(input, other, *, out=None)", .doc = R"(Sums of products over the last dimension of both.

>>> torch.inner(torch.tensor([1., 2.]), torch.tensor([[1., 1.], [2., 2.]]))
tensor([3., 6.]))",
            .forward = forward_of<inner>, .derivative = gradients("InnerBackward0", inner_gradient, "0:1 1:0"));
LB_OPERATOR(.signature = "nn.functional.linear(input, weight, bias=None, *, out=None)",
            .doc = R"(input @ weight.T + bias: (..., in) with a weight of (out, in) gives (..., out).

>>> torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 2), torch.ones(3))
tensor([[3., 3., 3.]]))",
            .forward = forward_of<linear>,
            .derivative = gradients("MmBackward0!AddmmBackward0", linear_gradient, "0:1 1:0"), .forms = kFunction);

}  // namespace lumbre::ops
