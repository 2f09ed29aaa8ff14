// scaled_dot_product_attention: checks, the tiled operator with its derivative, and the composition for what needs the
// weights themselves (dropout, a mask's gradient, gradients of gradients).
#include "ops/attention.h"

#include <cmath>
#include <limits>

#include "base/half.h"
#include "ops/gradients.h"

namespace lumbre::ops {
namespace {

using OptionalTensor = std::optional<Tensor>;

constexpr int64_t kFewQueries = 4;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// --- leading dimensions
// ---------------------------------------------------------------------------------------------------------

// All but the last two, with the heads' dimension split in (key heads, query heads of one) where those are shared.
struct Leading {
  Dims sizes, strides;
};

Leading leading_of(const Tensor& t, bool grouped, int64_t key_heads) {
  Leading l;
  for (int d = 0; d + 2 < t.ndim(); ++d) {
    l.sizes.push_back(t.sizes()[d]);
    l.strides.push_back(t.strides()[d]);
  }
  if (!grouped || l.sizes.empty()) return l;
  const int64_t heads = l.sizes.back(), stride = l.strides.back();
  const int64_t groups = heads == 1 ? 1 : key_heads, each = heads / std::max<int64_t>(groups, 1);
  l.sizes.back() = groups;
  l.strides.back() = stride * each;
  l.sizes.push_back(each);
  l.strides.push_back(stride);
  return l;
}

std::optional<Dims> common_sizes(const Dims& a, const Dims& b) {
  const Dims &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Dims sizes = longer;
  const size_t ahead = longer.size() - shorter.size();
  for (size_t d = 0; d < shorter.size(); ++d) {
    int64_t& size = sizes[ahead + d];
    if (size == shorter[d] || shorter[d] == 1) continue;
    if (size != 1) return std::nullopt;
    size = shorter[d];
  }
  return sizes;
}

// Where the matrices of a tensor start that is broadcast to these leading sizes, in row-major order.
std::vector<int64_t> starts_of(const Leading& l, std::span<const int64_t> sizes) {
  std::vector<int64_t> starts(static_cast<size_t>(count_elements(sizes)));
  if (starts.empty()) return starts;
  const size_t ahead = sizes.size() - l.sizes.size();
  size_t filled = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    const int64_t step = d < ahead || l.sizes[d - ahead] == 1 ? 0 : l.strides[d - ahead];
    for (int64_t i = 1; i < sizes[d]; ++i)
      for (size_t j = 0; j < filled; ++j) starts[static_cast<size_t>(i) * filled + j] = starts[j] + i * step;
    filled *= static_cast<size_t>(sizes[d]);
  }
  return starts;
}

// --- the operator on tensors
// ----------------------------------------------------------------------------------------------------

// The leading sizes that the operands are broadcast to; of the last dimension, whether each key head serves all of it.
struct Fit {
  Dims sizes;
  bool grouped;
  int64_t key_heads;
  bool shares;

