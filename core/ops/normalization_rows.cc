// Normalisations of contiguous rows with weight and bias in one pass forward and two back. What does not fit here
// (other layouts, mixed dtypes) is composed in normalization.cc.
#include <cmath>
#include <vector>

#include "base/threads.h"
#include "kernels/normalize.h"
#include "ops/gradients.h"

namespace lumbre::ops {
namespace {

using OptionalTensor = std::optional<Tensor>;

constexpr int64_t kChunkElements = 32768, kLongNormalization = 1000000;

enum class Kind : uint8_t { Batch, Group, Layer };

// An input as rows: `images` times `channels` rows of `length`, in groups that share their moments. Layers are rows
// that are a group each.
struct Rows {
  Kind kind;
  int64_t images, channels, length, groups;  // groups of an image; of batches: all channels

  int64_t stats() const { return kind == Kind::Group ? images * groups : kind == Kind::Batch ? channels : images; }
  int64_t per_stat() const { return images * channels * length / stats(); }
  int64_t grain() const { return std::max<int64_t>(1, kChunkElements / std::max<int64_t>(per_stat(), 1)); }
  bool is_long() const { return images * channels * length > kLongNormalization; }
  int64_t channels_of_group() const { return channels / groups; }
  // Calls f(row, channel) for each row of a group.
  template <class F>
  void each(int64_t stat, F&& f) const {
    if (kind == Kind::Batch) {
      for (int64_t n = 0; n < images; ++n) f(n * channels + stat, stat);
    } else {
      const int64_t some = channels_of_group();
      for (int64_t k = 0; k < some; ++k) f(stat * some + k, stat % groups * some + k);
    }
  }
};

// `groups` counts those of an image; of layers, it is the number of dimensions that are normalised.
Rows rows_of(Kind kind, const Dims& sizes, int64_t groups) {
  Rows r{kind, 1, 1, 1, 1};
  if (kind == Kind::Layer) {
    for (int d = 0; d < sizes.ndim(); ++d) (d < sizes.ndim() - groups ? r.images : r.length) *= sizes[d];
    return r;
  }
  r.images = sizes[0];
  r.channels = sizes[1];
  for (int d = 2; d < sizes.ndim(); ++d) r.length *= sizes[d];
  r.groups = kind == Kind::Group ? groups : r.channels;
  return r;
}

const NormalizeLoops& loops_of(const Tensor& t) { return normalize_table().loops[t.dtype() == DType::Float64]; }

template <class F>
void visit(const Tensor& t, F&& f) {
  if (t.dtype() == DType::Float64) return f(double{});
  f(float{});
}

double at(const Tensor& t, int64_t i) {
  return t.dtype() == DType::Float64 ? t.as<double>()[i] : static_cast<double>(t.as<float>()[i]);
}
void put(const Tensor& t, int64_t i, double value) {
  visit(t, [&]<class T>(T) { t.as<T>()[i] = static_cast<T>(value); });
}

// (result, mean, 1 / deviation, variance)
template <Kind kind>
std::tuple<Tensor, Tensor, Tensor, Tensor> normalize(const Tensor& input, const OptionalTensor& weight,
                                                     const OptionalTensor& bias, int64_t groups, double eps) {
  const Tensor x = input.contiguous(), w = weight ? weight->contiguous() : Tensor(),
               b = bias ? bias->contiguous() : Tensor();
  const Rows r = rows_of(kind, x.sizes(), groups);
  const Dims stats{r.stats()};
  const Tensor y = Tensor::empty(x.sizes(), x.dtype()), mean = Tensor::empty(stats, x.dtype()),
               root = Tensor::empty(stats, x.dtype()), variance = Tensor::empty(stats, x.dtype());
  const NormalizeLoops& loops = loops_of(x);
  const auto item = static_cast<int64_t>(x.item_bytes());
  const LongWork released(r.is_long());
  parallel_for(r.stats(), r.grain(), [&](int64_t begin, int64_t end) {
    const auto n = static_cast<double>(r.per_stat());
    for (int64_t s = begin; s < end; ++s) {
      double sum = 0, squares = 0;
      const auto row_at = [&](int64_t row) { return x.bytes() + row * r.length * item; };
      r.each(s, [&](int64_t row, int64_t) { sum += loops.sum(row_at(row), r.length); });
      const double m = sum / n;
      r.each(s, [&](int64_t row, int64_t) { squares += loops.squares(row_at(row), r.length, m); });
      const double scale = 1 / std::sqrt(squares / n + eps);
      put(mean, s, m);
      put(root, s, scale);
      put(variance, s, squares / n);
      r.each(s, [&](int64_t row, int64_t c) {
        char* to = y.bytes() + row * r.length * item;
        if (kind == Kind::Layer)
          loops.apply_each(row_at(row), r.length, {m, scale}, w.defined() ? w.bytes() : nullptr,
                           b.defined() ? b.bytes() : nullptr, to);
        else
          loops.apply(row_at(row), r.length, m, w.defined() ? scale * at(w, c) : scale, b.defined() ? at(b, c) : 0, to);
      });
    }
  });
  return {y, mean, root, variance};
}

struct NormalGradients {
  Tensor input, weight, bias;
};

// Of batches and groups: the weight is one number for each row.
NormalGradients back_by_channel(const Rows& r, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& mean,
                                const Tensor& root) {
  const NormalGradients to{Tensor::empty(x.sizes(), x.dtype()), Tensor::empty({r.channels}, x.dtype()),
                           Tensor::empty({r.channels}, x.dtype())};
  const NormalizeLoops& loops = loops_of(x);
  const int64_t row_bytes = r.length * static_cast<int64_t>(x.item_bytes());
  std::vector<RowSums> sums(static_cast<size_t>(r.images * r.channels));
  const LongWork released(r.is_long());
  parallel_for(r.stats(), r.grain(), [&](int64_t begin, int64_t end) {
    const auto n = static_cast<double>(r.per_stat());
    for (int64_t s = begin; s < end; ++s) {
      const Moments m{at(mean, s), at(root, s)};
      RowSums all{0, 0};
      r.each(s, [&](int64_t row, int64_t c) {
        const RowSums each = loops.sums(g.bytes() + row * row_bytes, x.bytes() + row * row_bytes, r.length, m);
        const double factor = w.defined() ? at(w, c) : 1;
        sums[static_cast<size_t>(row)] = each;
        all.plain += factor * each.plain / n;
        all.along += factor * each.along / n;
      });
      r.each(s, [&](int64_t row, int64_t c) {
        loops.back(g.bytes() + row * row_bytes, x.bytes() + row * row_bytes, r.length, m, w.defined() ? at(w, c) : 1,
                   all, to.input.bytes() + row * row_bytes);
      });
    }
  });
  for (int64_t c = 0; c < r.channels; ++c) {
    double weight = 0, bias = 0;
    for (int64_t n = 0; n < r.images; ++n) {
      weight += sums[static_cast<size_t>(n * r.channels + c)].along;
      bias += sums[static_cast<size_t>(n * r.channels + c)].plain;
    }
    put(to.weight, c, weight);
    put(to.bias, c, bias);
  }
  return to;
}

// Of layers: the weight is one number for each column; chunks of rows have sums of their own, added in order.
NormalGradients back_by_element(const Rows& r, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& mean,
                                const Tensor& root) {
  const int64_t chunks = std::clamp<int64_t>(x.count() / kChunkElements, 1, std::min<int64_t>(r.images, 8));
  const int64_t each = (r.images + chunks - 1) / chunks;
  const NormalGradients to{Tensor::empty(x.sizes(), x.dtype()), Tensor::zeros({chunks, r.length}, x.dtype()),
                           Tensor::zeros({chunks, r.length}, x.dtype())};
  const NormalizeLoops& loops = loops_of(x);
  const int64_t row_bytes = r.length * static_cast<int64_t>(x.item_bytes());
  {
    const LongWork released(r.is_long());
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      const auto n = static_cast<double>(r.length);
      const void* factor = w.defined() ? w.bytes() : nullptr;
      for (int64_t k = begin; k < end; ++k)
        for (int64_t row = k * each; row < std::min(r.images, (k + 1) * each); ++row) {
          const Moments m{at(mean, row), at(root, row)};
          const char *from = g.bytes() + row * row_bytes, *value = x.bytes() + row * row_bytes;
          RowSums sums = loops.sums_each(from, value, r.length, m, factor, to.weight.bytes() + k * row_bytes,
                                         to.bias.bytes() + k * row_bytes);
          sums.plain /= n;
          sums.along /= n;
          loops.back_each(from, value, r.length, m, factor, sums, to.input.bytes() + row * row_bytes);
        }
    });
  }
  if (chunks == 1) return to;
  return {to.input, op::sum(to.weight, Dims{0}, false), op::sum(to.bias, Dims{0}, false)};
}

