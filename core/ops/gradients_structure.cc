#include <numeric>

#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre {

using namespace op;

// --- gathering
// --------------------------------------------------------------------------------------------------------

Tensor gathered(Backward& b) { return call<"gather">(b.grad(), b.integer(1), b.input(2), false); }

void scatter_gradient(Backward& b) {
  if (b.needs(0)) b.give(0, call<"scatter">(b.grad(), b.integer(1), b.input(2), Scalar(0.0)));
  if (b.needs(3)) b.give(3, gathered(b));
}

namespace {
void reduced_slopes(Backward& b, const Tensor& index) {
  const Tensor g = b.grad(), x = b.input(0), source = b.input(3), result = b.result();
  const int64_t dim = b.integer(1);
  const std::string& how = b.string(4);
  const bool include = b.flag(5);
  const auto gather = [&](const Tensor& t) { return call<"gather">(t, dim, index, false); };
  const auto untouched = [&](const Tensor& t) { return call<"scatter">(t, dim, index, Scalar(0.0)); };
  Tensor to_input, to_source;
  if (how == "sum") {
    to_input = g;
    to_source = gather(g);
  } else if (how == "mean") {
    const Tensor start =
        include ? Tensor::full(x.sizes(), Scalar(1.0), g.dtype()) : Tensor::zeros(x.sizes(), g.dtype());
    Tensor count = call<"scatter_add">(start, dim, index, Tensor::full(source.sizes(), Scalar(1.0), g.dtype()));
    count = where(call<"lt">(count, Scalar(1)), Scalar(1.0), count);
    to_input = g / count;
    to_source = gather(g) / gather(count);
  } else if (how == "prod") {
    // The product of the others: the quotient, with ones in the places of zeros. Two zeros among the sources of one
    // place leave none of them a slope.
    const Tensor zero_x = call<"eq">(x, Scalar(0)), zero_s = call<"eq">(source, Scalar(0));
    const Tensor x1 = where(zero_x, Scalar(1.0), x), s1 = where(zero_s, Scalar(1.0), source);
    const auto product = [&](const Tensor& start, const Tensor& factors) {
      return call<"scatter_reduce">(start, dim, index, factors, "prod", include);
    };
    to_input = g * product(x1, source) / x1;
    const Tensor zeros_here =
        call<"scatter_add">(Tensor::zeros(x.sizes(), g.dtype()), dim, index, cast(zero_s, g.dtype()));
    const Tensor of_zero = where(call<"gt">(gather(zeros_here), Scalar(1)), Scalar(0.0), gather(g * product(x, s1)));
    to_source = where(zero_s, of_zero, gather(g * result) / s1);
  } else {
    const Tensor hit_x = cast(call<"eq">(x, result), g.dtype()),
                 hit_s = cast(call<"eq">(source, gather(result)), g.dtype());
    const Tensor start = include ? hit_x : Tensor::zeros(x.sizes(), g.dtype());
    const Tensor count = call<"scatter_add">(start, dim, index, hit_s);
    const Tensor shared = g / where(call<"eq">(count, Scalar(0)), Scalar(1.0), count);
    to_input = hit_x * shared;
    to_source = hit_s * gather(shared);
  }
  if (!include && how != "max" && how != "min") to_input = untouched(to_input);
  if (!include && (how == "amax" || how == "amin")) to_input = untouched(where(call<"eq">(x, result), g, Scalar(0.0)));
  if (b.needs(0)) b.give(0, to_input);
  if (b.needs(3)) b.give(3, to_source);
}
}  // namespace

void scatter_reduce_gradient(Backward& b) { reduced_slopes(b, b.input(2)); }

// The same, with one place for a whole slice of the source.
void index_reduce_gradient(Backward& b) {
  const Dims sizes = b.sizes(3);
  Dims along;
  for (int d = 0; d < sizes.ndim(); ++d) along.push_back(1);
  if (!along.empty()) along[wrap_dim(b.integer(1), sizes.ndim())] = -1;
  reduced_slopes(b, expand(reshape(b.input(2), along), sizes));
}

namespace {
// Rows of g along a dimension, in the shape of a source.
Tensor rows_of(const Tensor& g, int64_t dim, const Tensor& index, const Dims& sizes) {
  const Tensor picked = g.ndim() == 0 ? g : call<"index_select">(g, dim, index);
  return picked.sizes() == sizes
             ? picked
             : (count_elements(sizes) == picked.count() ? reshape(picked, sizes) : expand(picked, sizes));
}
}  // namespace

void index_add_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, g);
  if (b.needs(3)) b.give(3, scaled(rows_of(g, b.integer(1), b.input(2), b.sizes(3)), b.scalar(4)));
}