  int64_t shared() const { return shares ? sizes.back() : 1; }
  std::span<const int64_t> of_keys() const { return {sizes.data(), sizes.size() - (shares ? 1 : 0)}; }
};

// Keys and values have one head where grouped queries have several.
Leading keys_leading(const Tensor& t, bool grouped) {
  Leading l = leading_of(t, false, 1);
  if (!grouped) return l;
  l.sizes.push_back(1);
  l.strides.push_back(0);
  return l;
}

// Nothing where the operands do not fit together.
std::optional<Fit> fit_of(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask,
                          bool grouped) {
  Fit fit{{}, grouped, grouped ? key.size(-3) : 1, false};
  if (grouped && (key.size(-3) != value.size(-3) || key.size(-3) == 0 || query.size(-3) == 0)) return std::nullopt;
  if (query.size(-1) != key.size(-1) || key.size(-2) != value.size(-2)) return std::nullopt;
  const Leading q = leading_of(query, grouped, fit.key_heads), k = keys_leading(key, grouped),
                v = keys_leading(value, grouped);
  auto sizes = common_sizes(q.sizes, k.sizes);
  if (sizes) sizes = common_sizes(*sizes, v.sizes);
  if (!sizes) return std::nullopt;
  if (mask) {
    const int dims = mask->ndim();
    const int64_t last = dims > 0 ? mask->sizes()[dims - 1] : 1, before = dims > 1 ? mask->sizes()[dims - 2] : 1;
    if ((last != 1 && last != key.size(-2)) || (before != 1 && before != query.size(-2))) return std::nullopt;
    if (grouped && dims > 2 && mask->size(-3) != 1 && mask->size(-3) != query.size(-3)) return std::nullopt;
    const auto all = common_sizes(*sizes, leading_of(*mask, grouped, fit.key_heads).sizes);
    if (!all || *all != *sizes) return std::nullopt;
  }
  fit.sizes = *sizes;
  const auto alone = [](const Leading& l) { return l.sizes.empty() || l.sizes.back() == 1; };
  fit.shares = !fit.sizes.empty() && fit.sizes.back() > 1 && alone(k) && alone(v);
  return fit;
}

DType computed_in(DType dtype) { return is_half(dtype) ? DType::Float32 : dtype; }

// In the dtype that is computed in, rows contiguous.
Tensor with_rows(const Tensor& t, DType dtype) {
  const Tensor converted = t.to(dtype);
  return converted.size(-1) > 1 && converted.strides().back() != 1 ? converted.contiguous() : converted;
}

int64_t row_step(const Tensor& t) { return t.strides()[t.ndim() - 2]; }

template <class T>
HeadRows<T> rows_of(const Tensor& t, const Leading& leading, std::span<const int64_t> sizes) {
  return {t.as<std::remove_const_t<T>>(), starts_of(leading, sizes), row_step(t)};
}

AttentionMask mask_of(const Tensor& mask, const Fit& fit) {
  const int dims = mask.ndim();
  const auto step = [&](int d) { return d < 0 || mask.sizes()[d] == 1 ? 0 : mask.strides()[d]; };
  return {mask.bytes(), starts_of(leading_of(mask, fit.grouped, fit.key_heads), fit.sizes), step(dims - 2),
          step(dims - 1), mask.dtype() == DType::Bool};
}

// The operands in the dtype that is computed in; they hold the memory that an Attention points to.
struct Operands {
  Tensor query, key, value, mask;
  Fit fit;
  bool causal, adds;
  double scale;

  template <class T>
  Attention<T> raw() const {
    const std::span<const int64_t> of_keys = fit.of_keys();
    Attention<T> a{.heads = count_elements(of_keys),
                   .shared = fit.shared(),
                   .queries = query.size(-2),
                   .keys = key.size(-2),
                   .width = query.size(-1),
                   .values = value.size(-1),
                   .query = rows_of<const T>(query, leading_of(query, fit.grouped, fit.key_heads), fit.sizes),
                   .key = rows_of<const T>(key, shared_leading(key), of_keys),
                   .value = rows_of<const T>(value, shared_leading(value), of_keys),
                   .causal = causal,
                   .causal_adds = adds,
                   .scale = static_cast<T>(scale)};
    if (mask.defined()) a.mask = mask_of(mask, fit);
    return a;
  }

