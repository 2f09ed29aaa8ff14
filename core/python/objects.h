// The Python objects of the extension module and how they are made from, and give back, the engine's values.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <string>

#include "ops/registry.h"

namespace lumbre::python {

// Thrown when a Python exception is already set.
struct PythonError {};

// Owns one reference.
class Object {
 public:
  Object() noexcept = default;
  static Object steal(PyObject* object) {
    if (!object) throw PythonError{};
    return Object(object);
  }
  static Object borrow(PyObject* object) noexcept {
    Py_XINCREF(object);
    return Object(object);
  }
  Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Object(const Object& other) noexcept : object_(other.object_) { Py_XINCREF(object_); }
  Object& operator=(Object other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Object() { Py_XDECREF(object_); }
  PyObject* get() const noexcept { return object_; }
  PyObject* release() noexcept { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  explicit Object(PyObject* object) noexcept : object_(object) {}
  PyObject* object_ = nullptr;
};

// Sets the Python exception for the C++ exception in flight. Call inside a catch (...).
void set_python_error() noexcept;
PyObject* linear_algebra_error();  // torch.linalg.LinAlgError, borrowed

// Runs f and turns exceptions into Python's; f returns a PyObject* (or an int, -1 on error).
template <class F>
auto guarded(F&& f) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_python_error();
    if constexpr (std::is_pointer_v<decltype(f())>)
      return nullptr;
    else
      return -1;
  }
}

struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject* attributes;
  PyObject* weak_references;
};

extern PyTypeObject* tensor_type;

inline bool is_exact_tensor(PyObject* object) { return Py_TYPE(object) == tensor_type; }
inline bool is_tensor(PyObject* object) {
  return is_exact_tensor(object) || PyType_IsSubtype(Py_TYPE(object), tensor_type);
}
inline const Tensor& tensor_of(PyObject* object) { return reinterpret_cast<TensorObject*>(object)->tensor; }

// Tensors come to the cycle collector's notice when they may be part of a cycle: not as long as they own nothing.
inline void track(PyObject* object) {
  if (!PyObject_GC_IsTracked(object)) PyObject_GC_Track(object);
}

// The Python object of a tensor: the one that stands for it already, or a new one. New reference.
PyObject* wrap(Tensor tensor);
// A new object of a subclass for a tensor that has no object yet, or a view-alias of it when it has. New reference.
PyObject* wrap_as(PyTypeObject* type, const Tensor& tensor);
// A result of an access to `self` that no operator makes (an index, `.T`): subclasses keep their class, unless they
// say that they compute as plain tensors. New reference.
PyObject* wrap_like(PyObject* self, const Tensor& tensor);

// dtypes, layouts, memory formats: one immortal object each.
PyObject* dtype_object(DType dtype);  // borrowed
bool is_dtype(PyObject* object);
DType dtype_of_object(PyObject* object);              // the object is a dtype
PyObject* memory_format_object(MemoryFormat format);  // borrowed
bool is_memory_format(PyObject* object);
MemoryFormat memory_format_of(PyObject* object);
bool is_layout(PyObject* object);
bool is_strided_layout(PyObject* object);
PyObject* strided_layout();  // borrowed
void set_printed_prefix(const std::string& prefix);
const std::string& printed_prefix();

PyObject* size_object(const Dims& sizes);  // new reference: torch.Size
PyObject* scalar_object(Scalar scalar);    // new reference
PyObject* cpu_device();                    // borrowed
// Accepts None, "cpu", a device object; throws for what this machine does not have.
void check_device(PyObject* object);

struct GeneratorObject {
  PyObject_HEAD Generator* generator;
  PyObject* weak_references;
};
bool is_generator(PyObject* object);
Generator& generator_of(PyObject* object);

// Numbers and sequences from Python, with PyTorch's leniency.
bool is_number(PyObject* object);                  // bool, int, float, and NumPy's
bool to_scalar(PyObject* object, Scalar& scalar);  // false when it is not a number
bool to_int(PyObject* object, int64_t& value);
bool to_dims(PyObject* object, Dims& dims);  // a sequence of integers
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool copy);
PyObject* to_list(const Tensor& tensor);

// The Python value of an operator's result. `names` are the fields of a tuple of several tensors.
PyObject* result_object(Result&& result, PyObject* fields_type);

// Registration of the parts, called once by the module.
void add_dtypes(PyObject* module);
void add_tensor_type(PyObject* module);
void add_functions(PyObject* module);
void add_generator(PyObject* module);
void add_bridges(PyObject* module);
void add_controls(PyObject* module);
void add_autograd(PyObject* module);
void add_network(PyObject* module);
void add_grad_mode(PyObject* module);
void add_watching(PyObject* module);
void add_compiling(PyObject* module);

PyObject* get_item(PyObject* self, PyObject* index);
int set_item(PyObject* self, PyObject* index, PyObject* value);

// NumPy, loaded when first needed.
bool numpy_is_loaded();
bool is_numpy_array(PyObject* object);
bool is_numpy_scalar(PyObject* object);
Tensor tensor_from_numpy(PyObject* array, bool warn_read_only);

}  // namespace lumbre::python
