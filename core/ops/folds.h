// Folds: reductions whose parts can be reduced again. The input is read as it lies in memory, in any dtype and with
// any steps; the work is split by sizes only.
#pragma once

#include <algorithm>
#include <vector>

#include "base/threads.h"
#include "ops/reductions.h"
#include "tensor/plan.h"

namespace lumbre::ops {

// A tensor as an (a x n x b) block to fold over n, its steps in bytes. Dimensions are taken in the order of memory, so
// a transposed tensor needs no copy; `kept` are those of the result in that order.
struct Blocks {
  Tensor input;
  int64_t a = 1, n = 1, b = 1;
  int64_t step_a = 0, step_n = 0, step_b = 0;
  std::vector<int> kept;
  Dims sizes, sizes_with_ones;  // of the result, without and with the reduced dimensions
  Dims held;                    // sizes of the kept dimensions in that order; 1 where one result is given many times
  int64_t repeats = 1;          // how many times the n are met: more than once where Repeats::Once was asked for

  int64_t item() const { return static_cast<int64_t>(input.item_bytes()); }
  int64_t count() const { return a * n * b; }
  // The elements of a row, or of a line of columns, lie side by side.
  bool is_plain() const { return b == 1 ? step_n == item() || n == 1 : step_b == item() && step_n % item() == 0; }
  int64_t pitch() const { return b == 1 ? 1 : step_n / item(); }
};

// Of reduced dimensions whose stride is 0: whether the n are as many as the sizes say, or the elements that there are.
// Kept ones are never folded more than once.
enum class Repeats : uint8_t { Each, Once };

Blocks blocks_of(const Tensor& input, const std::optional<Dims>& dims, Repeats repeats = Repeats::Each);

// Whether blocks_of reads the tensor where it lies, rather than a copy of it.
bool lies_in_blocks(const Tensor& input, const std::optional<Dims>& dims);

inline constexpr int64_t kFoldWork = 32768;  // elements that one task takes
inline constexpr int64_t kFoldPart = 65536;  // elements of one part of a whole reduction

// Folds of (parts of) blocks: `loop` takes elements of dtype `compute` and gives one result for a column, `combine`
// folds such results; both are ReduceLoops or callables like them. Elements of another dtype or of odd steps pass
// through a tile that stays in the cache.
template <class Each, class Combine>
class Fold {
 public:
  Fold(const Blocks& blocks, DType compute, int64_t result_bytes, Each loop, Combine combine)
      : blocks_(blocks),
        convert_(conversion_loop(blocks.input.dtype(), compute)),
        item_(static_cast<int64_t>(item_size(compute))),
        result_(result_bytes),
        plain_(blocks.input.dtype() == compute && blocks.is_plain()),
        loop_(loop),
        combine_(combine) {}

  // out: a x b results.
  void run(char* out) const {
    const int64_t n = blocks_.n, b = blocks_.b;
    if (blocks_.count() <= kFoldWork || n == 0) return run_blocks(0, blocks_.a, out);
    const LongWork released(blocks_.count() >= 1 << 20);
    if (blocks_.a > 1)
      return parallel_for(blocks_.a, std::max<int64_t>(1, kFoldWork / std::max<int64_t>(1, n * b)),
                          [&](int64_t begin, int64_t end) { run_blocks(begin, end, out); });
    if (b > 1 && n < 128)
      return parallel_for(b, std::max<int64_t>(64, kFoldWork / n), [&](int64_t begin, int64_t end) {
        region(0, 0, n, begin, end - begin, out + begin * result_);
      });
    // Parts of the rows, then their results; how many rows depends on the sizes only.
    const int64_t rows = b == 1 ? kFoldPart : std::clamp<int64_t>(131072 / b, 64, 2048);
    const int64_t parts = (n + rows - 1) / rows;
    std::vector<char> partial(static_cast<size_t>(parts * b * result_));
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        region(0, p * rows, std::min(rows, n - p * rows), 0, b, partial.data() + p * b * result_);
    });
    combine_(partial.data(), parts, b, b, out);
  }

 private:
  static constexpr int64_t kTile = 8192;  // elements

  void run_blocks(int64_t begin, int64_t end, char* out) const {
    for (int64_t i = begin; i < end; ++i) region(i, 0, blocks_.n, 0, blocks_.b, out + i * blocks_.b * result_);
  }

  void region(int64_t block, int64_t row, int64_t rows, int64_t column, int64_t columns, char* out) const {
    const char* in = blocks_.input.bytes() + block * blocks_.step_a + row * blocks_.step_n + column * blocks_.step_b;
    if (plain_) return loop_(in, rows, columns, blocks_.pitch(), out);
    for (int64_t from = 0; from < columns; from += kTile) {
      const int64_t width = std::min(kTile, columns - from);
      tiles(in + from * blocks_.step_b, rows, width, out + from * result_);
    }
  }

  // At most kTile columns, in tiles of as many rows as fit.
  void tiles(const char* in, int64_t rows, int64_t columns, char* out) const {
    alignas(64) char tile[kTile * 8];
    const int64_t each = kTile / columns, count = std::max<int64_t>(1, (rows + each - 1) / each);
    if (count == 1) {
      fill(tile, in, rows, columns);
      return loop_(tile, rows, columns, columns, out);
    }
    std::vector<char> partial(static_cast<size_t>(count * columns * result_));
    for (int64_t t = 0; t < count; ++t) {
      const int64_t some = std::min(each, rows - t * each);
      fill(tile, in + t * each * blocks_.step_n, some, columns);
      loop_(tile, some, columns, columns, partial.data() + t * columns * result_);
    }
    combine_(partial.data(), count, columns, columns, out);
  }

  void fill(char* tile, const char* in, int64_t rows, int64_t columns) const {
    if (columns == 1 || blocks_.step_n == columns * blocks_.step_b) {  // one run of elements
      const int64_t steps[2] = {item_, columns == 1 ? blocks_.step_n : blocks_.step_b};
      char* const pair[2] = {tile, const_cast<char*>(in)};
      return convert_(pair, steps, rows * columns, nullptr);
    }
    const int64_t steps[2] = {item_, blocks_.step_b};
    for (int64_t i = 0; i < rows; ++i) {
      char* const pair[2] = {tile + i * columns * item_, const_cast<char*>(in + i * blocks_.step_n)};
      convert_(pair, steps, columns, nullptr);
    }
  }

  const Blocks& blocks_;
  Loop convert_;
  int64_t item_, result_;
  bool plain_;
  Each loop_;
  Combine combine_;
};

// `out`, in the order of memory, as the result that the caller sees.
Tensor as_result(const Blocks& blocks, const Tensor& out, bool keepdim);

// Folds elements of dtype `compute` into results of dtype `result`.
template <class Each, class Combine>
Tensor fold_blocks(const Blocks& blocks, DType compute, DType result, bool keepdim, Each loop, Combine combine) {
  const Tensor out = Tensor::empty(blocks.held, result);
  const auto bytes = static_cast<int64_t>(item_size(result));
  if (out.count() > 0) Fold(blocks, compute, bytes, loop, combine).run(out.bytes());
  return as_result(blocks, out, keepdim);
}

}  // namespace lumbre::ops
