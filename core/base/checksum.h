// The CRC-32 of zip archives (ISO 3309, polynomial 0x04C11DB7), bits reversed as there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lumbre {

// Of what gave `crc` (0 at first) and these bytes after it.
using ChecksumLoop = uint32_t (*)(uint32_t crc, const unsigned char* data, size_t bytes);

// By products of polynomials; null where the processor has no instruction for them.
//
// Gopal, Ozturk, Guilford et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel
// 2009.
ChecksumLoop checksum_loop();

}  // namespace lumbre
