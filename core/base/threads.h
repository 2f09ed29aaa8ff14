#pragma once
#include <cstdint>
#include <functional>
namespace lumbre { int num_threads(); void set_num_threads(int); void parallel_for(int64_t n,int64_t grain,const std::function<void(int64_t,int64_t)>& f); }
