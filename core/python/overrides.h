// __torch_function__: what subclasses of Tensor, other classes and modes do in place of an operator.
#pragma once

#include <algorithm>
#include <array>

#include "python/objects.h"

namespace lumbre::python {

struct OverrideState {
  int subclasses_off = 0;   // depth of the blocks in which subclasses are computed with as plain tensors
  int all_off = 0;          // ... and modes are passed over too
  bool mode_waits = false;  // the stack has a mode that the next call goes to
};
extern constinit thread_local OverrideState override_state __attribute__((tls_model("initial-exec")));

// Whether a type says itself what operators do on its objects.
bool has_override(PyObject* object);
bool any_override(PyObject* const* arguments, size_t total);

inline bool is_overridden(PyObject* const* arguments, size_t total) {
  if (__builtin_expect(override_state.mode_waits, 0)) return true;
  if (override_state.subclasses_off > 0) return false;
  for (size_t i = 0; i < total; ++i) {
    PyObject* object = arguments[i];
    if (!is_exact_tensor(object) && !PyLong_CheckExact(object) && !PyFloat_CheckExact(object))
      return any_override(arguments + i, total - i);
  }
  return false;
}
// Of a method or property of `self`.
inline bool is_overridden(PyObject* self) {
  if (__builtin_expect(is_exact_tensor(self) && !override_state.mode_waits, 1)) return false;
  return is_overridden(&self, 1);
}

// Asks the topmost mode, then the arguments' types, subclasses before their bases. `keywords` are names, as in a
// vectorcall. New reference; TypeError where all of them decline.
PyObject* dispatch_override(PyObject* callable, PyObject* const* arguments, size_t count, PyObject* keywords);
PyObject* dispatch_method(const char* name, PyObject* const* arguments, size_t count, PyObject* keywords = nullptr);

template <size_t N>
struct Text {  // a string as a template argument
  char value[N];
  constexpr Text(const char (&s)[N]) { std::copy_n(s, N, value); }
};

// Methods of the Tensor type that are no operators, by the form in which C takes their arguments.
template <Text name, PyObject* (*function)(PyObject*, PyObject*)>
PyObject* no_arguments(PyObject* self, PyObject*) {
  if (!is_overridden(self)) return function(self, nullptr);
  return guarded([&] { return dispatch_method(name.value, &self, 1); });
}
template <Text name, PyObject* (*function)(PyObject*, PyObject*)>
PyObject* one_argument(PyObject* self, PyObject* other) {
  if (!is_overridden(self)) return function(self, other);
  return guarded([&] { return dispatch_method(name.value, std::array{self, other}.data(), 2); });
}
PyObject* dispatch_spread(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names);
template <Text name, PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*)>
PyObject* fast_arguments(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (!is_overridden(self)) return function(self, args, count, names);
  return dispatch_spread(name.value, self, args, count, names);
}

// The same properties, each asking first whether it is overridden; `count` entries without the end.
PyGetSetDef* overridable_properties(PyGetSetDef* properties, size_t count);

void add_overrides(PyObject* module);

}  // namespace lumbre::python
