// Numbers and nested sequences from Python into tensors, and back.
#include <cmath>

#include "compile/recorder.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

// What a nested sequence holds: its sizes and the dtype that its numbers ask for.
struct Inference {
  Dims sizes;
  std::optional<DType> dtype;
  void note(DType found) { dtype = dtype ? promote_types(*dtype, found) : found; }
};

bool is_sequence(PyObject* object) {
  return PyList_Check(object) || PyTuple_Check(object) ||
         (PySequence_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object) && !is_tensor(object));
}

Tensor element_tensor(PyObject* object) {
  compile::note_read("a new tensor of its elements");
  return is_tensor(object) ? tensor_of(object) : tensor_from_numpy(object, false);
}
bool is_array_like(PyObject* object) { return is_tensor(object) || is_numpy_array(object); }

DType number_dtype(PyObject* object) {
  if (PyFloat_CheckExact(object)) return default_dtype();
  if (PyBool_Check(object)) return DType::Bool;
  if (PyLong_Check(object)) return DType::Int64;
  if (is_numpy_scalar(object)) return tensor_from_numpy(object, false).dtype();
  if (PyFloat_Check(object)) return default_dtype();
  if (PyComplex_Check(object)) fail(ErrorKind::NotImplemented, "Lumbre has no complex tensors yet");
  fail(PyUnicode_Check(object) || PyBytes_Check(object) || PyDict_Check(object) ? ErrorKind::Type : ErrorKind::Runtime,
       PyUnicode_Check(object) ? "new(): invalid data type '" : "Could not infer dtype of ", Py_TYPE(object)->tp_name,
       PyUnicode_Check(object) ? "'" : "");
}

void infer_sizes_of(PyObject* data, Inference& inference) {
  PyObject* at = data;
  Object keep;
  while (!is_array_like(at) && is_sequence(at)) {
    const Py_ssize_t length = PySequence_Size(at);
    if (length < 0) throw PythonError{};
    inference.sizes.push_back(length);
    LB_CHECK(inference.sizes.ndim() <= 128, Value, "too many dimensions '", Py_TYPE(at)->tp_name, "'");
    if (length == 0) return;
    keep = Object::steal(PySequence_GetItem(at, 0));
    LB_CHECK(keep.get() != at, Value, "too many dimensions '", Py_TYPE(at)->tp_name, "'");
    at = keep.get();
  }
  if (is_array_like(at))
    for (int64_t size : element_tensor(at).sizes()) inference.sizes.push_back(size);
}

void infer_dtype(PyObject* data, Inference& inference, int depth) {
  if (is_array_like(data)) return inference.note(element_tensor(data).dtype());
  if (!is_sequence(data)) return inference.note(number_dtype(data));
  LB_CHECK(depth <= 128, Value, "too many dimensions '", Py_TYPE(data)->tp_name, "'");
  Object fast = Object::steal(PySequence_Fast(data, "not a sequence"));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i)
    infer_dtype(PySequence_Fast_GET_ITEM(fast.get(), i), inference, depth + 1);
}

int64_t checked_integer(PyObject* object) {
  int overflow;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (value == -1 && PyErr_Occurred()) throw PythonError{};
  LB_CHECK(overflow == 0, Runtime, "Overflow when unpacking long long");
  return value;
}

