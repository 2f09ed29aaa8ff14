#include "tensor/plan.h"

#include <cstring>

#include "base/threads.h"

namespace lumbre {

void Plan::add(const Tensor& tensor, bool output) {
  LB_CHECK(count_ < kMaxOperands, Runtime, "too many operands");
  Operand& operand = operands_[count_++];
  operand.tensor = tensor;
  operand.dtype = tensor.dtype();
  operand.output = output;
  outputs_ += output;
}

void Plan::add_output(const Tensor& tensor) { add(tensor, true); }
void Plan::add_input(const Tensor& tensor) { add(tensor, false); }

void Plan::add_new_output(DType dtype) {
  Operand& operand = operands_[count_++];
  operand.dtype = dtype;
  operand.output = true;
  ++outputs_;
}

void Plan::add_constant(const void* value, DType dtype) {
  LB_CHECK(count_ < kMaxOperands, Runtime, "too many operands");
  Operand& operand = operands_[count_++];
  operand.dtype = dtype;
  operand.constant = true;
  std::memcpy(operand.value, value, item_size(dtype));
}

void Plan::build(const char* name) { finish(name, false); }
void Plan::build_fixed(const char* name) { finish(name, true); }

void Plan::finish(const char* name, bool fixed) {
  // Row-major operands of one size are one run: nothing is to be broadcast, ordered or merged.
  const Tensor* first = nullptr;
  bool flat = true;
  for (int i = 0; flat && i < count_; ++i) {
    const Tensor& tensor = operands_[i].tensor;
    if (!tensor.defined()) continue;
    if (!first) first = &tensor;
    flat = tensor.is_contiguous() && tensor.sizes() == first->sizes();
  }
  if (flat && first) {
    check_overlap();
    shape_ = first->sizes();
    ndim_ = 1;
    elements_ = extent_[0] = first->count();
    order_[0] = 0;
    for (int i = 0; i < count_; ++i) {
      Operand& operand = operands_[i];
      if (operand.output && !operand.tensor.defined()) operand.tensor = Tensor::empty_as(*first, operand.dtype);
      operand.data = operand.constant ? operand.value : operand.tensor.bytes();
      stride_[0][i] = operand.constant ? 0 : static_cast<int64_t>(item_size(operand.dtype));
    }
    return;
  }
  broadcast(name, fixed);
  ndim_ = shape_.ndim();
  elements_ = count_elements(shape_);
  for (int i = 0; i < outputs_; ++i)
    if (operands_[i].tensor.defined()) check_no_internal_overlap(operands_[i].tensor);
  check_overlap();
  fill_strides();
  reorder();
  allocate_outputs();
  for (int i = 0; i < count_; ++i) {
    Operand& operand = operands_[i];
    operand.data = operand.constant ? operand.value : operand.tensor.bytes();
  }
  merge();
}

void Plan::broadcast(const char* name, bool fixed) {
  bool first = true;
  for (int i = 0; i < count_; ++i) {
    const Operand& operand = operands_[i];
    if (operand.constant || operand.output) continue;
    shape_ = first ? operand.tensor.sizes() : broadcast_sizes(shape_, operand.tensor.sizes());
    first = false;
  }
  if (first && outputs_ && operands_[0].tensor.defined()) shape_ = operands_[0].tensor.sizes();
  if (!fixed) return;
  const Dims& target = operands_[0].tensor.sizes();
  if (target == shape_) return;
  const Dims inputs = shape_;
  bool fits = inputs.ndim() <= target.ndim();
  for (int d = 1; fits && d <= inputs.ndim(); ++d) {
    const int64_t size = inputs[inputs.ndim() - d];
    fits = size == 1 || size == target[target.ndim() - d];
  }
  if (!fits) {
    if (std::strcmp(name, "copy_") == 0 && inputs.ndim() <= target.ndim()) broadcast_sizes(target, inputs);
    fail(ErrorKind::Runtime, "output with shape ", target, " doesn't match the broadcast shape ",
         inputs.ndim() <= target.ndim() ? broadcast_sizes(target, inputs) : inputs);
  }
  shape_ = target;
}

void Plan::check_overlap() const {
  for (int o = 0; o < outputs_; ++o) {
    if (!operands_[o].tensor.defined()) continue;
    for (int i = outputs_; i < count_; ++i)
      if (!operands_[i].constant) check_no_partial_overlap(operands_[o].tensor, operands_[i].tensor);
  }
}

// Plan dimensions start innermost: plan dimension i is the shape's dimension ndim - 1 - i until reorder().
void Plan::fill_strides() {
  for (int p = 0; p < ndim_; ++p) {
    order_[p] = ndim_ - 1 - p;
    extent_[p] = shape_[order_[p]];
  }
  for (int i = 0; i < count_; ++i) {
    const Operand& operand = operands_[i];
    const int have = operand.constant || !operand.tensor.defined() ? 0 : operand.tensor.ndim();
    for (int p = 0; p < ndim_; ++p) {
      const int d = have - 1 - p;
      const bool steps = d >= 0 && !(operand.tensor.sizes()[d] == 1 && extent_[p] != 1);
      stride_[p][i] = steps ? operand.tensor.strides()[d] * static_cast<int64_t>(item_size(operand.dtype)) : 0;
    }
  }
}

// Insertion sort by stride, the first operand that distinguishes two dimensions deciding; stable, so that
// ambiguous dimensions keep their row-major order. This order is also the layout of new outputs.
void Plan::reorder() {
  const auto before = [&](int a, int b) {  // 1: a is more inner; -1: b is; 0: undecided
    for (int i = 0; i < count_; ++i) {
      if (operands_[i].constant || !operands_[i].tensor.defined()) continue;
      const int64_t sa = stride_[a][i], sb = stride_[b][i];
      if (sa == 0 || sb == 0) continue;
      if (sa < sb) return 1;
      if (sa > sb) return -1;
      if (extent_[a] > extent_[b]) return -1;
    }
    return 0;
  };
  const auto swap = [&](int a, int b) {
    std::swap(extent_[a], extent_[b]);
    std::swap(order_[a], order_[b]);
    for (int i = 0; i < count_; ++i) std::swap(stride_[a][i], stride_[b][i]);
  };
  for (int p = 1; p < ndim_; ++p) {
    int at = p;
    for (int q = p - 1; q >= 0; --q) {
      const int verdict = before(q, at);
      if (verdict > 0) break;
      if (verdict < 0) {
        swap(q, at);
        at = q;
      }
    }
  }
}

void Plan::allocate_outputs() {
  for (int i = 0; i < outputs_; ++i) {
    Operand& operand = operands_[i];
    if (operand.tensor.defined()) continue;
    Dims strides(ndim_, 0);
    int64_t step = 1;
    for (int p = 0; p < ndim_; ++p) {
      strides[order_[p]] = step;
      stride_[p][i] = step * static_cast<int64_t>(item_size(operand.dtype));
      step = checked_multiply(step, std::max<int64_t>(extent_[p], 1));
    }
    // Sizes of one leave the order undecided, and PyTorch then reports row-major strides.
    operand.tensor = Tensor::empty_strided(shape_, strides, operand.dtype);
  }
}

void Plan::merge() {
  int kept = 0;
  for (int p = 0; p < ndim_; ++p) {
    if (extent_[p] == 1 && ndim_ > 1) continue;
    if (kept > 0) {
      bool joins = true;
      for (int i = 0; i < count_ && joins; ++i) joins = stride_[p][i] == stride_[kept - 1][i] * extent_[kept - 1];
      if (joins) {
        extent_[kept - 1] *= extent_[p];
        continue;
      }
    }
    if (kept != p) {
      extent_[kept] = extent_[p];
      for (int i = 0; i < count_; ++i) stride_[kept][i] = stride_[p][i];
    }
    ++kept;
  }
  ndim_ = kept;
  if (ndim_ == 0) {
    ndim_ = 1;
    extent_[0] = elements_;
    for (int i = 0; i < count_; ++i) stride_[0][i] = 0;
  }
}

void Plan::build_strided(const Dims& sizes, std::span<const Dims> strides) {
  shape_ = sizes;
  ndim_ = sizes.ndim();
  elements_ = count_elements(sizes);
  for (int p = 0; p < ndim_; ++p) {
    order_[p] = ndim_ - 1 - p;
    extent_[p] = sizes[order_[p]];
    for (int i = 0; i < count_; ++i) stride_[p][i] = strides[i][order_[p]];
  }
  for (int i = 0; i < count_; ++i)
    operands_[i].data = operands_[i].constant ? operands_[i].value : operands_[i].tensor.bytes();
  merge();
}

void Plan::run_range(Loop loop, const DType* loop_dtypes, bool convert, const void* context, int64_t begin,
                     int64_t end) const {
  int64_t index[kMaxDims];
  char* data[kMaxOperands];
  int64_t rest = begin;
  for (int i = 0; i < count_; ++i) data[i] = operands_[i].data;
  for (int p = 0; p < ndim_; ++p) {
    index[p] = rest % extent_[p];
    rest /= extent_[p];
    for (int i = 0; i < count_; ++i) data[i] += index[p] * stride_[p][i];
  }
  for (int64_t at = begin; at < end;) {
    const int64_t span = std::min(extent_[0] - index[0], end - at);
    if (convert)
      run_converted(loop, loop_dtypes, context, data, stride_[0], span);
    else
      loop(data, stride_[0], span, context);
    at += span;
    // Back to the row's start, then on to the next row.
    for (int i = 0; i < count_; ++i) data[i] -= index[0] * stride_[0][i];
    index[0] = 0;
    for (int p = 1; p < ndim_; ++p) {
      for (int i = 0; i < count_; ++i) data[i] += stride_[p][i];
      if (++index[p] < extent_[p]) break;
      for (int i = 0; i < count_; ++i) data[i] -= extent_[p] * stride_[p][i];
      index[p] = 0;
    }
  }
}

// Whether elements are neither side by side nor the same.
static bool lies_apart(int64_t stride, DType dtype) {
  return stride != 0 && stride != static_cast<int64_t>(item_size(dtype));
}

void Plan::run_converted(Loop loop, const DType* loop_dtypes, const void* context, char* const* data,
                         const int64_t* strides, int64_t count) const {
  constexpr int64_t kBlock = 256;
  alignas(64) char buffers[kMaxOperands][kBlock * 8];
  char* pointers[kMaxOperands];
  int64_t steps[kMaxOperands];
  for (int64_t at = 0; at < count; at += kBlock) {
    const int64_t span = std::min(kBlock, count - at);
    for (int i = 0; i < count_; ++i) {
      char* source = data[i] + at * strides[i];
      const DType from = operands_[i].dtype, to = loop_dtypes[i];
      pointers[i] = source;
      steps[i] = strides[i];
      const bool apart = operands_[i].output ? stream_ : gather_ && lies_apart(strides[i], from);
      if (from == to && !apart) continue;
      pointers[i] = buffers[i];
      const bool repeated = strides[i] == 0;
      steps[i] = repeated && !operands_[i].output ? 0 : static_cast<int64_t>(item_size(to));
      if (operands_[i].output) continue;
      char* const pair[2] = {buffers[i], source};
      const int64_t pair_steps[2] = {steps[i], strides[i]};
      conversion_loop(from, to)(pair, pair_steps, repeated ? 1 : span, nullptr);
    }
    loop(pointers, steps, span, context);
    for (int i = 0; i < outputs_; ++i) {
      if (operands_[i].dtype == loop_dtypes[i]) {
        if (stream_) stream_loop()(data[i] + at * strides[i], buffers[i], span * strides[i]);
        continue;
      }
      char* const pair[2] = {data[i] + at * strides[i], buffers[i]};
      const int64_t pair_steps[2] = {strides[i], steps[i]};
      conversion_loop(loop_dtypes[i], operands_[i].dtype)(pair, pair_steps, span, nullptr);
    }
  }
}

// --- tiles: some inputs lie along another dimension than the outputs -------------------------------------------------

namespace {
constexpr int64_t kTileColumns = 256, kTileRows = 16;
}  // namespace

// The dimension along which inputs lie that lie apart in the innermost one; 0 where there is none.
int Plan::turned_dimension() const {
  for (int i = outputs_; i < count_; ++i) {
    if (!lies_apart(stride_[0][i], operands_[i].dtype)) continue;
    for (int p = 1; p < ndim_; ++p)
      if (!lies_apart(stride_[p][i], operands_[i].dtype) && stride_[p][i] != 0) return p;
  }
  return 0;
}

int64_t Plan::tile_count(int turned) const {
  const int64_t across = (extent_[0] + kTileColumns - 1) / kTileColumns;
  const int64_t down = (extent_[turned] + kTileRows - 1) / kTileRows;
  return elements_ / extent_[0] / extent_[turned] * across * down;
}

// Tiles [begin, end), those along the turned dimension first: they share lines of the turned inputs, which are
// transposed into a buffer before the loop runs over the tile's rows.
void Plan::run_tiles(Loop loop, const DType* loop_dtypes, const void* context, int turned, int64_t begin,
                     int64_t end) const {
  alignas(64) char buffers[kMaxOperands][kTileColumns * kTileRows * 8];
  const int64_t across = (extent_[0] + kTileColumns - 1) / kTileColumns;
  const int64_t down = (extent_[turned] + kTileRows - 1) / kTileRows;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile % down * kTileRows, rows = std::min(kTileRows, extent_[turned] - row);
    const int64_t column = tile / down % across * kTileColumns, columns = std::min(kTileColumns, extent_[0] - column);
    char* data[kMaxOperands];
    int64_t steps[kMaxOperands], row_steps[kMaxOperands];
    for (int i = 0; i < count_; ++i) {
      data[i] = operands_[i].data + row * stride_[turned][i] + column * stride_[0][i];
      steps[i] = stride_[0][i];
      row_steps[i] = stride_[turned][i];
    }
    int64_t rest = tile / down / across;
    for (int p = 1; p < ndim_; ++p) {
      if (p == turned) continue;
      for (int i = 0; i < count_; ++i) data[i] += rest % extent_[p] * stride_[p][i];
      rest /= extent_[p];
    }
    for (int i = outputs_; i < count_; ++i) {
      const DType dtype = operands_[i].dtype;
      const auto item = static_cast<int64_t>(item_size(dtype));
      if (!lies_apart(steps[i], dtype) || row_steps[i] != item) continue;
      transpose_loop(item_size(dtype))(data[i], steps[i], columns, rows, buffers[i], kTileColumns * item);
      data[i] = buffers[i];
      steps[i] = item;
      row_steps[i] = kTileColumns * item;
    }
    for (int64_t r = 0; r < rows; ++r) {
      run_converted(loop, loop_dtypes, context, data, steps, columns);
      for (int i = 0; i < count_; ++i) data[i] += row_steps[i];
    }
  }
}