void index_copy_gradient(Backward& b) {
  const Tensor g = b.grad(), index = b.input(2);
  if (b.needs(0)) b.give(0, call<"index_fill">(g, b.integer(1), index, Scalar(0.0)));
  if (b.needs(3)) b.give(3, rows_of(g, b.integer(1), index, b.sizes(3)));
}

void index_fill_gradient(Backward& b) {
  const Tensor g = b.grad(), index = b.input(2);
  if (b.needs(0)) b.give(0, call<"index_fill">(g, b.integer(1), index, Scalar(0.0)));
  if (b.needs(3)) {
    // A position named twice is filled once.
    const Tensor kept = call<"index_fill">(g, b.integer(1), index, Scalar(0.0));
    b.give(3, sum(g - kept));
  }
}

void put_gradient(Backward& b) {
  const Tensor g = b.grad(), index = b.input(1);
  if (b.needs(0)) b.give(0, b.flag(3) ? g : call<"put">(g, index, Tensor::zeros(index.sizes(), g.dtype()), false));
  if (b.needs(2)) b.give(2, reshape(call<"take">(g, index), b.sizes(2)));
}

void take_along_dim_gradient(Backward& b) {
  const Tensor g = b.grad(), given = b.input(1);
  const int64_t length = b.given(2) ? b.sizes(0)[wrap_dim(b.integer(2), b.ndim(0))] : count_elements(b.sizes(0));
  const Tensor index = where(call<"lt">(given, Scalar(0)), given + Scalar(length), given);
  if (!b.given(2)) {
    const Tensor flat = zeros(Dims{count_elements(b.sizes(0))}, g.dtype());
    b.give(0, reshape(call<"scatter_add">(flat, int64_t{0}, reshape(index, {index.count()}), reshape(g, {g.count()})),
                      b.sizes(0)));
    return;
  }
  // Index and input are broadcast against each other but along the dimension.
  const int64_t dim = wrap_dim(b.integer(2), b.ndim(0));
  Dims whole = g.sizes();
  whole[dim] = b.sizes(0)[dim];
  b.give(0, call<"scatter_add">(zeros(whole, g.dtype()), dim, expand(index, g.sizes()), g));
}

namespace {
// tensor[...] has an undefined entry for each further dimension of a mask; the public index_put has none.
std::vector<Tensor> with_mask_fillers(std::vector<Tensor> indices, bool missing) {
  if (!missing) return indices;
  std::vector<Tensor> filled;
  for (const Tensor& index : indices) {
    filled.push_back(index);
    const bool mask = index.defined() && (index.dtype() == DType::Bool || index.dtype() == DType::UInt8);
    for (int d = 1; mask && d < index.ndim(); ++d) filled.emplace_back();
  }
  return filled;
}
}  // namespace

void index_gradient(Backward& b) {
  const Tensor g = b.grad();
  b.give(0, call<"_index_put">(zeros(b.sizes(0), g.dtype()), b.members(), g, true));
}

void index_put_gradient(Backward& b) {
  const Tensor g = b.grad();
  const std::vector<Tensor> indices = with_mask_fillers(b.members(), b.record_name() == "index_put");
  if (b.needs(0)) {
    const Tensor nothing = Tensor::zeros({}, g.dtype());
    b.give(0, b.flag(3) ? g : call<"_index_put">(g, indices, nothing, false));
  }
  if (b.needs(2)) b.give(2, call<"_index">(g, indices));
}

// --- joining and splitting
// --------------------------------------------------------------------------------------------

namespace {
void cut(Backward& b, const Tensor& g, int64_t dim, const std::vector<int64_t>& lengths) {
  int64_t start = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (b.needs_member(i)) {
      const Tensor part = call<"narrow">(g, dim, start, lengths[i]);
      const Dims& sizes = b.member_sizes()[i];
      b.give_member(i, part.sizes() == sizes ? part : reshape(part, sizes));
    }
    start += lengths[i];
  }
}
}  // namespace

void cat_gradient(Backward& b) {
  const Tensor g = b.grad();
  const int64_t dim = wrap_dim(b.integer(1), g.ndim());
  std::vector<int64_t> lengths;
  // A tensor of size (0,) joins anything.
  for (const Dims& sizes : b.member_sizes()) lengths.push_back(sizes == Dims{0} && g.ndim() != 1 ? 0 : sizes[dim]);
  cut(b, g, dim, lengths);
}