// The same of recorded operators: what is differentiated again.
void recorded_gradient(Backward& b, const Rows& r) {
  using namespace op;
  const Tensor g = b.grad(0);
  const Dims& sizes = b.sizes(0);
  const Dims shape = r.kind == Kind::Layer   ? Dims{r.images, r.length}
                     : r.kind == Kind::Group ? Dims{r.images * r.groups, r.channels_of_group() * r.length}
                                             : Dims{r.images, r.channels, r.length};
  const Dims dims = r.kind == Kind::Batch ? Dims{0, 2} : Dims{1};
  Dims affine = r.kind == Kind::Layer ? Dims{r.length} : Dims{1, r.channels, 1};
  const Dims plain = r.kind == Kind::Layer ? Dims{r.images, r.length} : Dims{r.images, r.channels, r.length};
  const std::vector<Tensor> parts = call<"_standardize">.all(op::reshape(b.input(0), shape), dims, b.real(4));
  const Tensor normal = parts[0], root = parts[1], grad = op::reshape(g, plain);
  if (b.needs(0)) {
    const Tensor weighted = op::reshape(b.given(1) ? grad * op::reshape(b.input(1), affine) : grad, shape);
    const Tensor mean = call<"mean">(weighted, dims, true, none),
                 along = call<"mean">(weighted * normal, dims, true, none);
    b.give(0, op::reshape((weighted - mean - normal * along) * root, sizes));
  }
  const Dims others = r.kind == Kind::Layer ? Dims{0} : Dims{0, 2};
  if (b.given(1) && b.needs(1))
    b.give(1, op::reshape(op::sum(grad * op::reshape(normal, plain), others, false), b.sizes(1)));
  if (b.given(2) && b.needs(2)) b.give(2, op::reshape(op::sum(grad, others, false), b.sizes(2)));
}

