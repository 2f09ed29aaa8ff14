#include "random/generator.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "random/hot.h"

namespace lumbre {
namespace {

static_assert(std::endian::native == std::endian::little, "states are read and written as little-endian bytes");

// The fields of a saved state and where they stand. What is not named is padding or no longer used, and zero.
constexpr size_t kSeedAt = 0;
constexpr size_t kLeftAt = 8;
constexpr size_t kSeededAt = 12;
constexpr size_t kNextAt = 16;
constexpr size_t kWordsAt = 24;  // each word in eight bytes
constexpr size_t kDoubleNormalAt = 5024;
constexpr size_t kHasDoubleNormalAt = 5040;
constexpr size_t kFloatNormalAt = 5048;
constexpr size_t kHasFloatNormalAt = 5052;

template <class T>
T load(const uint8_t* bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes + at, sizeof(T));
  return value;
}

template <class T>
void store(uint8_t* bytes, size_t at, T value) {
  std::memcpy(bytes + at, &value, sizeof(T));
}

constexpr uint32_t twisted(uint32_t upper, uint32_t lower) {
  const uint32_t mixed = (upper & 0x80000000u) | (lower & 0x7fffffffu);
  return (mixed >> 1) ^ (0x9908b0dfu & (0u - (lower & 1u)));
}

constexpr int kWordCount = 624;
constexpr int kSplit = 227;  // 624 - 397

// Reads run ahead of writes in the first loop and 227 words behind them in the second, so both vectorise.
LB_HOT_LOOP void twist_words(uint32_t* words) {
  for (int i = 0; i < kSplit; ++i) words[i] = words[i + kWordCount - kSplit] ^ twisted(words[i], words[i + 1]);
  for (int i = kSplit; i < kWordCount - 1; ++i) words[i] = words[i - kSplit] ^ twisted(words[i], words[i + 1]);
  words[kWordCount - 1] = words[kWordCount - 1 - kSplit] ^ twisted(words[kWordCount - 1], words[0]);
}

LB_HOT_LOOP void temper_words(uint32_t* __restrict out, const uint32_t* __restrict words, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t y = words[i];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    out[i] = y ^ (y >> 18);
  }
}

}  // namespace

void Generator::manual_seed(uint64_t seed) {
  seed_ = seed;
  words_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kWords; ++i) words_[i] = 1812433253u * (words_[i - 1] ^ (words_[i - 1] >> 30)) + i;
  left_ = 1;
  next_ = 0;
  next_double_normal.reset();
  next_float_normal.reset();
}

uint64_t Generator::seed() {
  std::random_device device;
  const uint64_t high = device();
  manual_seed((high << 32 | device()) & 0x1fffffffffffff);
  return seed_;
}

void Generator::twist() {
  static_assert(kWords == kWordCount);
  twist_words(words_.data());
  left_ = kWords;
  next_ = 0;
}

void Generator::fill(uint32_t* out, int64_t count) {
  while (count > 0) {
    if (left_ == 1) {
      twist();
      left_ = kWords + 1;
    }
    const int64_t run = std::min<int64_t>(count, left_ - 1);
    temper_words(out, words_.data() + next_, run);
    next_ += static_cast<uint32_t>(run);
    left_ -= static_cast<int32_t>(run);
    out += run;
    count -= run;
  }
}

std::array<uint8_t, Generator::kStateSize> Generator::state() const {
  std::array<uint8_t, kStateSize> bytes{};
  uint8_t* to = bytes.data();
  store<uint64_t>(to, kSeedAt, seed_);
  store<int32_t>(to, kLeftAt, left_);
  store<int32_t>(to, kSeededAt, 1);
  store<uint64_t>(to, kNextAt, next_);
  for (size_t i = 0; i < kWords; ++i) store<uint64_t>(to, kWordsAt + 8 * i, words_[i]);
  store<double>(to, kDoubleNormalAt, next_double_normal.value_or(0.0));
  store<int32_t>(to, kHasDoubleNormalAt, next_double_normal.has_value());
  store<float>(to, kFloatNormalAt, next_float_normal.value_or(0.0f));
  store<uint8_t>(to, kHasFloatNormalAt, next_float_normal.has_value());
  return bytes;
}

void Generator::set_state(const uint8_t* bytes, size_t size) {
  LB_CHECK(size == kStateSize, Runtime, "Expected a CPUGeneratorImplState of size ", kStateSize,
           " but found the input RNG state size to be ", size);
  const int32_t left = load<int32_t>(bytes, kLeftAt);
  const uint32_t next = static_cast<uint32_t>(load<uint64_t>(bytes, kNextAt));
  const bool valid = load<int32_t>(bytes, kSeededAt) != 0 && left > 0 && left <= kWords && next <= kWords &&
                     next + static_cast<uint32_t>(left) <= kWords + 1;
  LB_CHECK(valid, Runtime, "Invalid mt19937 state");
  seed_ = load<uint64_t>(bytes, kSeedAt);
  left_ = left;
  next_ = next;
  for (size_t i = 0; i < kWords; ++i) words_[i] = static_cast<uint32_t>(load<uint64_t>(bytes, kWordsAt + 8 * i));
  next_double_normal.reset();
  next_float_normal.reset();
  if (load<int32_t>(bytes, kHasDoubleNormalAt) != 0) next_double_normal = load<double>(bytes, kDoubleNormalAt);
  if (load<uint8_t>(bytes, kHasFloatNormalAt) != 0) next_float_normal = load<float>(bytes, kFloatNormalAt);
}

Generator& default_generator() {
  static Generator generator;
  return generator;
}

}  // namespace lumbre