// One new, contiguous output that is larger than what a processor caches: its memory need not be read before it is
// written.
bool Plan::outgrows_cache() const {
  const Operand& output = operands_[0];
  const auto item = static_cast<int64_t>(item_size(output.dtype));
  if (outputs_ != 1 || elements_ * item < kStreamBytes || ndim_ != 1 || stride_[0][0] != item) return false;
  for (int i = 1; i < count_; ++i)
    if (!operands_[i].constant && operands_[i].tensor.shares_storage(output.tensor)) return false;
  return true;
}

// A block of contiguous or repeated elements at a time, that the first cache holds; what all inputs repeat is there
// already in the next.
void Plan::run_past_cache(Loop loop, const void* context) const {
  constexpr int64_t kBlockBytes = 8192;
  bool repeated = true;
  for (int i = 1; i < count_; ++i) repeated &= stride_[0][i] == 0;
  const LongWork released(true);
  parallel_for(elements_, kGrain, [&](int64_t begin, int64_t end) {
    alignas(64) char block[kBlockBytes];
    const int64_t item = stride_[0][0], some = kBlockBytes / item;
    for (int64_t at = begin; at < end; at += some) {
      const int64_t count = std::min(some, end - at);
      char* data[kMaxOperands] = {block};
      for (int i = 1; i < count_; ++i) data[i] = operands_[i].data + at * stride_[0][i];
      if (!repeated || at == begin) loop(data, stride_[0], count, context);
      stream_loop()(operands_[0].data + at * item, block, count * item);
    }
  });
}

