// How often elements of tensors were looked at to decide what is computed: who repeats a computation must know.
#pragma once

#include <cstdint>

namespace lumbre {

extern uint64_t element_reads;

}  // namespace lumbre
