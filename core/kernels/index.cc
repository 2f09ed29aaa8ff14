#include "kernels/index.h"

#include <algorithm>
#include <cstring>

#include "base/dtype.h"
#include "base/level.h"
#include "kernels/vectors.h"

namespace lumbre {
namespace LB_LEVEL {

template <class W>
void fetch_items(char* const* data, const int64_t* strides, int64_t count, const void*) {
  char* out = data[0];
  const char* source = data[1];
  const char* offsets = data[2];
  const int64_t so = strides[0], ss = strides[1], si = strides[2];
  if (si == 0) {
    source += *reinterpret_cast<const int64_t*>(offsets);
    if (so == sizeof(W) && ss == sizeof(W)) {
      std::memcpy(out, source, static_cast<size_t>(count) * sizeof(W));
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      *reinterpret_cast<W*>(out + i * so) = *reinterpret_cast<const W*>(source + i * ss);
    return;
  }
  if (so == sizeof(W) && si == sizeof(int64_t)) {
    W* items = reinterpret_cast<W*>(out);
    const int64_t* at = reinterpret_cast<const int64_t*>(offsets);
    for (int64_t i = 0; i < count; ++i) items[i] = *reinterpret_cast<const W*>(source + i * ss + at[i]);
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    *reinterpret_cast<W*>(out + i * so) =
        *reinterpret_cast<const W*>(source + i * ss + *reinterpret_cast<const int64_t*>(offsets + i * si));
}

// Offsets first, then what lies there, a block at a time: so more of the reads wait for memory together. Where a
// position is outside the first element is read in its place.
template <class W>
void gather_items(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  constexpr int64_t kBlock = 256;
  const Positions& along = *static_cast<const Positions*>(context);
  const int64_t size = along.size, step = along.step;
  int64_t offsets[kBlock];
  int64_t outside = 0;
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t some = std::min(kBlock, count - from);
    const char* const positions = data[2] + from * strides[2];
    const auto place = [&](int64_t i, int64_t at) {
      const bool inside = at >= 0 && at < size;
      outside |= !inside;
      offsets[i] = inside ? at * step : 0;
    };
    if (strides[2] == sizeof(int64_t))
      for (int64_t i = 0; i < some; ++i) place(i, reinterpret_cast<const int64_t*>(positions)[i]);
    else
      for (int64_t i = 0; i < some; ++i) place(i, *reinterpret_cast<const int64_t*>(positions + i * strides[2]));
    char* const pointers[3] = {data[0] + from * strides[0], data[1] + from * strides[1],
                               reinterpret_cast<char*>(offsets)};
    const int64_t steps[3] = {strides[0], strides[1], sizeof(int64_t)};
    fetch_items<W>(pointers, steps, some, nullptr);
  }
  if (outside) along.outside->store(true, std::memory_order_relaxed);
}

template <class W>
void set_run(char* out, const char* in, int64_t in_step, int64_t count) {
  W* items = reinterpret_cast<W*>(out);
  if (in_step == sizeof(W)) {
    std::memcpy(items, in, static_cast<size_t>(count) * sizeof(W));
  } else if (in_step == 0) {
    const W value = *reinterpret_cast<const W*>(in);
    for (int64_t i = 0; i < count; ++i) items[i] = value;
  } else {
    for (int64_t i = 0; i < count; ++i) items[i] = *reinterpret_cast<const W*>(in + i * in_step);
  }
}

template <class W>
void set_items(char* const* data, const int64_t* strides, int64_t count, const void*) {
  if (strides[2] == 0 && strides[0] == sizeof(W))
    return set_run<W>(data[0] + *reinterpret_cast<const int64_t*>(data[2]), data[1], strides[1], count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t offset = *reinterpret_cast<const int64_t*>(data[2] + i * strides[2]);
    *reinterpret_cast<W*>(data[0] + i * strides[0] + offset) = *reinterpret_cast<const W*>(data[1] + i * strides[1]);
  }
}

template <class W>
void copy_items(char* const* data, const int64_t* strides, int64_t count, const void*) {
  constexpr auto width = static_cast<int64_t>(sizeof(W));
  char* out = data[0];
  const char* in = data[1];
  if (strides[0] == width && strides[1] == width) {
    copy_run(out, in, count * width);
  } else if (strides[0] == width && strides[1] == -width) {
    W* items = reinterpret_cast<W*>(out);
    const W* last = reinterpret_cast<const W*>(in) - (count - 1);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) items[i] = last[count - 1 - i];
  } else {
    for (int64_t i = 0; i < count; ++i)
      *reinterpret_cast<W*>(out + i * strides[0]) = *reinterpret_cast<const W*>(in + i * strides[1]);
  }
}

template <class W>
void fill_masked(char* const* data, const int64_t* strides, int64_t count, const void*) {
  const W value = *reinterpret_cast<const W*>(data[2]);
  if (strides[0] == sizeof(W) && strides[1] == 1) {
    W* items = reinterpret_cast<W*>(data[0]);
    const uint8_t* mask = reinterpret_cast<const uint8_t*>(data[1]);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) items[i] = mask[i] ? value : items[i];
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    if (data[1][i * strides[1]]) *reinterpret_cast<W*>(data[0] + i * strides[0]) = value;
}

// Elements of a and b, repeated ones (stride 0) included.
template <class W, bool kEachA, bool kEachB>
void choose_runs(W* out, const uint8_t* mask, const W* a, const W* b, int64_t count) {
  const W one_a = *a, one_b = *b;
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const W x = kEachA ? a[i] : one_a, y = kEachB ? b[i] : one_b;
    out[i] = mask[i] ? x : y;
  }
}

template <class W>
void choose_items(char* const* data, const int64_t* strides, int64_t count, const void*) {
  constexpr auto width = static_cast<int64_t>(sizeof(W));
  const auto lies_well = [](int64_t stride) { return stride == 0 || stride == width; };
  if (strides[0] == width && strides[1] == 1 && lies_well(strides[2]) && lies_well(strides[3])) {
    const auto loop = strides[2] ? (strides[3] ? &choose_runs<W, true, true> : &choose_runs<W, true, false>)
                                 : (strides[3] ? &choose_runs<W, false, true> : &choose_runs<W, false, false>);
    return loop(reinterpret_cast<W*>(data[0]), reinterpret_cast<const uint8_t*>(data[1]),
                reinterpret_cast<const W*>(data[2]), reinterpret_cast<const W*>(data[3]), count);
  }
  for (int64_t i = 0; i < count; ++i)
    *reinterpret_cast<W*>(data[0] + i * strides[0]) =
        *reinterpret_cast<const W*>(data[1][i * strides[1]] ? data[2] + i * strides[2] : data[3] + i * strides[3]);
}

template <class T>
void add_items(void* to, const void* from, int64_t count) {
  T* __restrict sums = static_cast<T*>(to);
  const T* __restrict terms = static_cast<const T*>(from);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (is_half_type<T>)
      sums[i] = T(static_cast<float>(sums[i]) + static_cast<float>(terms[i]));
    else if constexpr (std::is_same_v<T, bool>)
      sums[i] = sums[i] | terms[i];
    else if constexpr (std::is_integral_v<T>)
      sums[i] = static_cast<T>(static_cast<uint64_t>(sums[i]) + static_cast<uint64_t>(terms[i]));
    else
      sums[i] += terms[i];
  }
}

