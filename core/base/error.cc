#include "base/error.h"

#include <sstream>

namespace lumbre {

std::string joined(std::initializer_list<TextPart> parts) {
  std::ostringstream stream;
  for (const TextPart& part : parts) part.write(stream, part.value);
  return std::move(stream).str();
}

void throw_error(ErrorKind kind, std::initializer_list<TextPart> parts) { throw Error(kind, joined(parts)); }

}  // namespace lumbre
