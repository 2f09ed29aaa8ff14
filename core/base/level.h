// Instruction-set levels. Files of core/kernels and core/ops/pointwise are compiled once per level; all that they
// define lives in the namespace of their level, so that the linker never merges code of two levels.
#pragma once

#ifndef LB_LEVEL
#error "LB_LEVEL is set by the build"
#endif

// The first level carries what must exist once: operator records, dispatch tables.
#define LB_BASELINE (LB_LEVEL_NUMBER == 0)

namespace lumbre {
inline constexpr int kLevelCount = LB_LEVEL_COUNT;  // x86-64: v2, v3, v4; elsewhere one
}