void Plan::run_elementwise(Loop loop, std::span<const DType> loop_dtypes, const void* context) {
  stream_ = loop_dtypes[0] == operands_[0].dtype && outgrows_cache();
  bool plain = stream_;
  for (int i = 1; i < count_; ++i)
    plain &= operands_[i].dtype == loop_dtypes[i] && !lies_apart(stride_[0][i], operands_[i].dtype);
  if (plain) return run_past_cache(loop, context);
  bool apart = stream_;
  for (int i = outputs_; i < count_; ++i) apart |= lies_apart(stride_[0][i], operands_[i].dtype);
  if (!apart || elements_ < 64) return run(loop, loop_dtypes, context);
  gather_ = true;
  const int turned = extent_[0] >= 4 ? turned_dimension() : 0;
  const LongWork released(elements_ >= kLongWork);
  if (turned > 0 && extent_[turned] >= 4)
    return parallel_for(tile_count(turned), kGrain / (kTileColumns * kTileRows), [&](int64_t begin, int64_t end) {
      run_tiles(loop, loop_dtypes.data(), context, turned, begin, end);
    });
  parallel_for(elements_, kGrain,
               [&](int64_t begin, int64_t end) { run_range(loop, loop_dtypes.data(), true, context, begin, end); });
}

void Plan::run(Loop loop, std::span<const DType> loop_dtypes, const void* context, int64_t grain) {
  if (elements_ == 0) return;
  bool convert = false;
  for (int i = 0; i < count_; ++i) convert |= operands_[i].dtype != loop_dtypes[i];
  if (elements_ <= grain) {
    if (ndim_ == 1 && !convert) {
      char* data[kMaxOperands];
      for (int i = 0; i < count_; ++i) data[i] = operands_[i].data;
      return loop(data, stride_[0], elements_, context);
    }
    return run_range(loop, loop_dtypes.data(), convert, context, 0, elements_);
  }
  const LongWork released(elements_ >= kLongWork);
  parallel_for(elements_, grain,
               [&](int64_t begin, int64_t end) { run_range(loop, loop_dtypes.data(), convert, context, begin, end); });
}