void stack_gradient(Backward& b) {
  const Tensor g = b.grad();
  for (size_t i = 0; i < b.member_sizes().size(); ++i)
    if (b.needs_member(i)) b.give_member(i, call<"select">(g, b.integer(1), static_cast<int64_t>(i)));
}

// hstack and its kin: the dimension is the one along which the lengths add up.
void joined_gradient(Backward& b) {
  const Tensor g = b.grad();
  const std::string_view name = b.record_name();
  int64_t dim = 0;
  const int first = b.member_sizes().empty() ? 0 : b.member_sizes()[0].ndim();
  if (name == "hstack") dim = first <= 1 ? 0 : 1;
  if (name == "column_stack") dim = 1;
  if (name == "dstack") dim = 2;
  std::vector<int64_t> lengths;
  for (const Dims& sizes : b.member_sizes()) {
    const int n = sizes.ndim();
    int64_t length = n > dim ? sizes[dim] : 1;
    if (name == "hstack") length = n == 0 ? 1 : sizes[dim];
    if (name == "vstack") length = n <= 1 ? 1 : sizes[0];
    if (name == "column_stack") length = n <= 1 ? 1 : sizes[1];
    if (name == "dstack") length = n <= 2 ? 1 : sizes[2];
    lengths.push_back(length);
  }
  cut(b, g, dim, lengths);
}

void block_diag_gradient(Backward& b) {
  const Tensor g = b.grad();
  int64_t row = 0, column = 0;
  for (size_t i = 0; i < b.member_sizes().size(); ++i) {
    const Dims& sizes = b.member_sizes()[i];
    const int64_t rows = sizes.ndim() == 2 ? sizes[0] : 1,
                  columns = sizes.ndim() == 2 ? sizes[1] : count_elements(sizes);
    if (b.needs_member(i)) {
      const Tensor part = call<"narrow">(call<"narrow">(g, int64_t{0}, row, rows), int64_t{1}, column, columns);
      b.give_member(i, reshape(part, sizes));
    }
    row += rows;
    column += columns;
  }
}

void pieces_slope(Backward& b, int64_t dim) {
  std::vector<Tensor> pieces;
  DType dtype = DType::Float32;
  for (size_t i = 0; i < b.grad_count(); ++i)
    if (b.has(static_cast<int>(i))) dtype = b.grad(static_cast<int>(i)).dtype();
  for (size_t i = 0; i < b.grad_count(); ++i)
    pieces.push_back(b.has(static_cast<int>(i)) ? b.grad(static_cast<int>(i)) : zeros(b.result_sizes(i), dtype));
  b.give(0, call<"cat">(pieces, dim));
}

void unbind_gradient(Backward& b) {
  std::vector<Tensor> pieces;
  DType dtype = b.dtype(0);
  for (size_t i = 0; i < b.grad_count(); ++i)
    pieces.push_back(b.has(static_cast<int>(i)) ? b.grad(static_cast<int>(i)) : zeros(b.result_sizes(i), dtype));
  b.give(0, call<"stack">(pieces, b.integer(1)));
}

// --- masks
// ------------------------------------------------------------------------------------------------------------

Tensor masked_select_gradient(const Tensor& g, Backward& b) {
  const Tensor mask = b.input(1);
  const Dims sizes = broadcast_sizes(b.sizes(0), mask.sizes());
  const Tensor whole = call<"masked_scatter">(zeros(sizes, g.dtype()), expand(mask, sizes), g);
  return whole;
}

void masked_fill_gradient(Backward& b) {
  const Tensor g = b.grad(), mask = b.input(1);
  if (b.needs(0)) b.give(0, where(mask, Scalar(0.0), g));
  if (b.needs(2)) b.give(2, sum(where(mask, g, Scalar(0.0))));
}

void masked_scatter_gradient(Backward& b) {
  const Tensor g = b.grad(), mask = b.input(1);
  if (b.needs(0)) b.give(0, where(mask, Scalar(0.0), g));
  if (!b.needs(2)) return;
  const Tensor used = call<"masked_select">(g, mask);
  const int64_t total = count_elements(b.sizes(2));
  const Tensor rest = zeros(Dims{total - used.count()}, g.dtype());
  b.give(2, reshape(call<"cat">(std::vector<Tensor>{used, rest}, int64_t{0}), b.sizes(2)));
}

// --- padding, embedding
// -----------------------------------------------------------------------------------------------

Tensor unpadded(const Tensor& g, const Dims& pad) {
  Dims negative = pad;
  for (int64_t& p : negative) p = -p;
  return call<"constant_pad_nd">(g, negative, Scalar(0));
}