template <class T>
T element(PyObject* object) {
  if constexpr (std::is_same_v<T, bool>) {
    const int truth = PyObject_IsTrue(object);
    if (truth < 0) throw PythonError{};
    return truth != 0;
  } else if constexpr (std::is_floating_point_v<T> || is_half_type<T>) {
    const double value = PyFloat_CheckExact(object) ? PyFloat_AS_DOUBLE(object) : PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) throw PythonError{};
    if constexpr (is_half_type<T>)
      return T(static_cast<float>(value));
    else
      return static_cast<T>(value);
  } else {
    int64_t value;
    if (PyLong_Check(object)) {
      value = checked_integer(object);
    } else if (PyFloat_Check(object)) {
      const double real = PyFloat_AS_DOUBLE(object);
      LB_CHECK(std::isfinite(real), Runtime, "cannot convert float ", real, " to integer");
      value = Scalar(real).as_int();
    } else {
      Object number = Object::steal(PyNumber_Long(object));
      value = checked_integer(number.get());
    }
    // uint8 takes negative numbers down to -255 and wraps them; everything else that does not fit is refused.
    if constexpr (sizeof(T) < 8)
      LB_CHECK(value >= std::numeric_limits<T>::lowest() - (std::is_unsigned_v<T> ? int64_t{255} : 0) &&
                   value <= std::numeric_limits<T>::max(),
               Runtime, "value cannot be converted to type ", dtype_name(dtype_of<T>), " without overflow");
    return static_cast<T>(value);
  }
}

class Filler {
 public:
  explicit Filler(const Tensor& target) : target_(target) {}

  template <class T>
  void fill(PyObject* data, int dim, T*& at) {
    const Dims& sizes = target_.sizes();
    if (is_array_like(data)) return copy_tensor(element_tensor(data), dim, at);
    if (dim == sizes.ndim()) {
      LB_CHECK(!is_sequence(data), Value, "expected a number at dim ", dim, " (got a sequence)");
      number_dtype(data);
      *at++ = element<T>(data);
      return;
    }
    LB_CHECK(is_sequence(data), Type, "expected a sequence of length ", sizes[dim], " at dim ", dim, " (got ",
             Py_TYPE(data)->tp_name, ")");
    Object fast = Object::steal(PySequence_Fast(data, "not a sequence"));
    const Py_ssize_t length = PySequence_Fast_GET_SIZE(fast.get());
    LB_CHECK(length == sizes[dim], Value, "expected sequence of length ", sizes[dim], " at dim ", dim, " (got ", length,
             ")");
    for (Py_ssize_t i = 0; i < length; ++i) fill(PySequence_Fast_GET_ITEM(fast.get(), i), dim + 1, at);
  }

 private:
  template <class T>
  void copy_tensor(const Tensor& source, int dim, T*& at) {
    const Dims rest(std::span<const int64_t>(target_.sizes().begin() + dim, target_.sizes().end()));
    LB_CHECK(source.sizes() == rest || (source.count() == 1 && rest.empty()), Value, "expected a tensor of size ", rest,
             " at dim ", dim, " (got ", source.sizes(), ")");
    const Tensor converted = source.to(dtype_of<T>).contiguous();
    std::copy_n(converted.as<T>(), converted.count(), at);
    at += converted.count();
  }
  const Tensor& target_;
};

// One flat list of plain numbers of one kind: no inference by recursion.
bool try_flat(PyObject* data, std::optional<DType> wanted, Tensor& result) {
  if (!PyList_CheckExact(data)) return false;
  const Py_ssize_t length = PyList_GET_SIZE(data);
  if (length == 0) return false;
  PyObject** items = PySequence_Fast_ITEMS(data);
  bool floats = true, integers = true;
  for (Py_ssize_t i = 0; i < length; ++i) {
    floats &= PyFloat_CheckExact(items[i]);
    integers &= PyLong_CheckExact(items[i]);
  }
  if (floats) {
    const DType dtype = wanted.value_or(default_dtype());
    if (dtype != DType::Float32 && dtype != DType::Float64) return false;
    result = Tensor::empty(Dims{length}, dtype);
    const auto fill = [&]<class T>(T* to) {
      for (Py_ssize_t i = 0; i < length; ++i) to[i] = static_cast<T>(PyFloat_AS_DOUBLE(items[i]));
    };
    if (dtype == DType::Float32)
      fill(result.as<float>());
    else
      fill(result.as<double>());
    return true;
  }
  if (integers && wanted.value_or(DType::Int64) == DType::Int64) {
    result = Tensor::empty(Dims{length}, DType::Int64);
    int64_t* const to = result.as<int64_t>();
    for (Py_ssize_t i = 0; i < length; ++i) to[i] = checked_integer(items[i]);
    return true;
  }
  return false;
}

