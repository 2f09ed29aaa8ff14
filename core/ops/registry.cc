#include "ops/registry.h"

namespace lumbre {

namespace {
std::vector<const Operator*>& mutable_operators() {
  static std::vector<const Operator*> all;
  return all;
}
}  // namespace

const std::vector<const Operator*>& operators() { return mutable_operators(); }

Registration::Registration(const Operator& record) { mutable_operators().push_back(&record); }

void copy_value(const Value& from, Value& to) {
  to.given = from.given;
  to.kind = from.kind;
  to.scalar = from.scalar;  // the widest member of the union
  if (from.kind == Param::Dims) to.dims = from.dims;
  if (from.lists) {
    to.lists = std::make_unique<Value::Lists>();
    to.lists->string = from.lists->string;
  }
}

Tensor Out::give(Tensor result, int i) const {
  const Tensor* target = targets_[i];
  if (!target) return result;
  if (target->same(result)) return *target;
  LB_CHECK(can_cast(result.dtype(), target->dtype()), Runtime, "result type ", dtype_title(result.dtype()),
           " can't be cast to the desired output type ", dtype_title(target->dtype()));
  if (in_place()) {
    LB_CHECK(result.sizes() == target->sizes(), Runtime, "output with shape ", target->sizes(),
             " doesn't match the broadcast shape ", result.sizes());
  } else if (target->sizes() != result.sizes()) {
    target->resize(result.sizes());
  }
  target->copy_from(result);
  target->bump_version();
  return *target;
}

Result detail::give_all(const Out& out, Result result) {
  if (auto* tensor = std::get_if<Tensor>(&result)) return out.give(std::move(*tensor));
  if (auto* tensors = std::get_if<std::vector<Tensor>>(&result))
    for (size_t i = 0; i < tensors->size(); ++i)
      (*tensors)[i] = out.give(std::move((*tensors)[i]), static_cast<int>(i));
  return result;
}

}  // namespace lumbre