template <Kind kind>
void normalize_gradient(Backward& b) {
  LB_CHECK(!b.has(1) && !b.has(2) && !b.has(3), NotImplemented,
           "the moments of a normalisation are not differentiated by themselves");
  const Rows r = rows_of(kind, b.sizes(0), b.integer(3));
  if (autograd::grad_enabled()) return recorded_gradient(b, r);
  const Tensor g = b.grad(0).contiguous(), x = b.input(0).contiguous(),
               w = b.given(1) ? b.input(1).contiguous() : Tensor();
  const NormalGradients to = kind == Kind::Layer ? back_by_element(r, g, x, w, b.result(1), b.result(2))
                                                 : back_by_channel(r, g, x, w, b.result(1), b.result(2));
  b.give(0, to.input);
  if (b.given(1) && b.needs(1)) b.give(1, op::reshape(to.weight, b.sizes(1)));
  if (b.given(2) && b.needs(2)) b.give(2, op::reshape(to.bias, b.sizes(2)));
}

#define LB_NORMALIZATION(name, node, kind, text)                                   \
  LB_OPERATOR(.signature = name "(input, weight, bias, groups, eps)", .doc = text, \
              .forward = forward_of<normalize<kind>>,                              \
              .derivative = gradients(node, normalize_gradient<kind>, "0:01st 1:01st 2:01st"), .forms = kHidden)
LB_NORMALIZATION("_batch_norm_rows", "NativeBatchNormBackward0", Kind::Batch,
                 "(result, mean, 1 / deviation, variance) of each channel.");
LB_NORMALIZATION("_group_norm_rows", "NativeGroupNormBackward0", Kind::Group,
                 "(result, mean, 1 / deviation, variance) of each group of channels.");
LB_NORMALIZATION("_layer_norm_rows", "NativeLayerNormBackward0", Kind::Layer,
                 "(result, mean, 1 / deviation, variance) of the last dimensions, as many as `groups` says.");

}  // namespace
}  // namespace lumbre::ops