// Reflected, replicated and wrapped borders hold copies: their gradients go back to the places that were copied, which
// padding a tensor of positions tells.
void pad_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.string(2) == "constant") {
    b.give(0, unpadded(g, b.dims(1)));
    return;
  }
  const int64_t count = count_elements(b.sizes(0));
  Tensor places;
  {
    const autograd::GradModeGuard off(false);
    const Tensor counted = Tensor::empty(b.sizes(0), DType::Float64);
    for (int64_t i = 0; i < count; ++i) counted.as<double>()[i] = static_cast<double>(i);
    places = call<"nn.functional.pad">(counted, b.dims(1), b.string(2).c_str(), none).to(DType::Int64);
  }
  const Tensor flat = zeros(Dims{count}, g.dtype());
  b.give(0, reshape(call<"scatter_add">(flat, int64_t{0}, reshape(places, {places.count()}), reshape(g, {g.count()})),
                    b.sizes(0)));
}

Tensor embedding_gradient(Backward& b, int weight, int indices, int64_t padding_idx, bool by_frequency) {
  const Tensor index = b.input(indices);
  const int64_t rows = b.sizes(weight)[0], width = count_elements(b.sizes(weight)) / std::max<int64_t>(rows, 1);
  const Tensor flat = reshape(index, {index.count()});
  Tensor g = reshape(b.grad(), {index.count(), width});
  if (by_frequency) {
    const Tensor counts = call<"bincount">(flat, none, rows);
    g = g / cast(unsqueeze(call<"index_select">(counts, int64_t{0}, flat), 1), g.dtype());
  }
  if (padding_idx < 0 && padding_idx >= -rows) padding_idx += rows;
  if (padding_idx >= 0) g = where(unsqueeze(call<"eq">(flat, Scalar(padding_idx)), 1), Scalar(0.0), g);
  const Tensor sums = call<"index_add">(zeros({rows, width}, g.dtype()), int64_t{0}, flat, g, Scalar(1));
  return reshape(sums, b.sizes(weight));
}

// --- rearrangements
// ---------------------------------------------------------------------------------------------------

void roll_gradient(Backward& b) {
  Dims back = b.dims(1);
  for (int64_t& shift : back) shift = -shift;
  b.give(0, call<"roll">(b.grad(), back, b.dims(2)));
}

Tensor repeat_gradient(const Tensor& g, const Dims& repeats, const Dims& sizes) {
  const int lead = repeats.ndim() - sizes.ndim();
  Dims split, summed;
  for (int d = 0; d < repeats.ndim(); ++d) {
    summed.push_back(split.ndim());
    split.push_back(repeats[d]);
    if (d >= lead) split.push_back(sizes[d - lead]);
  }
  if (g.count() == 0) return zeros(sizes, g.dtype());
  return split.empty() ? g : reshape(sum(reshape(g, split), summed, false), sizes);
}

Tensor tile_gradient(const Tensor& g, const Dims& repeats, const Dims& sizes) {
  Dims whole = repeats;
  while (whole.ndim() < sizes.ndim()) whole.insert(0, 1);
  return repeat_gradient(g, whole, sizes);
}

Tensor repeat_interleave_gradient(const Tensor& g, Backward& b) {
  const bool flat = !b.given(2);
  const int64_t dim = flat ? 0 : b.integer(2);
  const Dims from = flat ? Dims{count_elements(b.sizes(0))} : b.sizes(0);
  const int64_t length = from.empty() ? 1 : from[wrap_dim(dim, from.ndim())];
  Tensor repeats = b.is_tensor(1) ? b.input(1) : Tensor::full({length}, Scalar(b.integer(1)), DType::Int64);
  if (repeats.count() == 1) repeats = expand(reshape(repeats, {1}), {length});
  const Tensor places = call<"repeat_interleave">(repeats.contiguous(), none);
  const Tensor sums = call<"index_add">(zeros(from.empty() ? Dims{1} : from, g.dtype()), dim, places, g, Scalar(1));
  return reshape(sums, b.sizes(0));
}

Tensor placed_slice(const Tensor& g, const Dims& sizes, int64_t dim, int64_t start, int64_t length) {
  const int d = wrap_dim(dim, sizes.ndim());
  if (start < 0) start += sizes[d];
  return call<"slice_scatter">(zeros(sizes, g.dtype()), g, static_cast<int64_t>(d), start, start + length, int64_t{1});
}

