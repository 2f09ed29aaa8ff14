#include "base/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#define LB_POLYNOMIALS __attribute__((target("pclmul,sse4.2")))

namespace lumbre {

namespace {

constexpr uint32_t kPolynomial = 0xEDB88320;  // bits reversed: the highest power is the lowest bit

constexpr uint32_t times_x(uint32_t residue) { return residue >> 1 ^ (residue & 1 ? kPolynomial : 0); }

// What a product with 64 bits has to be multiplied by to move on by `bits`. The product of two reversed numbers lies
// one bit too far down.
constexpr uint64_t moving_by(int bits) {
  uint32_t residue = uint32_t{1} << 31;
  for (int i = 0; i < bits; ++i) residue = times_x(residue);
  return uint64_t{residue} << 1;
}

constexpr auto kBytes = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t residue = byte;
    for (int i = 0; i < 8; ++i) residue = times_x(residue);
    table[byte] = residue;
  }
  return table;
}();

uint32_t byte_by_byte(uint32_t residue, const unsigned char* data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) residue = residue >> 8 ^ kBytes[(residue ^ data[i]) & 0xff];
  return residue;
}

LB_POLYNOMIALS inline __m128i load(const unsigned char* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// The halves of x moved on by as many bits as the factors say, over what stands there.
LB_POLYNOMIALS inline __m128i folded(__m128i x, __m128i factors, __m128i there) {
  const __m128i low = _mm_clmulepi64_si128(x, factors, 0x00), high = _mm_clmulepi64_si128(x, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

LB_POLYNOMIALS uint32_t by_polynomials(uint32_t crc, const unsigned char* data, size_t bytes) {
  constexpr size_t kBlock = 64;
  uint32_t residue = ~crc;
  if (bytes < kBlock) return ~byte_by_byte(residue, data, bytes);
  const auto factors = [](int bits) LB_POLYNOMIALS {
    return _mm_set_epi64x(static_cast<int64_t>(moving_by(bits - 32)), static_cast<int64_t>(moving_by(bits + 32)));
  };
  const __m128i by_block = factors(512), by_one = factors(128);
  __m128i part[4];
  for (int i = 0; i < 4; ++i) part[i] = load(data + 16 * i);
  part[0] = _mm_xor_si128(part[0], _mm_cvtsi32_si128(static_cast<int>(residue)));
  data += kBlock;
  bytes -= kBlock;
  for (; bytes >= kBlock; data += kBlock, bytes -= kBlock)
    for (int i = 0; i < 4; ++i) part[i] = folded(part[i], by_block, load(data + 16 * i));
  __m128i all = part[0];
  for (int i = 1; i < 4; ++i) all = folded(all, by_one, part[i]);
  for (; bytes >= 16; data += 16, bytes -= 16) all = folded(all, by_one, load(data));
  alignas(16) unsigned char rest[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(rest), all);
  return ~byte_by_byte(byte_by_byte(0, rest, sizeof(rest)), data, bytes);
}

}  // namespace

ChecksumLoop checksum_loop() { return __builtin_cpu_supports("pclmul") ? &by_polynomials : nullptr; }

}  // namespace lumbre
#else
namespace lumbre {
ChecksumLoop checksum_loop() { return nullptr; }
}  // namespace lumbre
#endif
