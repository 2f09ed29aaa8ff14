// Pointwise operators. One is a functor on elements plus a record; broadcasting, promotion, conversion, threads and the
// in-place and out= forms are shared. Files that use this header are compiled once per instruction set: the functor's
// loops are made at every level, the record at the first.
#pragma once

#include "base/level.h"
#include "kernels/loops.h"
#include "tensor/plan.h"
#if LB_BASELINE
#include "ops/backward.h"
#include "ops/gradients.h"
#endif

namespace lumbre {

// The functor's loops, by the dtype it computes in (nullptr: not computed in that dtype), at one level.
struct LoopTable {
  Loop loops[kDTypeCount] = {};
  bool to_bool = false;      // the result is bool, whatever is computed
  bool widens_half = false;  // the loops of half types compute in float32, element by element
};

struct LevelTables {
  const LoopTable* levels[kLevelCount];
};

enum class Promotion : uint8_t {
  Common,    // the promoted dtype of the inputs
  Floating,  // the same, integers becoming the default dtype
};

// Sets of dtypes that an operator accepts, as bits.
using DTypeSet = uint16_t;
inline constexpr DTypeSet kAnyDType = (1 << kDTypeCount) - 1;
inline constexpr DTypeSet kBoolDType = 1;
inline constexpr DTypeSet kIntegralDTypes = 0b111111;  // with bool
inline constexpr DTypeSet kFloatingDTypes = kAnyDType & ~kIntegralDTypes;
inline constexpr DTypeSet kNumberDTypes = kAnyDType & ~kBoolDType;
inline constexpr DTypeSet kSingleAndDouble = 0b11 << 8;

}  // namespace lumbre

