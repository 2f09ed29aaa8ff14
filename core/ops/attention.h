// Attention over raw memory, tile by tile: the scores of all queries and keys never exist at once.
//
// Dao et al., "FlashAttention: Fast and memory-efficient exact attention with IO-awareness", 2022.
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lumbre::ops {

// One matrix of each head: where the heads' start, in elements, and from row to row. Rows are contiguous.
template <class T>
struct HeadRows {
  T* data = nullptr;
  std::vector<int64_t> starts;
  int64_t row = 0;

  T* at(int64_t head) const { return data + starts[static_cast<size_t>(head)]; }
};

// Numbers to be added to the scores, or bool: true takes part. One matrix (queries x keys) of each query head.
struct AttentionMask {
  const char* data = nullptr;  // null: none
  std::vector<int64_t> starts;
  int64_t query_step = 0, key_step = 0;
  bool boolean = false;
};

// Each key head serves `shared` query heads, which follow each other; `heads` counts the key heads.
template <class T>
struct Attention {
  int64_t heads, shared, queries, keys, width, values;
  HeadRows<const T> query, key, value;
  AttentionMask mask;
  bool causal;
  // What causality shuts out is added as -inf, as by a mask, so that NaN stays NaN.
  bool causal_adds;
  T scale;
};

// The values averaged, and of each row of scores the logarithm of the sum of exponentials (infinity where no key takes
// part), (query heads x queries).
template <class T>
void attend(const Attention<T>& a, const HeadRows<T>& result, T* logarithms);

template <class T>
struct AttentionGradients {
  HeadRows<T> query, key, value;
};
template <class T>
void attend_back(const Attention<T>& a, const HeadRows<const T>& result, const T* logarithms,
                 const HeadRows<const T>& grad, const AttentionGradients<T>& to);

}  // namespace lumbre::ops
