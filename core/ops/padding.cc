// Borders, and the two lookups by class number: one_hot and embedding.
#include "ops/padding.h"

#include <cmath>
#include <cstring>

#include "base/threads.h"
#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre::ops {
namespace {

Tensor pad_constant(const Tensor& input, const Dims& pad, Scalar value) {
  const int padded = pad.ndim() / 2, n = input.ndim();
  LB_CHECK(padded <= n, Runtime,
           "Padding length should be less than or equal to two times the input dimension but got "
           "padding length ",
           pad.size(), " and input of dimension ", n);
  Dims sizes = input.sizes();
  for (int i = 0; i < padded; ++i) {
    const int d = n - 1 - i;
    sizes[d] = checked_add(checked_add(sizes[d], pad[2 * i]), pad[2 * i + 1]);
    LB_CHECK(sizes[d] >= 0, Runtime, "narrow(): length must be non-negative.");
  }
  const bool last = !input.is_contiguous() && input.is_contiguous(MemoryFormat::ChannelsLast);
  Tensor result = Tensor::empty_strided(
      sizes, strides_for(sizes, last ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous), input.dtype());
  result.fill(value);
  Tensor from = input, to = result;
  for (int i = 0; i < padded; ++i) {
    const int d = n - 1 - i;
    const int64_t left = pad[2 * i], right = pad[2 * i + 1];
    if (left < 0)
      from = narrow(from, d, std::min(-left, from.sizes()[d]), std::max<int64_t>(from.sizes()[d] + left, 0));
    else
      to = narrow(to, d, std::min(left, to.sizes()[d]), std::max<int64_t>(to.sizes()[d] - left, 0));
    if (right < 0)
      from = narrow(from, d, 0, std::max<int64_t>(from.sizes()[d] + right, 0));
    else
      to = narrow(to, d, 0, std::max<int64_t>(to.sizes()[d] - right, 0));
  }
  if (from.sizes() == to.sizes()) to.copy_from(from);
  return result;
}

enum class Border { Reflect, Replicate, Circular };

// The input position that output position `at` shows. What negative circular padding cuts off is cut before the rest
// goes round.
int64_t source_of(int64_t at, int64_t size, int64_t left, int64_t right, Border border) {
  if (border == Border::Circular) {
    const int64_t cut = std::max<int64_t>(-left, 0), kept = size - cut - std::max<int64_t>(-right, 0);
    const int64_t place = at - std::max<int64_t>(left, 0);
    return cut + (place % kept + kept) % kept;
  }
  at -= left;
  if (border == Border::Replicate) return std::clamp<int64_t>(at, 0, size - 1);
  if (at < 0) at = -at;
  return at < size ? at : 2 * (size - 1) - at;
}

void check_border(const Tensor& input, int d, int64_t left, int64_t right, Border border) {
  const int64_t size = input.sizes()[d];
  if (border == Border::Reflect)
    LB_CHECK(left < size && right < size, Runtime,
             "Argument #4: Padding size should be less than the corresponding input "
             "dimension, but got: padding (",
             left, ", ", right, ") at dimension ", d, " of input ", input.sizes());
  if (border == Border::Circular) {
    LB_CHECK(left <= size && right <= size, Runtime, "Padding value causes wrapping around more than once.");
    LB_CHECK(checked_add(checked_add(size, left), right) >= 0, Runtime,
             "Negative padding value is resulting in an empty dimension");
    const int64_t kept = size + std::min<int64_t>(left, 0) + std::min<int64_t>(right, 0);
    LB_CHECK(left <= std::max<int64_t>(kept, 0) && right <= std::max<int64_t>(kept, 0), Runtime,
             "Padding value causes wrapping around more than once.");
  } else {
    LB_CHECK(size > 0, Runtime, "Expected ", input.ndim() - 1, "D or ", input.ndim(),
             "D (batch mode) tensor with possibly 0 batch "
             "size and other non-zero dimensions for input, but got: ",
             input.sizes());
    const int64_t out = checked_add(checked_add(size, left), right);
    LB_CHECK(out >= 1, Runtime, "input (W: ", size, ") is too small. Calculated output W: ", out);
  }
}

// Which input positions a dimension of the result shows, and the longest run of them that lies side by side.
struct Places {
  std::vector<int64_t> at;
  int64_t run_begin = 0, run_end = 0;
};

Places places_of(int64_t size, int64_t left, int64_t right, Border border) {
  Places places;
  const int64_t length = size + left + right;
  for (int64_t k = 0; k < length; ++k) places.at.push_back(source_of(k, size, left, right, border));
  for (int64_t begin = 0, end; begin < length; begin = end) {
    for (end = begin + 1;
         end < length && places.at[static_cast<size_t>(end)] == places.at[static_cast<size_t>(end - 1)] + 1;)
      ++end;
    if (end - begin > places.run_end - places.run_begin) places.run_begin = begin, places.run_end = end;
  }
  return places;
}

// The result's rows, each from the input's row that the outer places name. places[0] is of the columns; `height` and
// `depth` are the input's sizes along the dimensions of the others.
template <class W>
void fill_bordered(const Tensor& from, const Tensor& to, const Places (&places)[3], int64_t height, int64_t depth) {
  const auto columns = static_cast<int64_t>(places[0].at.size()), rows = static_cast<int64_t>(places[1].at.size()),
             planes = static_cast<int64_t>(places[2].at.size());
  const int64_t width = from.sizes().back(), *at = places[0].at.data();
  const int64_t begin_run = places[0].run_begin, end_run = places[0].run_end;
  const W* const in = from.as<W>();
  W* const out = to.as<W>();
  parallel_for(to.count() / columns, std::max<int64_t>(1, kGrain / columns), [&](int64_t begin, int64_t end) {
    int64_t row = begin % rows, plane = begin / rows % planes, block = begin / rows / planes;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t above = (block * depth + places[2].at[static_cast<size_t>(plane)]) * height;
      const W* const line = in + (above + places[1].at[static_cast<size_t>(row)]) * width;
      W* const target = out + r * columns;
      for (int64_t k = 0; k < begin_run; ++k) target[k] = line[at[k]];
      std::memcpy(target + begin_run, line + at[begin_run], static_cast<size_t>(end_run - begin_run) * sizeof(W));
      for (int64_t k = end_run; k < columns; ++k) target[k] = line[at[k]];
      if (++row < rows) continue;
      row = 0;
      if (++plane < planes) continue;
      plane = 0;
      ++block;
    }
  });
}

