#include "ops/folds.h"

#include <limits>
#include <numeric>

namespace lumbre::ops {

namespace {

// Takes one more outer dimension into (size, step), if it goes on where those end.
bool joins(int64_t& size, int64_t& step, int64_t outer_size, int64_t outer_step) {
  if (size == 1) {
    size = outer_size;
    step = outer_step;
    return true;
  }
  if (outer_step != step * size) return false;
  size *= outer_size;
  return true;
}

// False where the dimensions do not make three, kept, reduced, kept, of equal steps.
bool lay_out(const Tensor& input, const std::vector<bool>& reduced, Blocks& to) {
  to.input = input;
  const int ndim = input.ndim();
  std::vector<int> order(static_cast<size_t>(ndim));
  std::iota(order.begin(), order.end(), 0);
  // What is repeated is the outermost.
  const auto step_of = [&](int d) {
    const int64_t step = input.strides()[static_cast<size_t>(d)];
    return step == 0 ? std::numeric_limits<int64_t>::max() : step;
  };
  std::stable_sort(order.begin(), order.end(), [&](int x, int y) { return step_of(x) > step_of(y); });
  int phase = 0;  // from the innermost: 0 the columns, 1 what is reduced, 2 the blocks
  for (int i = ndim - 1; i >= 0; --i) {
    const auto d = static_cast<size_t>(order[static_cast<size_t>(i)]);
    if (!reduced[d]) to.kept.insert(to.kept.begin(), static_cast<int>(d));
    const int64_t size = input.sizes()[d], step = input.strides()[d] * to.item();
    if (size == 1) continue;
    if (reduced[d]) {
      if (phase == 2) return false;
      phase = 1;
      if (!joins(to.n, to.step_n, size, step)) return false;
    } else {
      if (phase == 1) phase = 2;
      if (phase == 0 ? !joins(to.b, to.step_b, size, step) : !joins(to.a, to.step_a, size, step)) return false;
    }
  }
  return true;
}

// The tensor without what is repeated along dimensions for which `drops` is true.
template <class Drops>
Tensor without_repeats(const Tensor& input, Drops drops) {
  Dims sizes = input.sizes();
  for (int d = 0; d < input.ndim(); ++d)
    if (input.strides()[d] == 0 && sizes[d] > 1 && drops(d)) sizes[d] = 1;
  if (sizes == input.sizes()) return input;
  return Tensor::over(input->storage, input.dtype(), sizes, input.strides(), input->offset);
}

}  // namespace

Blocks blocks_of(const Tensor& given, const std::optional<Dims>& dims, Repeats repeats) {
  const std::vector<bool> reduced = reduced_dims(dims, given.ndim());
  const Tensor input = given.count() == 0 ? given : without_repeats(given, [&](int d) {
    return repeats == Repeats::Once || !reduced[static_cast<size_t>(d)];
  });
  Blocks blocks;
  if (input.count() == 0 || !lay_out(input, reduced, blocks)) {
    const Reduction r = prepare_reduction(input, dims);
    const auto item = static_cast<int64_t>(input.item_bytes());
    blocks = {r.input, r.a, r.n, r.b, r.n * r.b * item, r.b * item, item, {}, {}, {}, {}, 1};
    for (int d = 0; d < input.ndim(); ++d)
      if (!reduced[static_cast<size_t>(d)]) blocks.kept.push_back(d);
  }
  for (int d = 0; d < input.ndim(); ++d) {
    const bool gone = reduced[static_cast<size_t>(d)];
    blocks.sizes_with_ones.push_back(gone ? 1 : given.sizes()[d]);
    if (!gone) blocks.sizes.push_back(given.sizes()[d]);
    if (gone && input.sizes()[d] != given.sizes()[d]) blocks.repeats *= given.sizes()[d];
  }
  for (int d : blocks.kept) blocks.held.push_back(input.sizes()[d]);
  return blocks;
}

bool lies_in_blocks(const Tensor& input, const std::optional<Dims>& dims) {
  Blocks blocks;
  return input.is_contiguous() || lay_out(input, reduced_dims(dims, input.ndim()), blocks);
}

Tensor as_result(const Blocks& blocks, const Tensor& out, bool keepdim) {
  Dims with_ones(blocks.sizes_with_ones.size(), 0);
  std::vector<bool> is_kept(blocks.sizes_with_ones.size(), false);
  for (size_t i = 0; i < blocks.kept.size(); ++i) {
    const auto d = static_cast<size_t>(blocks.kept[i]);
    with_ones[d] = blocks.held[i] == blocks.sizes_with_ones[d] ? out.strides()[i] : 0;
    is_kept[d] = true;
  }
  Dims strides;
  for (size_t d = 0; d < with_ones.size(); ++d)
    if (keepdim || is_kept[d]) strides.push_back(with_ones[d]);
  const Dims& sizes = keepdim ? blocks.sizes_with_ones : blocks.sizes;
  return Tensor::over(out->storage, out.dtype(), sizes, strides, out->offset).contiguous();
}

}  // namespace lumbre::ops
