#include "base/cpu.h"
namespace lumbre { int best_level(){ return __builtin_cpu_supports("x86-64-v4")?2:__builtin_cpu_supports("x86-64-v3")?1:0; } }
