// Stable orders by radix: the keys are sorted digit by digit, from the lowest to the highest.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <numeric>
#include <type_traits>

namespace lumbre::ops {

template <class T>
using RadixKey = std::conditional_t<
    sizeof(T) == 1, uint8_t,
    std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

// Unsigned numbers in the order of the values: NaN above all, the two zeros equal.
template <class T>
RadixKey<T> radix_key(T value, bool descending) {
  using K = RadixKey<T>;
  constexpr K sign = static_cast<K>(K(1) << (8 * sizeof(T) - 1));
  K key;
  if constexpr (std::is_floating_point_v<T>) {
    const K bits = std::bit_cast<K>(value + T(0));
    key = value != value ? static_cast<K>(-1) : (bits & sign ? static_cast<K>(~bits) : static_cast<K>(bits | sign));
  } else if constexpr (std::is_signed_v<T>) {
    key = static_cast<K>(static_cast<K>(value) ^ sign);
  } else {
    key = static_cast<K>(value);
  }
  return descending ? static_cast<K>(~key) : key;
}

inline constexpr int64_t kRadixLeast = 64;                  // elements below which comparing is quicker,
inline constexpr int64_t kRadixMost = int64_t{UINT32_MAX};  // and that a position counts

// Calls put(place, position) for each of n elements, kRadixMost at most, in order.
template <class T, class Put>
void radix_order(const T* in, int64_t n, bool descending, Put put) {
  using K = RadixKey<T>;
  struct Entry {
    K key;
    uint32_t position;
  };
  constexpr size_t digits = sizeof(T);
  const auto count = static_cast<size_t>(n);
  auto from = std::make_unique_for_overwrite<Entry[]>(count), to = std::make_unique_for_overwrite<Entry[]>(count);
  std::array<std::array<uint32_t, 256>, digits> starts{};
  for (size_t i = 0; i < count; ++i) {
    const K key = radix_key(in[i], descending);
    from[i] = {key, static_cast<uint32_t>(i)};
    for (size_t d = 0; d < digits; ++d) ++starts[d][static_cast<uint8_t>(key >> (8 * d))];
  }
  for (size_t d = 0; d < digits; ++d) {
    auto& start = starts[d];
    if (start[static_cast<uint8_t>(from[0].key >> (8 * d))] == count) continue;  // one digit for all
    std::exclusive_scan(start.begin(), start.end(), start.begin(), uint32_t{0});
    for (size_t i = 0; i < count; ++i) to[start[static_cast<uint8_t>(from[i].key >> (8 * d))]++] = from[i];
    std::swap(from, to);
  }
  for (size_t i = 0; i < count; ++i) put(static_cast<int64_t>(i), static_cast<int64_t>(from[i].position));
}

}  // namespace lumbre::ops
