#include "ops/pointwise.h"

#include <algorithm>

#include "base/cpu.h"

namespace lumbre {

namespace {

const LoopTable& table_of(const PointwiseSpec& spec) {
  static const int level = std::min(best_level(), kLevelCount - 1);
  return *spec.tables.levels[level];
}

void check_in_place(const Tensor& target, std::span<const Operand> inputs) {
  Dims sizes = target.sizes();
  for (const Operand& input : inputs)
    if (input.is_tensor()) sizes = broadcast_sizes(sizes, input.tensor().sizes());
  LB_CHECK(sizes == target.sizes(), Runtime, "output with shape ", target.sizes(),
           " doesn't match the broadcast shape ", sizes);
}

// Sizes that do not fit are the first complaint, as in PyTorch; then the dtype.
[[noreturn]] void refuse_dtype(const PointwiseSpec& spec, const Out& out, std::span<const Operand> inputs,
                               DType common) {
  if (out.in_place()) check_in_place(*out.target(), inputs);
  Dims sizes;
  for (const Operand& input : inputs)
    if (input.is_tensor()) sizes = broadcast_sizes(sizes, input.tensor().sizes());
  fail(ErrorKind::NotImplemented, "\"", spec.name, "\" not implemented for '", dtype_title(common), "'");
}

// The dtype to compute in for a promoted dtype: itself where the functor has it, else a wider one of its kind. Numbers
// beside half types are taken in float32.
DType compute_dtype(const PointwiseSpec& spec, const Out& out, std::span<const Operand> inputs, const LoopTable& table,
                    DType common) {
  const bool wide_number = table.widens_half && is_half(common) &&
                           std::any_of(inputs.begin(), inputs.end(), [](const Operand& x) { return !x.is_tensor(); });
  if (table.loops[static_cast<int>(common)] && !wide_number) return common;
  const DType wider = is_half(common) ? DType::Float32 : is_floating(common) ? DType::Float64 : DType::Int64;
  if (!table.loops[static_cast<int>(wider)]) refuse_dtype(spec, out, inputs, common);
  return wider;
}

// Whether an operand leaves the dtype of a tensor beside it as it is: a tensor of the same, or a number of no higher
// kind.
bool keeps_dtype(const Operand& operand, DType dtype) {
  if (operand.is_tensor()) return operand.tensor().dtype() == dtype;
  if (is_floating(dtype)) return true;
  return operand.scalar().is_bool() || (dtype != DType::Bool && !operand.scalar().is_float());
}

DType promoted(const PointwiseSpec& spec, const Out& out, std::span<const Operand> inputs) {
  DType common;
  bool same = inputs[0].is_tensor();
  if (same) {
    common = inputs[0].tensor().dtype();
    for (const Operand& input : inputs.subspan(1)) same &= keeps_dtype(input, common);
  }
  if (!same) {
    PromotionState state;
    for (const Operand& input : inputs) {
      if (input.is_tensor())
        state.add(input.tensor());
      else
        state.add(input.scalar());
    }
    common = state.result();
  }
  if (spec.promotion == Promotion::Floating && !is_floating(common)) common = default_dtype();
  if (!(spec.accepts >> static_cast<int>(common) & 1)) refuse_dtype(spec, out, inputs, common);
  return common;
}

// Contiguous tensors of one size and dtype (numbers allowed beside them) into a new result: no plan is needed.
bool try_direct(const LoopTable& table, std::span<const Operand> inputs, DType common, Loop loop, const void* context,
                const Out& out, Tensor& result) {
  if (out.form() == Out::Form::Given) return false;
  const Tensor* first = nullptr;
  char* data[4];
  int64_t strides[4];
  alignas(8) char numbers[3][8];
  const auto step = static_cast<int64_t>(item_size(common));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_tensor()) {
      const Tensor& tensor = inputs[i].tensor();
      if (tensor.dtype() != common || !tensor.is_contiguous()) return false;
      if (!first)
        first = &tensor;
      else if (tensor.get() != first->get() && !(tensor.sizes() == first->sizes()))
        return false;
      data[i + 1] = tensor.bytes();
      strides[i + 1] = step;
    } else {
      visit_dtype(common, [&]<class T>(T) {
        const T value = inputs[i].scalar().to<T>();
        std::memcpy(numbers[i], &value, sizeof(T));
      });
      data[i + 1] = numbers[i];
      strides[i + 1] = 0;
    }
  }
  if (!first || first->count() > kGrain) return false;
  if (out.in_place()) {
    // Another tensor over the same memory needs the overlap check of the plan.
    if (!out.target()->same(*first) || table.to_bool) return false;
    for (const Operand& input : inputs)
      if (input.is_tensor() && !input.tensor().same(*first) && input.tensor().shares_storage(*first)) return false;
    result = *first;
    result.bump_version();
  } else {
    result = Tensor::empty_as(*first, table.to_bool ? DType::Bool : common);
  }
  data[0] = result.bytes();
  strides[0] = table.to_bool ? 1 : step;
  loop(data, strides, first->count(), context);
  return true;
}

