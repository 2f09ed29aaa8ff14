// One step of an LSTM's gates over rows of raw memory.
#pragma once

#include <cstdint>

namespace lumbre {

// gates is (rows x 4 width), in the order input, forget, new, output; the others are (rows x width). To the gates is
// added what the hidden state brings, rows `pitch` apart, unless it is null. `active` keeps the gates after their
// nonlinearities, for the way back.
using LstmForward = void (*)(int64_t rows, int64_t width, const void* gates, const void* recurrent, int64_t pitch,
                             const void* cell, void* active, void* hidden, void* next);
// Gradients of the gates and of the old cell from those of the hidden state (the sum of two, the second with rows
// `pitch` apart) and the new cell; any may be null.
using LstmBackward = void (*)(int64_t rows, int64_t width, const void* active, const void* cell, const void* next,
                              const void* grad_hidden, const void* grad_later, int64_t pitch, const void* grad_next,
                              void* grad_gates, void* grad_cell);

struct RecurrentTable {
  LstmForward forward[2];  // float, double
  LstmBackward backward[2];
};

const RecurrentTable& recurrent_table();

}  // namespace lumbre