template <class W>
void take_items(char* out, const char* in, const int64_t* at, int64_t count, int64_t size) {
  W* taken = reinterpret_cast<W*>(out);
  const W* items = reinterpret_cast<const W*>(in);
  for (int64_t i = 0; i < count; ++i) taken[i] = items[at[i] + (at[i] < 0 ? size : 0)];
}

inline bool place(const int64_t* at, int64_t count, int64_t lowest, int64_t size, int64_t step, int64_t* out) {
  int64_t outside = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t x = at[i];
    outside |= (x < lowest) | (x >= size);
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(x < 0 ? x + size : x) * static_cast<uint64_t>(step));
  }
  return outside == 0;
}
extern constinit const PlaceLoop place_items = &place;

template <class W>
constexpr MoveLoops loops_of() {
  return {&fetch_items<W>, &gather_items<W>, &set_items<W>, &copy_items<W>,
          &fill_masked<W>, &choose_items<W>, &take_items<W>};
}

using MoveTable = std::array<MoveLoops, 4>;
extern constinit const MoveTable move_table = {loops_of<uint8_t>(), loops_of<uint16_t>(), loops_of<uint32_t>(),
                                               loops_of<uint64_t>()};

using AddTable = std::array<AddLoop, kDTypeCount>;
extern constinit const AddTable add_table = {
    &add_items<bool>,    &add_items<uint8_t>, &add_items<int8_t>,   &add_items<int16_t>, &add_items<int32_t>,
    &add_items<int64_t>, &add_items<Half>,    &add_items<BFloat16>, &add_items<float>,   &add_items<double>};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include <bit>

#include "base/dispatch.h"
namespace lumbre {
using AddTable = std::array<AddLoop, kDTypeCount>;
}
LB_LEVEL_TABLE(lumbre::AddTable, add_table)
LB_LEVEL_TABLE(lumbre::PlaceLoop, place_items)
namespace lumbre {
PlaceLoop place_loop() { return LB_BEST(place_items); }
AddLoop add_loop(DType dtype) { return LB_BEST(add_table)[static_cast<size_t>(dtype)]; }
}  // namespace lumbre
namespace lumbre {
#if LB_LEVEL_COUNT == 3
namespace v3 {
extern const v2::MoveTable move_table;
}
namespace v4 {
extern const v2::MoveTable move_table;
}
static constexpr const v2::MoveTable* kMoveTables[] = {&v2::move_table, &v3::move_table, &v4::move_table};
#else
static constexpr const LB_LEVEL::MoveTable* kMoveTables[] = {&LB_LEVEL::move_table};
#endif
const MoveLoops& move_loops(size_t item_bytes) {
  static const auto& table = *kMoveTables[std::min(best_level(), kLevelCount - 1)];
  return table[static_cast<size_t>(std::countr_zero(item_bytes))];
}
}  // namespace lumbre
#endif
