#include "base/cpu.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lumbre {

namespace {

// __builtin_cpu_supports asks CPUID and, for the wide registers, XGETBV.
int supported_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return 2;
  if (__builtin_cpu_supports("x86-64-v3")) return 1;
#endif
  return 0;
}

int chosen_level() {
  const int supported = supported_level();
  const char* wanted = std::getenv("LUMBRE_LEVEL");
  if (!wanted) return supported;
  constexpr const char* names[] = {"v2", "v3", "v4"};
  for (int level = 0; level < 3; ++level)
    if (std::strcmp(wanted, names[level]) == 0) return std::min(level, supported);
  return supported;
}

}  // namespace

int best_level() {
  static const int level = chosen_level();
  return level;
}

}  // namespace lumbre