  // Without the dimension of the query heads that share the keys.
  Leading shared_leading(const Tensor& t) const {
    Leading l = keys_leading(t, fit.grouped);
    if (!fit.shares || l.sizes.empty()) return l;
    l.sizes.pop_back();
    l.strides.pop_back();
    return l;
  }
};

// How PyTorch computes it, and so what the node is called.
enum class Path : int64_t { Fused, Products, OneProduct };

Operands operands_of(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask,
                     bool causal, double scale, bool grouped, int64_t path) {
  const DType dtype = computed_in(query.dtype());
  const auto fit = fit_of(query, key, value, mask, grouped);
  LB_CHECK(fit, Runtime, "attention of sizes that do not fit together");
  Operands o{with_rows(query, dtype),
             with_rows(key, dtype),
             with_rows(value, dtype),
             Tensor(),
             *fit,
             causal,
             path != static_cast<int64_t>(Path::Fused),
             scale};
  if (mask) o.mask = mask->dtype() == DType::Bool ? *mask : mask->to(dtype);
  return o;
}

// The sizes of the leading dimensions as the caller knows them, and two more.
Dims with_leading(const Fit& fit, int64_t rows, int64_t columns) {
  Dims sizes = fit.sizes;
  if (fit.grouped) {
    const int64_t each = sizes.back();
    sizes.pop_back();
    sizes.back() *= each;
  }
  sizes.push_back(rows);
  sizes.push_back(columns);
  return sizes;
}

template <class F>
void visit(DType dtype, F&& f) {
  if (dtype == DType::Float64) return f(double{});
  f(float{});
}

// (result, logarithms)
std::tuple<Tensor, Tensor> tiled(const Tensor& query, const Tensor& key, const Tensor& value,
                                 const OptionalTensor& mask, bool causal, double scale, bool grouped, int64_t path) {
  const Operands o = operands_of(query, key, value, mask, causal, scale, grouped, path);
  const DType dtype = o.query.dtype();
  const Dims sizes = with_leading(o.fit, query.size(-2), value.size(-1));
  const bool as_query = path == static_cast<int64_t>(Path::Fused) && sizes == query.sizes();
  const Tensor result =
      Tensor::empty_strided(sizes, as_query ? strides_like(query, sizes) : contiguous_strides(sizes), dtype);
  const Tensor logarithms = Tensor::empty({count_elements(o.fit.sizes), query.size(-2)}, dtype);
  visit(dtype, [&]<class T>(T) {
    const Leading leading = leading_of(result, grouped, o.fit.key_heads);
    attend(o.raw<T>(), rows_of<T>(result, leading, o.fit.sizes), logarithms.as<T>());
  });
  return {result.to(query.dtype()), logarithms};
}

// --- the derivative
// -------------------------------------------------------------------------------------------------------------

// Memory as PyTorch's kernel leaves its gradients: (batch, rows, heads, width). Where the operand's rows lie outside of
// its batch, as in MultiheadAttention, so do those of its gradient: what follows reads it without a copy.
Tensor gradient_like(const Tensor& operand, const Dims& sizes, int64_t path, DType dtype) {
  if (path != static_cast<int64_t>(Path::Fused) || sizes.ndim() != 4) return Tensor::empty(sizes, dtype);
  const bool outside = sizes[0] > 1 && operand.strides()[2] > operand.strides()[0] && operand.strides()[0] > 0;
  const int64_t first = outside ? sizes[2] : sizes[0], second = outside ? sizes[0] : sizes[2];
  const Dims turned = contiguous_strides({first, second, sizes[1], sizes[3]});
  return Tensor::empty_strided(sizes, {turned[outside ? 1 : 0], turned[2], turned[outside ? 0 : 1], turned[3]}, dtype);
}

void tiled_gradient(Backward& b, const Operands& o, int64_t path) {
  const DType dtype = o.query.dtype();
  const Tensor result = with_rows(b.result(0), dtype), grad = with_rows(b.grad(0), dtype);
  Dims of_keys{o.fit.of_keys()};
  const auto sized = [&](const Tensor& t) {
    Dims sizes = of_keys;
    // A dimension of heads that all share one key's stays, of one head.
    if (o.fit.shares && !o.fit.grouped) sizes.push_back(1);
    if (!o.fit.shares && o.fit.grouped) sizes.pop_back();
    sizes.push_back(t.size(-2));
    sizes.push_back(t.size(-1));
    return sizes;
  };
  const Tensor to_query = gradient_like(o.query, with_leading(o.fit, o.query.size(-2), o.query.size(-1)), path, dtype),
               to_key = gradient_like(o.key, sized(o.key), path, dtype),
               to_value = gradient_like(o.value, sized(o.value), path, dtype);
  visit(dtype, [&]<class T>(T) {
    const auto of_query = [&](const Tensor& t) { return leading_of(t, o.fit.grouped, o.fit.key_heads); };
    const std::span<const int64_t> sizes = o.fit.sizes, keys = o.fit.of_keys();
    attend_back<T>(o.raw<T>(), rows_of<const T>(result, of_query(result), sizes), b.result(1).as<T>(),
                   rows_of<const T>(grad, of_query(grad), sizes),
                   {rows_of<T>(to_query, of_query(to_query), sizes), rows_of<T>(to_key, o.shared_leading(to_key), keys),
                    rows_of<T>(to_value, o.shared_leading(to_value), keys)});
  });
  if (b.needs(0)) b.give(0, to_query);
  if (b.needs(1)) b.give(1, to_key);
  if (b.needs(2)) b.give(2, to_value);
}

// --- the composition
// ------------------------------------------------------------------------------------------------------------

Tensor repeated(const Tensor& t, int64_t times) {
  return times == 1 ? t : op::call<"repeat_interleave">(t, times, int64_t{-3}, op::none);
}

// The weights; rows that the mask shuts entirely are zeros.
Tensor masked_softmax(const Tensor& scores, const OptionalTensor& mask) {
  if (!mask) return op::call<"softmax">(scores, int64_t{-1}, op::none);
  Tensor added = *mask;
  if (added.dtype() == DType::Bool)
    added = op::call<"masked_fill">(op::zeros(added.sizes(), scores.dtype()), op::call<"logical_not">(added),
                                    Scalar(-kInfinity));
  const Tensor masked = op::add(scores, op::cast(added, scores.dtype()));
  const Tensor shut = op::call<"all">(op::call<"eq">(masked, Scalar(-kInfinity)), Dims{-1}, true);
  return op::call<"masked_fill">(op::call<"softmax">(masked, int64_t{-1}, op::none), shut, Scalar(0.0));
}

Tensor causal_mask(const Tensor& query, const Tensor& key) {
  const Tensor open = Tensor::full({query.size(-2), key.size(-2)}, Scalar(true), DType::Bool);
  return op::call<"tril">(open, int64_t{0});
}

// Keys are repeated for shared heads already; operands are of the dtype that is computed in.
Tensor weights_of(const Tensor& query, const Tensor& key, const OptionalTensor& mask, bool causal, double scale) {
  const Tensor scores = op::mm(op::mul(query, Scalar(scale)), op::transpose(key, -2, -1));
  return masked_softmax(scores, causal ? causal_mask(query, key) : mask);
}

Tensor composed(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask, double dropout,
                bool causal, double scale) {
  const DType dtype = query.dtype(), in = computed_in(dtype);
  Tensor weights = weights_of(op::cast(query, in), op::cast(key, in), mask, causal, scale);
  if (dropout > 0) weights = op::call<"nn.functional.dropout">(weights, dropout, true, false);
  return op::cast(op::mm(weights, op::cast(value, in)), dtype);
}

// Sums over the query heads that shared a key head.
Tensor gathered_heads(const Tensor& g, int64_t heads, bool grouped) {
  if (!grouped || g.size(-3) == heads) return g;
  Dims sizes = g.sizes();
  const int64_t each = g.size(-3) / heads;
  sizes[sizes.size() - 3] = heads;
  sizes.insert(sizes.size() - 2, each);
  return op::sum(op::reshape(g, sizes), Dims{-3}, false);
}

// The same gradients of recorded operators: what is differentiated again.
void recorded_gradient(Backward& b, const OptionalTensor& mask) {
  const bool grouped = b.flag(6);
  const double scale = b.real(5);
  const DType in = computed_in(b.dtype(0));
  const Tensor query = op::cast(b.input(0), in), grad = op::cast(b.grad(0), in);
  const auto spread = [&](int parameter) {
    const Tensor t = op::cast(b.input(parameter), in);
    return grouped ? repeated(t, query.size(-3) / t.size(-3)) : t;
  };
  const Tensor key = spread(1), value = spread(2);
  const Tensor weights = weights_of(query, key, mask, b.flag(4), scale);
  const Tensor toward = op::mm(grad, op::transpose(value, -2, -1));
  const Tensor inner = op::sum(op::mul(weights, toward), Dims{-1}, true);
  const Tensor slopes = op::mul(op::mul(weights, op::sub(toward, inner)), Scalar(scale));
  const auto heads = [&](int parameter) { return grouped ? b.sizes(parameter)[b.ndim(parameter) - 3] : 1; };
  if (b.needs(0)) b.give(0, op::mm(slopes, key));
  if (b.needs(1)) b.give(1, gathered_heads(op::mm(op::transpose(slopes, -2, -1), query), heads(1), grouped));
  if (b.needs(2)) b.give(2, gathered_heads(op::mm(op::transpose(weights, -2, -1), grad), heads(2), grouped));
}

void attention_gradient(Backward& b) {
  LB_CHECK(!b.has(1), NotImplemented, "the logarithms of attention are not differentiated by themselves");
  const OptionalTensor mask = b.given(3) ? OptionalTensor(b.input(3)) : std::nullopt;
  if (autograd::grad_enabled()) return recorded_gradient(b, mask);
  const int64_t path = b.integer(7);
  tiled_gradient(b, operands_of(b.input(0), b.input(1), b.input(2), mask, b.flag(4), b.real(5), b.flag(6), path), path);
}

const char* attention_node(const OperatorNode& node) {
  switch (static_cast<Path>(node.argument(7).integer)) {
    case Path::Fused:
      return "ScaledDotProductFlashAttentionForCpuBackward0";
    case Path::Products:
      return "UnsafeViewBackward0";
    case Path::OneProduct:
      return "MmBackward0";
  }
  return nullptr;
}

// --- the function
// ---------------------------------------------------------------------------------------------------------------

// ATen's names of the dtypes, which the messages use.
std::string kind_name(DType dtype) {
  return text(c_type_name(dtype), dtype == DType::Int64 || dtype == DType::Int16 ? " int" : "");
}

void check_attention(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask,
                     double dropout, bool causal) {
  LB_CHECK(query.dtype() == key.dtype() && query.dtype() == value.dtype(), Runtime,
           "Expected query, key, and value to have the same dtype, but got query.dtype: ", kind_name(query.dtype()),
           " key.dtype: ", kind_name(key.dtype()), " and value.dtype: ", kind_name(value.dtype()), " instead.");
  LB_CHECK(query.ndim() >= 2 && key.ndim() >= 2 && value.ndim() >= 2, Runtime,
           "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ", query.ndim(),
           " key.dim: ", key.ndim(), " and value.dim: ", value.ndim(), " instead.");
  if (mask) {
    const DType dtype = mask->dtype();
    LB_CHECK(dtype == DType::Bool || dtype == query.dtype() || dtype == DType::Float32, Runtime,
             "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ",
             kind_name(dtype), " and  query.dtype: ", kind_name(query.dtype()), " instead.");
    LB_CHECK(!causal, Runtime,
             "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True");
  }
  LB_CHECK(dropout >= 0 && dropout <= 1, Runtime, "dropout probability has to be between 0 and 1, but got ", dropout);
}

// PyTorch's conditions for its fused kernel.
Path path_of(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask, bool grouped) {
  if (query.ndim() == 2 && key.ndim() == 2 && value.ndim() == 2) return Path::OneProduct;
  if (query.ndim() != 4 || key.ndim() != 4 || value.ndim() != 4) return Path::Products;
  const auto last = [](const Tensor& t) { return t.strides().back() == 1; };
  const bool plain = last(query) && last(key) && last(value) && (!mask || mask->ndim() == 2 || mask->ndim() == 4);
  const bool same = query.size(0) == key.size(0) && query.size(0) == value.size(0) &&
                    (grouped || (query.size(1) == key.size(1) && query.size(1) == value.size(1)));
  const bool some = query.count() > 0 && key.count() > 0 && query.size(-1) == value.size(-1);
  return plain && same && some ? Path::Fused : Path::Products;
}

bool is_recorded(const Tensor& query, const Tensor& key, const Tensor& value) {
  return autograd::grad_enabled() &&
         (autograd::requires_grad(query) || autograd::requires_grad(key) || autograd::requires_grad(value));
}

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& attn_mask,
                 double dropout_p, bool is_causal, std::optional<double> scale, bool enable_gqa) {
  check_attention(query, key, value, attn_mask, dropout_p, is_causal);
  if (enable_gqa) {
    const int64_t heads = query.size(-3), keys = key.size(-3), values = value.size(-3);
    LB_CHECK(keys != 0 && values != 0 && heads % keys == 0 && heads % values == 0, Runtime,
             "Number of heads in key and value must divide the number of heads in ");
  }
  const double width = static_cast<double>(query.size(-1)),
               factor = scale.value_or(width > 0 ? 1 / std::sqrt(width) : 1.0);
  const bool mask_learns = attn_mask && autograd::grad_enabled() && autograd::requires_grad(*attn_mask);
  // A panel would be mostly empty: the products of few rows read keys and values once, where they lie.
  const bool few = query.size(-2) <= kFewQueries && key.size(-2) > 2 * kFewQueries && query.is_contiguous() &&
                   !is_causal && !enable_gqa && !is_recorded(query, key, value);
  const bool tiles = !few && is_floating(query.dtype()) && dropout_p == 0 && !mask_learns &&
                     fit_of(query, key, value, attn_mask, enable_gqa).has_value();
  if (tiles) {
    const Path path = path_of(query, key, value, attn_mask, enable_gqa);
    return op::call<"_attention">.all(query, key, value, attn_mask, is_causal, factor, enable_gqa,
                                      static_cast<int64_t>(path))[0];
  }
  const auto spread = [&](const Tensor& t) { return enable_gqa ? repeated(t, query.size(-3) / t.size(-3)) : t; };
  return composed(query, spread(key), spread(value), attn_mask, dropout_p, is_causal, factor);
}

}  // namespace

