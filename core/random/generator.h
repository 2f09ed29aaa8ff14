// The random number generator: the 32-bit Mersenne Twister (Matsumoto and Nishimura, 1998), and the normal sample
// that the Box-Muller transform leaves for the next call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/error.h"

namespace lumbre {

class Generator {
 public:
  // The seed of a generator that nobody has seeded.
  static constexpr uint64_t kDefaultSeed = 67280421310721;
  // The size of state(), in bytes.
  static constexpr size_t kStateSize = 5056;

  explicit Generator(uint64_t seed = kDefaultSeed) { manual_seed(seed); }

  // Starts the stream of `seed`. The twister takes its low 32 bits; initial_seed() gives all 64 back.
  void manual_seed(uint64_t seed);
  // Seeds from the operating system and returns the seed: 53 bits, so that a double holds it.
  uint64_t seed();
  uint64_t initial_seed() const { return seed_; }

  // One word of the stream.
  uint32_t random() {
    if (--left_ == 0) twist();
    return temper(words_[next_++]);
  }

  // Two words, the first on top.
  uint64_t random64() {
    const uint64_t high = random();
    return high << 32 | random();
  }

  // The next `count` words, as `count` calls of random() give them.
  void fill(uint32_t* out, int64_t count);

  // A double in [0, 1): the low 53 bits of random64().
  double uniform_double() { return static_cast<double>(random64() & 0x1fffffffffffff) * 0x1p-53; }
  // A float in [0, 1): the low 24 bits of random().
  float uniform_float() { return static_cast<float>(random() & 0xffffff) * 0x1p-24f; }

  // What a Box-Muller pair left over. The engine's own draws use the double one only; the float one is carried for
  // the sake of states that hold it.
  std::optional<double> next_double_normal;
  std::optional<float> next_float_normal;

  // The bytes of torch.get_rng_state(): the layout is PyTorch's, little-endian, padding zero.
  std::array<uint8_t, kStateSize> state() const;
  // Takes such bytes; `size` is checked, and a state that would read outside the twister's words is refused.
  void set_state(const uint8_t* bytes, size_t size);

 private:
  static constexpr int kWords = 624;

  static constexpr uint32_t temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }

  void twist();

  uint64_t seed_ = 0;
  // Calls of random() until the next twist, that one counted; next_ + left_ <= kWords + 1 keeps reads inside words_.
  int32_t left_ = 1;
  uint32_t next_ = 0;
  std::array<uint32_t, kWords> words_;
};

// The generator of torch.manual_seed, which operators draw from unless they are given another.
Generator& default_generator();

}  // namespace lumbre
