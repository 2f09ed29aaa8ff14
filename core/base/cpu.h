// What the processor can do.
#pragma once

namespace lumbre {

// The best instruction-set level that the processor and the system support: 0 = x86-64-v2 (or plain on other machines),
// 1 = v3, 2 = v4. The environment variable LUMBRE_LEVEL (v2, v3, v4) lowers it. Constant over the process.
int best_level();

}  // namespace lumbre