void Plan::run_serial(Loop loop, std::span<const DType> loop_dtypes, const void* context) {
  if (elements_ == 0) return;
  bool convert = false;
  for (int i = 0; i < count_; ++i) convert |= operands_[i].dtype != loop_dtypes[i];
  run_range(loop, loop_dtypes.data(), convert, context, 0, elements_);
}

// Contiguous or repeated elements into memory that is not read again soon.
void Plan::copy_past_cache(Loop loop) const {
  const auto item = static_cast<int64_t>(item_size(operands_[0].dtype));
  if (operands_[0].dtype != operands_[1].dtype || stride_[0][1] != item) return run_past_cache(loop, nullptr);
  const LongWork released(true);
  parallel_for(elements_ * item, kGrain * item, [&](int64_t begin, int64_t end) {
    stream_loop()(operands_[0].data + begin, operands_[1].data + begin, end - begin);
  });
}

void Plan::copy() {
  const DType dtypes[2] = {operands_[0].dtype, operands_[1].dtype};
  const Loop loop = conversion_loop(operands_[1].dtype, operands_[0].dtype);
  // Only transposed inputs are worth a block: the conversion itself reads what lies apart.
  if (elements_ >= 64 && turned_dimension() > 0) return run_elementwise(loop, dtypes, nullptr);
  if (outgrows_cache()) return copy_past_cache(loop);
  run(loop, dtypes, nullptr);
}

