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

void copy_lists(const Value& from, Value& to) { to.own_lists().string = from.lists->string; }

namespace {
constexpr size_t kIdleLists = 16, kIdleMembers = 64;
std::array<std::unique_ptr<Value::Lists>, kIdleLists> idle_lists;
size_t idle_list_count = 0;
}  // namespace

Value::Lists& Value::own_lists() {
  if (idle_list_count > 0)
    lists.reset(idle_lists[--idle_list_count].release());
  else
    lists.reset(std::make_unique<Lists>().release());
  return *lists;
}

void Value::GiveUp::operator()(Lists* list) const noexcept {
  std::unique_ptr<Lists> owned(list);
  list->string.clear();
  list->tensors.clear();  // may run code of Python's, which may come here
  if (idle_list_count == kIdleLists || list->tensors.capacity() > kIdleMembers) return;
  idle_lists[idle_list_count++] = std::move(owned);
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
