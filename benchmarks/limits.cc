// What the machine can do: a copy of memory, and fused multiply-adds that wait for nothing.

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

template <class Work>
void on_threads(int count, Work work) {
  std::vector<std::thread> others;
  for (int i = 1; i < count; ++i) others.emplace_back(work, i);
  work(0);
  for (auto& other : others) other.join();
}

// Independent chains that hide the latency of an addition; the compiler makes the widest vectors that the processor has.
template <class T>
double multiply_adds(int64_t rounds) {
  constexpr int kBytes = 64, kLanes = kBytes / sizeof(T), kChains = 12;
  typedef T Vector __attribute__((vector_size(kBytes)));
  Vector sums[kChains], factor, term;
  for (int lane = 0; lane < kLanes; ++lane) {
    factor[lane] = T(0.999);
    term[lane] = T(1e-3 * lane);
    for (auto& sum : sums) sum[lane] = T(lane);
  }
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = sum * factor + term;
    asm volatile("" : "+x"(factor));  // the rounds are done, not foreseen
  }
  double total = 0;
  for (const auto& sum : sums) total += sum[0];
  return total;
}

volatile double sink;

}  // namespace

extern "C" {

// Copies a block, each thread its share.
void limits_copy(char* to, const char* from, int64_t bytes, int threads) {
  const int64_t share = bytes / threads;
  on_threads(threads, [=](int i) {
    const int64_t begin = i * share, end = i + 1 == threads ? bytes : begin + share;
    std::memcpy(to + begin, from + begin, end - begin);
  });
}

// The operations of limits_multiply_add: a multiplication and an addition per lane.
int64_t limits_operations(int64_t rounds, int threads, int is_double) {
  return rounds * threads * 12 * (is_double ? 8 : 16) * 2;
}

void limits_multiply_add(int64_t rounds, int threads, int is_double) {
  on_threads(threads, [=](int) { sink = is_double ? multiply_adds<double>(rounds) : multiply_adds<float>(rounds); });
}
}