namespace lumbre {
namespace LB_LEVEL {

template <class... Ts>
struct TypeList {};
// What a functor is instantiated for; other dtypes are converted in blocks: half types through float, integers
// through int64, whose arithmetic wraps to the same bits.
struct Floats {
  using Types = TypeList<float, double>;
};
struct Numbers {
  using Types = TypeList<uint8_t, int32_t, int64_t, float, double>;
};
struct NumbersAndBool {
  using Types = TypeList<bool, uint8_t, int32_t, int64_t, float, double>;
};
// The same with loops of its own for bfloat16, for operations that cost less than a conversion in blocks.
struct FloatsAndBFloat16 {
  using Types = TypeList<BFloat16, float, double>;
  static constexpr bool kWidensHalf = true;
};
struct NumbersAndBFloat16 {
  using Types = TypeList<uint8_t, int32_t, int64_t, BFloat16, float, double>;
  static constexpr bool kWidensHalf = true;
};
struct AllAndBFloat16 {
  using Types = TypeList<bool, uint8_t, int32_t, int64_t, BFloat16, float, double>;
  static constexpr bool kWidensHalf = true;
};
struct Integers {
  using Types = TypeList<uint8_t, int32_t, int64_t>;
};
struct IntegersAndBool {
  using Types = TypeList<bool, uint8_t, int32_t, int64_t>;
};

template <class F, class... Ts>
constexpr LoopTable make_table(TypeList<Ts...>) {
  LoopTable table;
  ((table.loops[static_cast<int>(dtype_of<Ts>)] = &pointwise_loop<F, Ts>), ...);
  table.to_bool = requires { requires F::kToBool; };
  table.widens_half = requires { requires F::kWidensHalf; };
  return table;
}

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
namespace lumbre {

struct PointwiseSpec {
  LevelTables tables;
  size_t context_bytes = 0;    // of the functor, when it has parameters
  const char* name = nullptr;  // for messages
  Promotion promotion = Promotion::Common;
  DTypeSet accepts = kAnyDType;
};

// result = f(inputs...) into `out`. `context` points to the functor (its parameters), or null when it has none.
Tensor pointwise(const PointwiseSpec& spec, const Out& out, std::span<const Operand> inputs,
                 const void* context = nullptr);
inline Tensor pointwise(const PointwiseSpec& spec, const Out& out, std::initializer_list<Operand> inputs,
                        const void* context = nullptr) {
  return pointwise(spec, out, std::span<const Operand>(inputs.begin(), inputs.size()), context);
}

// What a call of pointwise() did, for who writes it down while modes.watched has kRecords: an operator may be no more
// than that.
struct PointwiseCall {
  const PointwiseSpec& spec;
  Loop loop;
  DType common, compute;
  std::span<const Operand> inputs;
  const void* context;
  const Out& out;
  const Tensor& result;
};
extern void (*pointwise_watch)(const PointwiseCall& call);

template <const PointwiseSpec& spec>
Tensor unary_forward(const Out& out, const Tensor& input) {
  return pointwise(spec, out, {input});
}
template <const PointwiseSpec& spec>
Tensor binary_forward(const Out& out, const Tensor& input, Operand other) {
  return pointwise(spec, out, {input, other});
}
template <const PointwiseSpec& spec>
Tensor tensors_forward(const Out& out, const Tensor& input, const Tensor& other) {
  return pointwise(spec, out, {input, other});
}
// Overloads whose first operand is a number.
template <const PointwiseSpec& spec>
Tensor number_forward(const Out& out, Scalar input, const Tensor& other) {
  return pointwise(spec, out, {input, other});
}

}  // namespace lumbre
#endif

// LB_LOOPS(Functor, "name", promotion, accepts) makes the functor's loops at this level and, at the first level, the
// PointwiseSpec `Functor_spec` that runs them at the best one. Use it inside namespace lumbre::LB_LEVEL.
#define LB_TABLE_(F) extern constinit const ::lumbre::LoopTable F##_table = make_table<F>(F::Types{})
#if LB_BASELINE
#if LB_LEVEL_COUNT == 3
#define LB_LOOPS(F, ...)                                                                                           \
  LB_TABLE_(F);                                                                                                    \
  }                                                                                                                \
  namespace v3 {                                                                                                   \
  extern const ::lumbre::LoopTable F##_table;                                                                      \
  }                                                                                                                \
  namespace v4 {                                                                                                   \
  extern const ::lumbre::LoopTable F##_table;                                                                      \
  }                                                                                                                \
  namespace LB_LEVEL {                                                                                             \
  extern constinit const ::lumbre::PointwiseSpec F##_spec {                                                        \
    .tables = {{&F##_table, &v3::F##_table, &v4::F##_table}}, .context_bytes = std::is_empty_v<F> ? 0 : sizeof(F), \
    __VA_ARGS__                                                                                                    \
  }
#else
#define LB_LOOPS(F, ...)                                                                       \
  LB_TABLE_(F);                                                                                \
  extern constinit const ::lumbre::PointwiseSpec F##_spec {                                    \
    .tables = {{&F##_table}}, .context_bytes = std::is_empty_v<F> ? 0 : sizeof(F), __VA_ARGS__ \
  }
#endif
#define LB_RECORD(...) LB_OPERATOR(__VA_ARGS__)
#else
#define LB_LOOPS(F, ...) LB_TABLE_(F)
#define LB_RECORD(...) static_assert(true)
#endif

// A unary operator that is its functor: torch.name, Tensor.name, name_ and out=.
#define LB_UNARY(name, F, slope, text, ...)                                                                        \
  LB_RECORD(.signature = name "(input, *, out=None)", .doc = text, .forward = forward_of<unary_forward<F##_spec>>, \
            .derivative = slope, .forms = kUnaryForms __VA_OPT__(, ) __VA_ARGS__)
// The same for two operands, the second of which may be a number.
#define LB_BINARY(name, F, slope, text, ...)                                      \
  LB_RECORD(.signature = name "(input, other, *, out=None)", .doc = text,         \
            .forward = forward_of<binary_forward<F##_spec>>, .derivative = slope, \
            .forms = kEveryForm __VA_OPT__(, ) __VA_ARGS__)
// Two operands, neither of which may be a number.
#define LB_TENSORS(name, F, slope, text, ...)                             \
  LB_RECORD(.signature = name "(input, other, *, out=None)", .doc = text, \
            .forward = forward_of<tensors_forward<F##_spec>>, .derivative = slope __VA_OPT__(, ) __VA_ARGS__)