bool watched() { return __builtin_expect(autograd::modes.watched & autograd::kRecords, 0) && pointwise_watch; }

// Everything that try_direct does not take. Not inlined: a plan's frame would be set up for small tensors too.
[[gnu::noinline]] Tensor run_plan(const PointwiseSpec& spec, const LoopTable& table, const Out& out,
                                  std::span<const Operand> inputs, DType common, DType compute, const void* context) {
  const Loop loop = table.loops[static_cast<int>(compute)];
  const DType result_dtype = table.to_bool ? DType::Bool : common;
  const Tensor* target = out.target();
  Plan plan;
  if (target) {
    if (out.in_place() && !can_cast(result_dtype, target->dtype())) check_in_place(*target, inputs);
    LB_CHECK(can_cast(result_dtype, target->dtype()), Runtime, "result type ", dtype_title(result_dtype),
             " can't be cast to the desired output type ", dtype_title(target->dtype()));
    if (!out.in_place()) {
      Dims sizes;
      bool first = true;
      for (const Operand& input : inputs) {
        if (!input.is_tensor()) continue;
        sizes = first ? input.tensor().sizes() : broadcast_sizes(sizes, input.tensor().sizes());
        first = false;
      }
      if (target->sizes() != sizes) target->resize(sizes);
    }
    plan.add_output(*target);
  } else {
    plan.add_new_output(result_dtype);
  }
  DType dtypes[Plan::kMaxOperands] = {table.to_bool ? DType::Bool : compute};
  int count = 1;
  for (const Operand& input : inputs) {
    dtypes[count++] = compute;
    if (input.is_tensor()) {
      plan.add_input(input.tensor());
    } else {
      // A number is rounded to the common dtype first, as if it were a tensor of it; half types compute in float32.
      visit_dtype(compute, [&]<class T>(T) {
        const T value = input.scalar().to<T>();
        plan.add_constant(&value, compute);
      });
    }
  }
  if (target)
    plan.build_fixed(spec.name);
  else
    plan.build(spec.name);
  plan.run_elementwise(loop, std::span<const DType>(dtypes, count), context);
  if (target) target->bump_version();
  return plan.output();
}

}  // namespace

void (*pointwise_watch)(const PointwiseCall& call) = nullptr;

Tensor pointwise(const PointwiseSpec& spec, const Out& out, std::span<const Operand> inputs, const void* context) {
  const LoopTable& table = table_of(spec);
  const DType common = promoted(spec, out, inputs);
  const DType compute = compute_dtype(spec, out, inputs, table, common);
  const Loop loop = table.loops[static_cast<int>(compute)];
  Tensor result;
  if (compute != common || !try_direct(table, inputs, common, loop, context, out, result))
    result = run_plan(spec, table, out, inputs, common, compute, context);
  if (watched()) pointwise_watch({spec, loop, common, compute, inputs, context, out, result});
  return result;
}

}  // namespace lumbre
