// Derivatives that take more than an expression: named here, used by the records of their operators.
#pragma once

#include "ops/backward.h"

namespace lumbre {

// Element-wise (gradients_pointwise.cc).
inline Tensor scaled(const Tensor& g, Scalar alpha) {
  return !alpha.is_float() && alpha.as_int() == 1 ? g : op::mul(g, alpha);
}
void quotient_gradient(Backward& b);
void reversed_quotient_gradient(Backward& b);
Tensor logit_gradient(const Tensor& g, Backward& b);
void power_gradient(Backward& b);
Tensor exponent_slope(Backward& b, const Tensor& g, Scalar base, const Tensor& exponent);
template <int base, int exponent>
void exponent_gradient(Backward& b) {
  b.give(exponent, exponent_slope(b, b.grad(), b.scalar(base), b.input(exponent)));
}
void clamp_tensors_gradient(Backward& b);
Tensor clamp_gradient(const Tensor& g, Backward& b);
void lerp_gradient(Backward& b);
void addcmul_gradient(Backward& b);
void addcdiv_gradient(Backward& b);
void where_gradient(Backward& b);
Tensor i1_slope(const Tensor& x, const Tensor& result, const Tensor& other, bool scaled);
void zeta_gradient(Backward& b);
void igamma_slope(Backward& b, double sign);
template <int sign>
void igamma_gradient(Backward& b) {
  igamma_slope(b, sign);
}
Tensor mvlgamma_slope(const Tensor& x, int64_t p);
Tensor sinc_slope(const Tensor& x);
void atan2_gradient(Backward& b);
Tensor inside(const Tensor& g, const Tensor& x, double low, double high);  // g where low < x < high
Tensor outside(const Tensor& g, const Tensor& x, double lambda);           // g where |x| > lambda
void prelu_gradient(Backward& b);
Tensor leaky_gradient(const Tensor& g, const Tensor& x, double slope);
Tensor elu_slope(const Tensor& g, const Tensor& x, double scale, double alpha, double input_scale);
Tensor gelu_gradient(const Tensor& g, const Tensor& x, bool tanh);
Tensor mish_gradient(const Tensor& g, const Tensor& x);
Tensor hardswish_gradient(const Tensor& g, const Tensor& x);
Tensor softplus_gradient(const Tensor& g, const Tensor& x, double beta, double threshold);

// At equal operands of maximum and its kin both get half; fmax and fmin pass NaN over.
void extreme_slope(Backward& b, const char* compare, bool skips_nan);
template <op::Name compare, bool skips_nan>
void extreme_gradient(Backward& b) {
  extreme_slope(b, compare.text, skips_nan);
}
void xlogy_slope(Backward& b, bool plus_one);
template <op::Name name>
void xlogy_gradient(Backward& b) {
  xlogy_slope(b, std::string_view(name.text) != "xlogy");
}

// Reductions and scans (gradients_reductions.cc).
Tensor prod_gradient(const Tensor& g, const Tensor& x, const Tensor& result, std::optional<int64_t> dim, bool keepdim);
void aminmax_gradient(Backward& b);
Tensor picked(Backward& b, int dim, int keepdim);  // the gradient of values that result 1 picked
Tensor logsumexp_gradient(const Tensor& g, Backward& b);
Tensor reversed_cumsum(const Tensor& g, int64_t dim);
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, const Tensor& result, int64_t dim);
Tensor logcumsumexp_gradient(const Tensor& g, const Tensor& x, const Tensor& result, int64_t dim);
int64_t chosen_dim(Backward& b);
Tensor softmax_slope(const Tensor& g, const Tensor& result, int64_t dim);
Tensor log_softmax_slope(const Tensor& g, const Tensor& result, int64_t dim);
Tensor deviations_gradient(Backward& b, const Tensor& g, bool root, int dims, int keepdim, int correction);
Tensor moments_gradient(Backward& b, bool root, int dims, int keepdim, int correction);
Tensor vector_norm_gradient(const Tensor& g, Backward& b);

// Indices, views, pieces (gradients_structure.cc).
void scatter_gradient(Backward& b);
Tensor gathered(Backward& b);
void scatter_reduce_gradient(Backward& b);
void index_reduce_gradient(Backward& b);
void index_add_gradient(Backward& b);
void index_copy_gradient(Backward& b);
void index_fill_gradient(Backward& b);
void put_gradient(Backward& b);
void take_along_dim_gradient(Backward& b);
void index_gradient(Backward& b);
void index_put_gradient(Backward& b);
void cat_gradient(Backward& b);
void stack_gradient(Backward& b);
void joined_gradient(Backward& b);
void block_diag_gradient(Backward& b);
Tensor masked_select_gradient(const Tensor& g, Backward& b);
void masked_fill_gradient(Backward& b);
void masked_scatter_gradient(Backward& b);
void pad_gradient(Backward& b);
Tensor unpadded(const Tensor& g, const Dims& pad);
Tensor embedding_gradient(Backward& b, int weight, int indices, int64_t padding_idx, bool by_frequency);
void roll_gradient(Backward& b);
Tensor repeat_gradient(const Tensor& g, const Dims& repeats, const Dims& sizes);
Tensor tile_gradient(const Tensor& g, const Dims& repeats, const Dims& sizes);
Tensor repeat_interleave_gradient(const Tensor& g, Backward& b);
Tensor placed_slice(const Tensor& g, const Dims& sizes, int64_t dim, int64_t start, int64_t length);
Tensor as_strided_gradient(const Tensor& g, Backward& b);
void as_strided_scatter_gradient(Backward& b);
Tensor unfold_gradient(const Tensor& g, Backward& b);
void pieces_slope(Backward& b, int64_t dim);
template <int dim>
void pieces_gradient(Backward& b) {
  pieces_slope(b, b.integer(dim));
}
void unbind_gradient(Backward& b);
Tensor fill_diagonal_gradient(const Tensor& g, bool wrap);
Tensor inverse_permute(const Tensor& g, const Dims& dims);

// Products (gradients_products.cc).
void matmul_slope(Backward& b, int left, int right);
template <int left, int right>
void matmul_gradient(Backward& b) {
  matmul_slope(b, left, right);
}
void added_slope(Backward& b, bool batched);
template <op::Name name>
void added_product_gradient(Backward& b) {
  added_slope(b, std::string_view(name.text) == "bmm");
}
void addmv_gradient(Backward& b);
void addbmm_gradient(Backward& b);
void inner_gradient(Backward& b);
void linear_gradient(Backward& b);
void tensordot_gradient(Backward& b);
void kron_gradient(Backward& b);
void cdist_gradient(Backward& b);

}  // namespace lumbre