namespace {
struct Geometry {
  Dims sizes, strides;
  int64_t offset;
  int64_t end() const { return offset + reach(sizes, strides); }
};

// Where in one stretch of memory, `length` elements long, the elements of two geometries lie, in row-major order.
struct Places {
  int64_t length;
  Tensor first, second;
};
Places places_of(const Geometry& a, const Geometry& b) {
  const autograd::GradModeGuard off(false);
  const int64_t low = std::min(a.offset, b.offset), length = std::max<int64_t>(std::max(a.end(), b.end()) - low, 0);
  const Tensor all = call<"arange">(Scalar(length), none);
  const auto flat = [&](const Geometry& at) {
    const Tensor places = Tensor::over(all->storage, all.dtype(), at.sizes, at.strides, at.offset - low);
    return reshape(places.clone(MemoryFormat::Contiguous), {places.count()});
  };
  return {length, flat(a), flat(b)};
}

Tensor flat(const Tensor& t) { return reshape(t, {t.count()}); }
}  // namespace

void as_strided_scatter_gradient(Backward& b) {
  const Tensor g = b.grad(), shape = b.input(0);  // its geometry alone
  const bool expanded = ops::is_expanded(shape);  // then the forward's copy is contiguous
  const Geometry own{shape.sizes(), expanded ? contiguous_strides(shape.sizes()) : shape.strides(),
                     expanded ? 0 : shape->offset};
  const Geometry view{b.dims(2), b.dims(3), b.given(4) ? b.integer(4) : own.offset};
  const Places places = places_of(own, view);
  if (b.needs(0)) {
    const Tensor written = Tensor::zeros({places.length}, DType::Bool);
    for (int64_t i = 0; i < places.second.count(); ++i) written.as<uint8_t>()[places.second.as<int64_t>()[i]] = 1;
    const Tensor over = reshape(call<"gather">(written, int64_t{0}, places.first, false), own.sizes);
    b.give(0, call<"masked_fill">(g, over, Scalar(0.0)));
  }
  if (b.needs(1)) {
    const Tensor memory = call<"scatter_add">(zeros({places.length}, g.dtype()), int64_t{0}, places.first, flat(g));
    b.give(1, reshape(call<"gather">(memory, int64_t{0}, places.second, false), view.sizes));
  }
}

Tensor as_strided_gradient(const Tensor& g, Backward& b) {
  const Tensor shape = b.input(0);  // its geometry alone
  const auto [length, own, taken] = places_of({shape.sizes(), shape.strides(), shape->offset},
                                              {b.dims(1), b.dims(2), b.given(3) ? b.integer(3) : shape->offset});
  Tensor memory = zeros({length}, g.dtype());
  if (g.count()) memory = call<"scatter_add">(memory, int64_t{0}, taken, flat(g));
  if (shape.count() == 0) return zeros(shape.sizes(), g.dtype());
  if (!shape.is_dense()) {
    // Elements of the input that lie on each other share.
    const Tensor ones = Tensor::full({own.count()}, Scalar(1.0), g.dtype());
    const Tensor counts = call<"scatter_add">(zeros({length}, g.dtype()), int64_t{0}, own, ones);
    memory = memory / where(call<"eq">(counts, Scalar(0)), Scalar(1.0), counts);
  }
  return reshape(call<"gather">(memory, int64_t{0}, own, false), shape.sizes());
}

Tensor unfold_gradient(const Tensor& g, Backward& b) {
  if (b.ndim(0) == 0) return g.count() ? reshape(g, {}) : zeros({}, g.dtype());
  const int64_t dim = wrap_dim(b.integer(1), b.ndim(0)), size = b.integer(2), step = b.integer(3);
  // Position of window w, element e along the dimension: w * step + e.
  const int64_t windows = g.sizes()[dim];
  const Tensor places = Tensor::empty({windows * size}, DType::Int64);
  for (int64_t w = 0; w < windows; ++w)
    for (int64_t e = 0; e < size; ++e) places.as<int64_t>()[w * size + e] = w * step + e;
  const Tensor moved = call<"movedim">(g, Dims{-1}, Dims{dim + 1});
  Dims joined = b.sizes(0);
  joined[dim] = windows * size;
  return call<"index_add">(zeros(b.sizes(0), g.dtype()), dim, places, reshape(moved, joined), Scalar(1));
}

Tensor fill_diagonal_gradient(const Tensor& g, bool wrap) {
  const Tensor kept = call<"clone">(g, MemoryFormat::Contiguous);
  call<"fill_diagonal">.in_place(kept, Scalar(0.0), wrap);
  return kept;
}

Tensor inverse_permute(const Tensor& g, const Dims& dims) {
  Dims inverse = dims;
  for (size_t i = 0; i < dims.size(); ++i) inverse[wrap_dim(dims[i], g.ndim())] = static_cast<int64_t>(i);
  return call<"permute">(g, inverse);
}

}  // namespace lumbre