Dims Plan::inferred_strides(const Dims& sizes, const Dims& like_sizes, const Dims& like_strides) {
  Plan plan;
  plan.add_new_output(DType::UInt8);
  // Only the geometry matters: a tensor of the layout over no memory.
  plan.add_input(Tensor::over(Storage::make(0), DType::UInt8, like_sizes, like_strides, 0));
  plan.shape_ = sizes;
  plan.ndim_ = sizes.ndim();
  plan.fill_strides();
  plan.reorder();
  Dims strides(plan.ndim_, 0);
  int64_t step = 1;
  for (int p = 0; p < plan.ndim_; ++p) {
    strides[plan.order_[p]] = step;
    step = checked_multiply(step, std::max<int64_t>(plan.extent_[p], 1));
  }
  return strides;
}

void check_no_internal_overlap(const Tensor& output) {
  if (output.is_contiguous()) return;
  for (int d = 0; d < output.ndim(); ++d)
    LB_CHECK(output.strides()[d] != 0 || output.sizes()[d] <= 1, Runtime,
             "unsupported operation: more than one element of the written-to tensor refers to a single memory "
             "location. Please clone() the tensor before performing the operation.");
}

void check_no_partial_overlap(const Tensor& output, const Tensor& input) {
  if (output.same(input) || !output.shares_storage(input)) return;
  if (output.count() == 0 || input.count() == 0 || !output.is_dense() || !input.is_dense()) return;
  const char* out_begin = output.bytes();
  const char* out_end = out_begin + output.count() * static_cast<int64_t>(output.item_bytes());
  const char* in_begin = input.bytes();
  const char* in_end = in_begin + input.count() * static_cast<int64_t>(input.item_bytes());
  if (out_begin == in_begin && out_end == in_end && output.strides() == input.strides()) return;
  LB_CHECK(in_end <= out_begin || out_end <= in_begin, Runtime,
           "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
           "memory location. Please clone() the tensor before performing the operation.");
}

}  // namespace lumbre
