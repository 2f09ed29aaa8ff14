// Warnings: whoever runs the engine says where they go.
#pragma once

#include <string>

#include "base/error.h"

namespace lumbre {

using WarningHandler = void (*)(const std::string& message);
inline WarningHandler warning_handler = nullptr;

template <class... Args>
void warn(const Args&... args) {
  if (warning_handler) warning_handler(text(args...));
}

}  // namespace lumbre