Tensor pad_border(const Tensor& input, const Dims& pad, Border border) {
  const int padded = pad.ndim() / 2, n = input.ndim();
  LB_CHECK(padded >= 1 && padded <= 3 && (n == padded + 1 || n == padded + 2), NotImplemented, "Padding size ",
           pad.size(), " is not supported for ", n, "D input tensor.");
  for (int i = 0; i < padded; ++i) check_border(input, n - 1 - i, pad[2 * i], pad[2 * i + 1], border);
  const Tensor from = input.contiguous();
  Dims sizes = input.sizes();
  Places places[3] = {{{0}}, {{0}}, {{0}}};
  for (int i = 0; i < padded; ++i) {
    const int d = n - 1 - i;
    const int64_t size = input.sizes()[d], left = pad[2 * i], right = pad[2 * i + 1];
    sizes[d] = size + left + right;
    places[i] = places_of(size, left, right, border);
  }
  Tensor result = Tensor::empty(sizes, input.dtype());
  if (result.count() > 0)
    visit_width(input.item_bytes(), [&]<class W>(W) {
      fill_bordered<W>(from, result, places, padded > 1 ? input.sizes()[n - 2] : 1,
                       padded > 2 ? input.sizes()[n - 3] : 1);
    });
  return result;
}

Tensor pad(const Tensor& input, const Dims& pad, const std::string& mode, std::optional<double> value) {
  LB_CHECK(pad.size() % 2 == 0, Runtime, "Padding length must be divisible by 2");
  if (mode == "constant") return pad_constant(input, pad, Scalar(value.value_or(0)));
  LB_CHECK(!value || *value == 0, Runtime, "Padding mode \"", mode, "\" doesn't take in value argument");
  LB_CHECK(pad.ndim() <= 2 * input.ndim(), Runtime,
           "Padding length should be less than or equal to two times the input "
           "dimension but got padding length ",
           pad.size(), " and input of dimension ", input.ndim());
  if (mode == "reflect") return pad_border(input, pad, Border::Reflect);
  if (mode == "replicate") return pad_border(input, pad, Border::Replicate);
  if (mode == "circular") return pad_border(input, pad, Border::Circular);
  fail(ErrorKind::NotImplemented, "Unrecognised padding mode ", mode);
}

}  // namespace

