// How the first level reaches a constant table that every level defines: LB_LEVEL_TABLE(Type, name) at global scope,
// then LB_BEST(name).
#pragma once

#include <type_traits>

#include "base/cpu.h"
#include "base/level.h"

namespace lumbre {
template <class Table>
const Table& best_table(const Table* const (&tables)[kLevelCount]) {
  const int level = best_level();
  return *tables[level < kLevelCount ? level : kLevelCount - 1];
}

// A table's loops for a floating type that has loops of its own.
template <class T, class Table>
const auto& loops_of(const Table& table) {
  if constexpr (std::is_same_v<T, float>)
    return table.f32;
  else
    return table.f64;
}
}  // namespace lumbre

#if LB_LEVEL_COUNT == 3
#define LB_LEVEL_TABLE(Type, name)                                                  \
  namespace lumbre {                                                                \
  namespace v3 {                                                                    \
  extern const Type name;                                                           \
  }                                                                                 \
  namespace v4 {                                                                    \
  extern const Type name;                                                           \
  }                                                                                 \
  static constexpr const Type* name##_levels[] = {&v2::name, &v3::name, &v4::name}; \
  }
#else
#define LB_LEVEL_TABLE(Type, name)                                  \
  namespace lumbre {                                                \
  static constexpr const Type* name##_levels[] = {&LB_LEVEL::name}; \
  }
#endif
#define LB_BEST(name)                                              \
  ([]() -> decltype(auto) {                                        \
    static const auto& best = ::lumbre::best_table(name##_levels); \
    return (best);                                                 \
  }())
