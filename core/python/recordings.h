// Recordings of torch.compile as Python sees them: when one may be run again, what it is given and what it gives.
#pragma once

#include <memory>
#include <vector>

#include "compile/recorder.h"
#include "python/objects.h"

namespace lumbre::python {

// The mark of an attribute or a global that is not there. Borrowed.
PyObject* absent();

// Numbers, text and names are the same when they are equal, everything else when it is identical.
bool same_value(PyObject* a, PyObject* b);

// A part of the program's state that Python may have read while it ran: the recording holds as long as it is so.
class Guard {
 public:
  // (kind, subject, names or None, values), as lumbre/_compile/state.py gathers them.
  explicit Guard(PyObject* description);
  bool holds() { return unchanged() || still_holds(); }
  int visit(visitproc visit, void* arg) const;

 private:
  // What tells at once that nothing was touched.
  bool unchanged() const;
  bool still_holds();
  // Dict: some entries of a dictionary. Whole: all of them, in their order.
  enum class Kind : uint8_t { Dict, List, Set, Type, Cell, Function, Attribute, Whole };
  bool dict_holds();
  bool entries_hold() const;
  bool all_entries_hold() const;
  bool values_hold(PyObject* const* items, Py_ssize_t count) const;

  Kind kind_;
  Object subject_, names_, values_;
  uint64_t version_ = 0;
};

// What an argument must be like. Tensors are new at every call; numbers and containers must be equal, other objects
// identical.
class Pattern {
 public:
  Pattern(PyObject* object, compile::Recorder& recorder);
  // Puts the tensors into their slots.
  bool matches(PyObject* object, compile::Tape& tape) const;
  int visit(visitproc visit, void* arg) const;

 private:
  enum class Kind : uint8_t { Tensor, Value, Tuple, List, Dict };
  bool tensor_matches(PyObject* object, compile::Tape& tape) const;

  Kind kind_ = Kind::Value;
  Object expected_;  // the value; a tensor's or a container's type
  compile::Slot slot_ = compile::kNone;
  bool first_ = true;  // the slot's first argument; another must be the same tensor
  bool has_gradient_ = false;
  compile::Facts facts_, gradient_;
  std::vector<Object> keys_;
  std::vector<Pattern> parts_;
};

// The result: tensors of the run in new containers, and values that do not change.
class Template {
 public:
  // ("slot", number), ("value", object), ("tuple" | "list", parts), ("dict", keys, parts), ("call", type, parts)
  explicit Template(PyObject* description);
  Object build(const compile::Tape& tape) const;
  void note_slots(std::vector<compile::Slot>& slots) const;
  int visit(visitproc visit, void* arg) const;

 private:
  enum class Kind : uint8_t { Slot, Value, Tuple, List, Dict, Call };
  Kind kind_;
  compile::Slot slot_ = compile::kNone;
  Object value_;  // or the type that is called
  std::vector<Object> keys_;
  std::vector<Template> parts_;
};

// One way in which a function ran.
class Recording {
 public:
  Recording(std::vector<Pattern> positional, std::vector<Object> names, std::vector<Pattern> named);

  compile::Tape tape;
  std::vector<Guard> guards;
  std::unique_ptr<Template> result;

  // Whether this call is the one that was recorded; if so, its tensors are in place.
  bool matches(PyObject* const* arguments, size_t count, PyObject* names);
  // New reference; throws what the steps throw.
  PyObject* run();
  bool busy() const { return busy_; }
  int visit(visitproc visit, void* arg) const;

 private:
  bool arguments_match(PyObject* const* arguments, size_t count, PyObject* names);

  std::vector<Pattern> positional_, named_;
  std::vector<Object> names_;
  bool asked_, inference_;
  DType default_dtype_;
  bool busy_ = false;
};

// Whether calls go straight to the engine: no mode, hook or watcher is to see them first.
bool nothing_intervenes();

}  // namespace lumbre::python
