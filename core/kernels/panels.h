// Products of a few rows with one matrix that is used again and again, as recurrent networks use theirs: the matrix is
// packed once, as panels of neighbouring columns.
#pragma once

#include <cstdint>

namespace lumbre {

// packed <- a matrix (k x n) of any strides; columns are filled up with zeros to a multiple of the panels' width.
using PackPanels = void (*)(int64_t k, int64_t n, const void* matrix, int64_t k_stride, int64_t n_stride, void* packed);
// c (rows x n filled up, rows `c_pitch` apart) = a (rows x k, rows `a_pitch` apart) times the packed matrix.
using MultiplyPanels = void (*)(int64_t rows, int64_t k, int64_t n, const void* a, int64_t a_pitch, const void* packed,
                                void* c, int64_t c_pitch);

struct PanelLoops {
  PackPanels pack;
  MultiplyPanels multiply;
  int64_t width;  // of a panel, in elements

  int64_t filled(int64_t n) const { return (n + width - 1) / width * width; }
};

struct PanelTable {
  PanelLoops loops[2];  // float, double
};

const PanelTable& panel_table();

}  // namespace lumbre