Tensor constant_pad_nd(const Tensor& input, const Dims& pad, Scalar value) {
  LB_CHECK(pad.size() % 2 == 0, Runtime, "Length of pad must be even but instead it equals ", pad.size());
  return pad_constant(input, pad, value);
}

namespace {

Tensor one_hot(const Tensor& tensor, int64_t num_classes) {
  LB_CHECK(tensor.dtype() == DType::Int64, Runtime, "one_hot is only applicable to index tensor of type LongTensor.");
  LB_CHECK(tensor.count() > 0 || num_classes > 0, Runtime, "Can not infer total number of classes from empty tensor.");
  const Tensor labels = integer_index(tensor);
  const int64_t* label = labels.as<int64_t>();
  int64_t highest = -1;
  for (int64_t i = 0; i < labels.count(); ++i) {
    LB_CHECK(label[i] >= 0, Runtime, "Class values must be non-negative.");
    highest = std::max(highest, label[i]);
  }
  if (num_classes == -1)
    num_classes = checked_add(highest, 1);
  else
    LB_CHECK(highest < num_classes, Runtime, "Class values must be smaller than num_classes.");
  Dims sizes = tensor.sizes();
  sizes.push_back(num_classes);
  Tensor result = Tensor::zeros(sizes, DType::Int64);
  for (int64_t i = 0; i < labels.count(); ++i) result.as<int64_t>()[i * num_classes + label[i]] = 1;
  return result;
}

double norm_of(const Tensor& row, double p) {
  const Tensor values = row.to(DType::Float64).contiguous();
  double total = 0;
  for (int64_t i = 0; i < values.count(); ++i) {
    const double x = std::abs(values.as<double>()[i]);
    if (std::isinf(p))
      total = std::max(total, x);
    else
      total += p == 2 ? x * x : p == 1 ? x : std::pow(x, p);
  }
  return std::isinf(p) ? total : p == 2 ? std::sqrt(total) : std::pow(total, 1 / p);
}

// Rows that the indices name and whose norm is above max_norm are scaled down in place.
void renormalise(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type) {
  std::vector<int64_t> rows(indices.as<int64_t>(), indices.as<int64_t>() + indices.count());
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  for (int64_t r : rows) {
    const Tensor row = select(weight, 0, r);
    const double norm = norm_of(row, norm_type);
    if (!(norm > max_norm)) continue;
    const double scale = max_norm / (norm + 1e-7);
    const Tensor scaled = row.to(DType::Float64).clone(MemoryFormat::Contiguous);
    for (int64_t i = 0; i < scaled.count(); ++i) scaled.as<double>()[i] *= scale;
    row.copy_from(scaled);
  }
  weight.bump_version();
}

Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx,
                 std::optional<double> max_norm, double norm_type, bool, bool) {
  LB_CHECK(weight.ndim() == 2, Runtime, "'weight' must be 2-D");
  LB_CHECK(input.dtype() == DType::Int64 || input.dtype() == DType::Int32, Runtime,
           "Expected tensor for argument #1 'indices' "
           "to have one of the following scalar types: Long, Int; but got torch.",
           dtype_title(input.dtype()), "Tensor instead (while checking arguments for embedding)");
  const int64_t rows = weight.sizes()[0];
  LB_CHECK(!padding_idx || (*padding_idx >= -rows && *padding_idx < rows), Runtime,
           "Padding_idx must be within num_embeddings");
  const Tensor indices = integer_index(input);
  for (int64_t i = 0; i < indices.count(); ++i) {
    const int64_t at = indices.as<int64_t>()[i];
    LB_CHECK(at >= 0 && at < rows, Index, "index out of range in self");
  }
  if (max_norm) renormalise(weight, indices, *max_norm, norm_type);
  return take_rows(weight.contiguous(), 0, indices);
}

