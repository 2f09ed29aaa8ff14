// The loop plan: how every element-wise operation walks its operands. Dimensions are broadcast, reordered by stride and
// merged; the work is split over threads; an inner loop sees (pointers, strides, count).
#pragma once

#include <array>

#include "tensor/tensor.h"

namespace lumbre {

// data[0] is the output (or the first outputs); strides are in bytes; context is the operator's parameters.
using Loop = void (*)(char* const* data, const int64_t* strides, int64_t count, const void* context);

inline constexpr int64_t kGrain = 32768;  // elements below which an operation stays on its thread

inline constexpr int64_t kStreamBytes = int64_t{32} << 20;  // of results that are written past the cache
inline constexpr int64_t kLongWork = 1 << 19;               // elements from which the interpreter lock is let go

// Loop that converts elements of one dtype to another (data[0] <- data[1]).
Loop conversion_loop(DType from, DType to);

// to[r][line] = from[line][r] for r < run; lines are from_pitch bytes apart, rows of `to` to_pitch bytes.
using TransposeLoop = void (*)(const char* from, int64_t from_pitch, int64_t lines, int64_t run, char* to,
                               int64_t to_pitch);
TransposeLoop transpose_loop(size_t item_bytes);

// Copies bytes past the cache.
using StreamLoop = void (*)(char* to, const char* from, int64_t bytes);
StreamLoop stream_loop();

class Plan {
 public:
  static constexpr int kMaxOperands = 8;

  // Operands in the order of the loop's pointers, outputs first. An undefined output is allocated by build().
  void add_output(const Tensor& tensor);
  void add_new_output(DType dtype);
  void add_input(const Tensor& tensor);
  // A value of the given dtype, copied into the plan.
  void add_constant(const void* value, DType dtype);

  // Broadcasts all operands. Outputs that exist take part in `build_fixed` only as the target that inputs must fit;
  // `build` allocates the missing ones in the layout that PyTorch gives.
  void build(const char* name);
  void build_fixed(const char* name);
  // The plan's shape is given: operand strides (in bytes, per dimension of `sizes`) come from the caller.
  void build_strided(const Dims& sizes, std::span<const Dims> strides);

  const Dims& sizes() const { return shape_; }
  Tensor output(int i = 0) const { return operands_[i].tensor; }

  // Runs `loop` whose i-th operand has dtype loop_dtypes[i]; operands of another dtype are converted in blocks.
  void run(Loop loop, std::span<const DType> loop_dtypes, const void* context, int64_t grain = kGrain);
  // The same for a loop that reads its inputs nowhere but at the elements it is given: inputs that do not lie side by
  // side are copied together first, transposed ones in tiles.
  void run_elementwise(Loop loop, std::span<const DType> loop_dtypes, const void* context);
  // The same, on the calling thread and in the plan's order: for loops with state, such as random streams.
  void run_serial(Loop loop, std::span<const DType> loop_dtypes, const void* context);
  // Operand 0 <- operand 1.
  void copy();

  static Dims inferred_strides(const Dims& sizes, const Dims& like_sizes, const Dims& like_strides);

 private:
  struct Operand {
    Tensor tensor;
    char* data = nullptr;
    DType dtype = DType::Float32;
    bool output = false;
    bool constant = false;
    alignas(8) char value[8];
  };

  void add(const Tensor& tensor, bool output);
  void finish(const char* name, bool fixed);
  void broadcast(const char* name, bool fixed);
  void fill_strides();
  void reorder();
  void allocate_outputs();
  void merge();
  void check_overlap() const;
  void run_range(Loop loop, const DType* loop_dtypes, bool convert, const void* context, int64_t begin,
                 int64_t end) const;
  void run_converted(Loop loop, const DType* loop_dtypes, const void* context, char* const* data,
                     const int64_t* strides, int64_t count) const;
  bool outgrows_cache() const;
  void copy_past_cache(Loop loop) const;
  void run_past_cache(Loop loop, const void* context) const;
  int turned_dimension() const;
  int64_t tile_count(int turned) const;
  void run_tiles(Loop loop, const DType* loop_dtypes, const void* context, int turned, int64_t begin,
                 int64_t end) const;

  int count_ = 0;
  int outputs_ = 0;
  int ndim_ = 0;         // after merging; dimension 0 is the innermost
  bool stream_ = false;  // the output is too large for the cache, and written past it
  bool gather_ = false;  // inputs whose elements are neither side by side nor the same go through a block
  int64_t elements_ = 1;
  Dims shape_;  // before reordering
  std::array<Operand, kMaxOperands> operands_;
  int64_t extent_[kMaxDims];
  int64_t stride_[kMaxDims][kMaxOperands];
  int order_[kMaxDims];  // plan dimension -> dimension of shape_
};

// Throws PyTorch's errors for outputs that overlap themselves or, partly, an input.
void check_no_internal_overlap(const Tensor& output);
void check_no_partial_overlap(const Tensor& output, const Tensor& input);

}  // namespace lumbre
