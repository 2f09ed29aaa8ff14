#pragma once
#include <string>
namespace lumbre::blas { void set_library_resolver(std::string (*)()); }