template <class T>
PyObject* element_object(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return PyBool_FromLong(value);
  else if constexpr (is_half_type<T>)
    return PyFloat_FromDouble(static_cast<float>(value));
  else if constexpr (std::is_floating_point_v<T>)
    return PyFloat_FromDouble(value);
  else
    return PyLong_FromLongLong(value);
}

template <class T>
PyObject* list_of(const Tensor& tensor, const T* at, int dim) {
  if (dim == tensor.ndim()) return element_object(*at);
  const int64_t size = tensor.sizes()[dim], stride = tensor.strides()[dim];
  Object list = Object::steal(PyList_New(size));
  for (int64_t i = 0; i < size; ++i) {
    PyObject* item = list_of(tensor, at + i * stride, dim + 1);
    if (!item) throw PythonError{};
    PyList_SET_ITEM(list.get(), i, item);
  }
  return list.release();
}

}  // namespace

bool is_number(PyObject* object) { return PyFloat_Check(object) || PyLong_Check(object) || is_numpy_scalar(object); }

bool to_scalar(PyObject* object, Scalar& scalar) {
  if (PyFloat_Check(object)) {
    scalar = Scalar(PyFloat_AS_DOUBLE(object));
  } else if (PyBool_Check(object)) {
    scalar = Scalar(object == Py_True);
  } else if (PyLong_Check(object)) {
    scalar = Scalar(checked_integer(object));
  } else if (is_numpy_scalar(object)) {
    scalar = tensor_from_numpy(object, false).item();
  } else {
    return false;
  }
  return true;
}

bool to_int(PyObject* object, int64_t& value) {
  if (PyLong_Check(object)) {
    value = checked_integer(object);
    return true;
  }
  if (is_tensor(object)) {
    const Tensor& tensor = tensor_of(object);
    if (tensor.count() != 1 || !is_integral(tensor.dtype(), false)) return false;
    compile::note_read("a tensor that serves as a number");
    value = tensor.item().as_int();
    return true;
  }
  if (PyFloat_Check(object) || !PyIndex_Check(object)) return false;
  Object index = Object::steal(PyNumber_Index(object));
  value = checked_integer(index.get());
  return true;
}

bool to_dims(PyObject* object, Dims& dims) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  dims.resize(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(object, i);
    if (PyBool_Check(item) || !to_int(item, dims[static_cast<size_t>(i)])) return false;
  }
  return true;
}

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool copy) {
  Tensor flat;
  if (try_flat(data, dtype, flat)) return flat;
  if (is_array_like(data) || is_numpy_scalar(data)) {
    if (!is_tensor(data) || copy) compile::note_read("a new tensor of its elements");
    Tensor source = is_tensor(data) ? tensor_of(data) : tensor_from_numpy(data, !copy);
    Tensor result = dtype ? source.to(*dtype) : source;
    return copy && result.same(source) ? source.clone() : result;
  }
  Inference inference;
  infer_sizes_of(data, inference);
  if (!dtype) {
    infer_dtype(data, inference, 0);
    dtype = inference.dtype.value_or(default_dtype());
  }
  Tensor result = Tensor::empty(inference.sizes, *dtype);
  visit_dtype(*dtype, [&]<class T>(T) {
    T* at = result.as<T>();
    Filler(result).fill(data, 0, at);
  });
  return result;
}

PyObject* to_list(const Tensor& tensor) {
  return visit_dtype(tensor.dtype(), [&]<class T>(T) { return list_of(tensor, tensor.as<T>(), 0); });
}

PyObject* scalar_object(Scalar scalar) {
  switch (scalar.kind()) {
    case Scalar::Kind::Bool:
      return PyBool_FromLong(scalar.as_bool());
    case Scalar::Kind::Int:
      return PyLong_FromLongLong(scalar.as_int());
    case Scalar::Kind::Float:
      return PyFloat_FromDouble(scalar.as_double());
  }
  return nullptr;
}

}  // namespace lumbre::python
