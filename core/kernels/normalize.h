// Normalisation by rows of raw memory: each row lies in one group, whose mean and 1 / deviation are given.
#pragma once

#include <cstdint>

namespace lumbre {

struct Moments {
  double mean, root;  // root is 1 / sqrt(variance + eps)
};
struct RowSums {
  double plain, along;  // of the gradient, and of the gradient times the normalised row
};

struct NormalizeLoops {
  double (*sum)(const void* x, int64_t count);
  double (*squares)(const void* x, int64_t count, double mean);  // of the distances from the mean
  // y = (x - mean) scale + shift
  void (*apply)(const void* x, int64_t count, double mean, double scale, double shift, void* y);
  RowSums (*sums)(const void* g, const void* x, int64_t count, Moments m);
  // The gradient of a row, from the weight and the means of its group's sums.
  void (*back)(const void* g, const void* x, int64_t count, Moments m, double weight, RowSums means, void* to);
  // The same with a weight and a bias for each element (null: 1 and 0).
  void (*apply_each)(const void* x, int64_t count, Moments m, const void* weight, const void* bias, void* y);
  // Sums of the weighted gradient; adds to those of the weight and the bias, unless they are null.
  RowSums (*sums_each)(const void* g, const void* x, int64_t count, Moments m, const void* weight, void* to_weight,
                       void* to_bias);
  void (*back_each)(const void* g, const void* x, int64_t count, Moments m, const void* weight, RowSums means,
                    void* to);
};

struct NormalizeTable {
  NormalizeLoops loops[2];  // float, double
};

const NormalizeTable& normalize_table();

}  // namespace lumbre