LB_OPERATOR(
        .signature = "nn.functional.pad(input, pad, mode='constant', value=None)",
        .doc =
            R"(A border around the last dimensions: pad is (left, right, top, bottom, ...), last dimension first. Modes are constant,
reflect, replicate and circular; negative numbers crop.

>>> torch.nn.functional.pad(torch.ones(2), (1, 0))
tensor([0., 1., 1.]))",
        .forward = forward_of<pad>, .derivative = gradients("PadBackward0", pad_gradient), .forms = kFunction);
LB_OPERATOR(.signature = "constant_pad_nd(input, pad, value=0)",
            .doc = R"(A border of one value around the last dimensions.

>>> torch.constant_pad_nd(torch.ones(2), (1, 0), 7)
tensor([7., 1., 1.]))",
            .forward = forward_of<constant_pad_nd>,
            .derivative = LB_GRADIENT("ConstantPadNdBackward0", "", unpadded(g, b.dims(1))), .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.one_hot(tensor, num_classes=-1)",
            .doc = R"(A new last dimension with a 1 at each class number; int64 only.

>>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
tensor([[1, 0, 0],
        [0, 0, 1]]))",
            .forward = forward_of<one_hot>, .derivative = kNotDifferentiable, .forms = kFunction);
Tensor embedding_of(const Tensor& weight, const Tensor& indices, int64_t, bool scale, bool sparse) {
  return embedding(indices, weight, std::nullopt, std::nullopt, 2, scale, sparse);
}
Tensor embedding_renorm(const Out& out, const Tensor& input, const Tensor& indices, double max_norm, double norm_type) {
  const Tensor weight = out.in_place() ? input : input.clone();
  LB_CHECK(weight.ndim() == 2, Runtime, "'weight' must be 2-D");
  const Tensor rows = integer_index(indices);
  for (int64_t i = 0; i < rows.count(); ++i) {
    const int64_t at = rows.as<int64_t>()[i];
    LB_CHECK(at >= 0 && at < weight.sizes()[0], Index, "index out of range in self");
  }
  renormalise(weight, rows, max_norm, norm_type);
  return weight;
}
LB_OPERATOR(.signature = "embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False)",
            .doc = R"(The rows of weight that integers name.

>>> torch.embedding(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 0]))
tensor([[2.],
        [1.]]))",
            .forward = forward_of<embedding_of>,
            .derivative = gradients(
                "EmbeddingBackward0",
                [](Backward& b) { b.give(0, embedding_gradient(b, 0, 1, b.integer(2), b.flag(3))); }, "0:1"),
            .forms = kFunction);
LB_OPERATOR(.signature = "embedding_renorm(input, indices, max_norm, norm_type)",
            .doc = R"(Scales the named rows whose norm is above max_norm down to it, in place.

>>> torch.embedding_renorm_(torch.tensor([[3.0, 4.0]]), torch.tensor([0]), 5.0, 2.0)
tensor([[3., 4.]]))",
            .forward = forward_of<embedding_renorm>, .derivative = kNotDifferentiable,
            .forms = kInPlaceFunction | kInPlace);
LB_OPERATOR(
        .signature =
            "nn.functional.embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, "
            "scale_grad_by_freq=False, sparse=False)",
        .doc =
            R"(The rows of weight that the input's integers name; with max_norm, longer rows are first scaled down in place.

>>> torch.nn.functional.embedding(torch.tensor([1, 0]), torch.tensor([[1.0], [2.0]]))
tensor([[2.],
        [1.]]))",
        .forward = forward_of<embedding>,
        .derivative = gradients(
            "EmbeddingBackward0",
            [](Backward& b) {
              b.give(1, embedding_gradient(b, 1, 0, b.given(2) ? b.integer(2) : -1 - (int64_t{1} << 60), b.flag(5)));
            },
            "1:0"),
        .forms = kFunction);

}  // namespace
}  // namespace lumbre::ops
