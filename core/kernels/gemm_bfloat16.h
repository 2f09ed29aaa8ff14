// Products of bfloat16 matrices by instructions that multiply pairs of them and add in float32: tiles (AMX) or vectors
// (AVX512_BF16), where the processor has them. What is divided how is the driver's business (ops/gemm.h).
#pragma once

#include <cstdint>

#include "kernels/products.h"

namespace lumbre {

// c (m x n, rows `c_row` apart) = alpha a b + beta c, of packed operands; with beta 0 c is not read.
struct BFloat16Block {
  int64_t m, n, k;
  float alpha, beta;
  const uint16_t* a;
  const uint16_t* b;
  uint16_t* c;
  int64_t c_row;
};

struct BFloat16Loops {
  // Panels hold 16 rows of A or columns of B, filled up with zeros; k is filled up to a multiple of 32.
  void (*pack_a)(int64_t m, int64_t k, const uint16_t* a, MatrixLayout layout, uint16_t* panels);
  void (*pack_b)(int64_t n, int64_t k, const uint16_t* b, MatrixLayout layout, uint16_t* panels);
  void (*multiply)(const BFloat16Block& block);
};
inline constexpr int64_t kBFloat16Panel = 16, kBFloat16Step = 32;

// Null where the processor has no such instructions.
const BFloat16Loops* bfloat16_loops();

}  // namespace lumbre