LB_OPERATOR(.signature = "_attention(query, key, value, attn_mask, is_causal, scale, enable_gqa, path)",
            .doc = R"((values averaged, logarithms of the sums of exponentials), without the matrix of scores.

>>> q, k, v = torch.zeros(1, 2), torch.zeros(2, 2), torch.tensor([[1.], [3.]])
>>> torch.nn.functional.scaled_dot_product_attention(q, k, v)
tensor([[2.]]))",
            .forward = forward_of<tiled>,
            .derivative = named_by(attention_node,
                                   gradients(nullptr, attention_gradient, "0:0123rs 1:0123rs 2:0123rs")),
            .forms = kHidden);
LB_OPERATOR(.signature =
                "nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, "
                "is_causal=False, scale=None, enable_gqa=False)",
            .doc =
                R"(The values averaged with weights that softmax gives to the products of queries and keys.

query (..., L, E), key (..., S, E) and value (..., S, V) of one floating dtype give (..., L, V); leading dimensions
broadcast. ``attn_mask`` broadcasts to (..., L, S): bool (True takes part) or numbers that are added to the
products. ``is_causal`` lets position i see the keys up to i. ``scale`` is 1 / sqrt(E) by default; ``dropout_p``
applies always; ``enable_gqa`` shares a key head among several query heads. RuntimeError where dtypes, sizes or
options do not fit.

Without dropout and a mask that requires a gradient, the (L, S) weights are never held as a whole: memory grows with
L + S, in the backward pass too (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein, "Online normalizer
calculation for softmax", 2018).

>>> q, k, v = torch.zeros(1, 2), torch.zeros(2, 2), torch.tensor([[1.], [3.]])
>>> torch.nn.functional.scaled_dot_product_attention(q, k, v)
tensor([[2.]]))",
            .forward = forward_of<attention>, .derivative = kComposed, .forms = kFunction);

}  // namespace lumbre::ops
