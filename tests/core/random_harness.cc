// core/random behind a C interface, for tests/core/test_random_streams.py.
#include <cstring>
#include <exception>
#include <string>

#include "random/distributions.h"
#include "random/samplers.h"

namespace {
lumbre::Generator generator;
std::string message;

template <class F>
const char* guarded(F&& f) {
  try {
    f();
    return nullptr;
  } catch (const std::exception& error) {
    message = error.what();
    return message.c_str();
  }
}
}  // namespace

using namespace lumbre;

extern "C" {
void seed(uint64_t value) { generator.manual_seed(value); }
void get_state(uint8_t* out) {
  const auto bytes = generator.state();
  std::memcpy(out, bytes.data(), bytes.size());
}
const char* set_state(const uint8_t* bytes, size_t size) {
  return guarded([&] { generator.set_state(bytes, size); });
}
uint32_t next_word() { return generator.random(); }
void words(uint32_t* out, int64_t count) { generator.fill(out, count); }

// Fills `count` elements `step` items apart; a and b are the distribution's parameters.
const char* draw(const char* name, int dtype_number, void* data, int64_t step, int64_t count, double a, double b) {
  return guarded([&] {
    const DType dtype = static_cast<DType>(dtype_number);
    const random::Run run{data, step * static_cast<int64_t>(item_size(dtype)), count};
    const std::string which = name;
    if (which == "uniform") {
      random::check_uniform(dtype, a, b);
      random::uniform(generator, dtype, run, a, b);
    } else if (which == "normal") {
      random::check_normal(b);
      if (step == 1) random::normal_tensor(generator, dtype, data, count, a, b);
      if (step != 1) random::normal(generator, dtype, run, a, b);
    } else if (which == "log_normal") {
      random::check_log_normal(b);
      random::log_normal(generator, dtype, run, a, b);
    } else if (which == "exponential") {
      random::check_exponential(a);
      random::exponential(generator, dtype, run, a);
    } else if (which == "geometric") {
      random::check_geometric(a);
      random::geometric(generator, dtype, run, a);
    } else if (which == "cauchy") {
      random::check_cauchy(dtype, b);
      random::cauchy(generator, dtype, run, a, b);
    } else if (which == "bernoulli") {
      random::check_bernoulli(a);
      random::bernoulli(generator, dtype, run, a);
    } else if (which == "random") {
      random::random_full(generator, dtype, run);
    } else {
      fail(ErrorKind::Value, "no distribution ", which);
    }
  });
}

const char* draw_bernoulli(int dtype, void* data, int64_t count, int p_dtype, const void* p) {
  return guarded([&] {
    const DType type = static_cast<DType>(dtype), p_type = static_cast<DType>(p_dtype);
    random::bernoulli(generator, type, {data, static_cast<int64_t>(item_size(type)), count}, p_type, p,
                      static_cast<int64_t>(item_size(p_type)));
  });
}

const char* draw_range(int dtype, void* data, int64_t step, int64_t count, int64_t from, int64_t to, int has_to) {
  return guarded([&] {
    const DType type = static_cast<DType>(dtype);
    const auto range = random::integer_range(type, from, has_to ? std::optional<int64_t>(to) : std::nullopt);
    random::random_range(generator, type, {data, step * static_cast<int64_t>(item_size(type)), count}, range);
  });
}

const char* permutation(int dtype, void* data, int64_t count) {
  return guarded([&] { random::permutation(generator, static_cast<DType>(dtype), data, count); });
}

const char* multinomial(int dtype, const void* weights, int64_t rows, int64_t categories, int64_t samples,
                        int with_replacement, int64_t* out) {
  return guarded([&] {
    random::multinomial(generator, static_cast<DType>(dtype), weights, rows, categories, samples, with_replacement != 0,
                        out);
  });
}

const char* sample(const char* name, int dtype_number, void* out, int64_t count, const void* a, const void* b) {
  return guarded([&] {
    const DType dtype = static_cast<DType>(dtype_number);
    const int64_t step = static_cast<int64_t>(item_size(dtype));
    const std::string which = name;
    if (which == "poisson") random::poisson(generator, dtype, {out, step, count}, a, step);
    if (which == "binomial") random::binomial(generator, dtype, {out, step, count}, a, step, b, step);
    if (which == "_standard_gamma") random::standard_gamma(generator, dtype, {out, step, count}, a, step);
  });
}
}
