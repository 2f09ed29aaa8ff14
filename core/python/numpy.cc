// The NumPy bridge: both ways without a copy. NumPy itself is loaded when first needed.
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include "autograd/modes.h"
#include "compile/recorder.h"
#include "python/objects.h"

#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

namespace lumbre::python {

namespace {

bool loaded = false;

void load_numpy() {
  if (loaded) return;
  if (_import_array() < 0) {
    PyErr_Clear();
    fail(ErrorKind::Runtime, "Numpy is not available");
  }
  loaded = true;
}

int numpy_type(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return NPY_BOOL;
    case DType::UInt8:
      return NPY_UINT8;
    case DType::Int8:
      return NPY_INT8;
    case DType::Int16:
      return NPY_INT16;
    case DType::Int32:
      return NPY_INT32;
    case DType::Int64:
      return NPY_INT64;
    case DType::Float16:
      return NPY_FLOAT16;
    case DType::BFloat16:
      fail(ErrorKind::Type, "Got unsupported ScalarType BFloat16");
    case DType::Float32:
      return NPY_FLOAT32;
    case DType::Float64:
      return NPY_FLOAT64;
  }
  fail(ErrorKind::Type, "unknown dtype");
}

DType dtype_from(int type, PyArray_Descr* descriptor) {
  switch (type) {
    case NPY_BOOL:
      return DType::Bool;
    case NPY_UINT8:
      return DType::UInt8;
    case NPY_INT8:
      return DType::Int8;
    case NPY_INT16:
      return DType::Int16;
    case NPY_INT32:
      return DType::Int32;
    case NPY_LONG:
      return sizeof(long) == 8 ? DType::Int64 : DType::Int32;
    case NPY_LONGLONG:
      return DType::Int64;
    case NPY_FLOAT16:
      return DType::Float16;
    case NPY_FLOAT32:
      return DType::Float32;
    case NPY_FLOAT64:
      return DType::Float64;
    default:
      break;
  }
  Object name = Object::steal(PyObject_Str(reinterpret_cast<PyObject*>(descriptor->typeobj)));
  Object bare = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(descriptor->typeobj), "__name__"));
  fail(ErrorKind::Type, "can't convert np.ndarray of type numpy.", PyUnicode_AsUTF8(bare.get()),
       ". The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
       "uint64, uint32, uint16, uint8, and bool.");
}

// The storage keeps the array alive; the last tensor may go on any thread, so the lock is taken first.
void release_array(void* array) noexcept {
  const PyGILState_STATE state = PyGILState_Ensure();
  Py_DECREF(static_cast<PyObject*>(array));
  PyGILState_Release(state);
}

Tensor share(PyArrayObject* array, bool warn_read_only) {
  const int ndim = PyArray_NDIM(array);
  PyArray_Descr* descriptor = PyArray_DESCR(array);
  LB_CHECK(PyArray_ISNOTSWAPPED(array), Value,
           "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
           "currently not supported.");
  const DType dtype = dtype_from(descriptor->type_num, descriptor);
  const auto item = static_cast<int64_t>(item_size(dtype));
  Dims sizes, strides;
  sizes.resize(static_cast<size_t>(ndim));
  strides.resize(static_cast<size_t>(ndim));
  for (int d = 0; d < ndim; ++d) {
    sizes[d] = PyArray_DIM(array, d);
    const int64_t bytes = PyArray_STRIDE(array, d);
    LB_CHECK(bytes >= 0, Value,
             "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
             "currently supported. (You can probably work around this by making a copy of your array  with "
             "array.copy().) ");
    LB_CHECK(bytes % item == 0, Value,
             "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate "
             "the memory.");
    strides[d] = bytes / item;
  }
  if (warn_read_only && !PyArray_ISWRITEABLE(array) &&
      PyErr_WarnEx(PyExc_UserWarning,
                   "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This "
                   "means writing to this tensor will result in undefined behavior. You may want to copy the array to "
                   "protect its data or make it writable before converting it to a tensor. This type of warning will "
                   "be suppressed for the rest of this program.",
                   1) < 0)
    throw PythonError{};
  const auto bytes = static_cast<size_t>(reach(sizes, strides) * item);
  Py_INCREF(array);
  return Tensor::over(Storage::adopt(PyArray_DATA(array), bytes, release_array, array), dtype, std::move(sizes),
                      std::move(strides), 0);
}

PyObject* from_numpy(PyObject*, PyObject* object) {
  compile::note_read("from_numpy");
  return guarded([&]() -> PyObject* {
    if (!is_numpy_array(object)) {
      load_numpy();
      LB_CHECK(PyArray_Check(object), Type, "expected np.ndarray (got ", Py_TYPE(object)->tp_name, ")");
    }
    const Tensor result = share(reinterpret_cast<PyArrayObject*>(object), true);
    result->inference = autograd::modes.inference;
    return wrap(result);
  });
}

// Where gradients are recorded, writing through an array would go unnoticed.
void check_may_share(const Tensor& t) {
  LB_CHECK(!t->requires_grad || !autograd::grad_enabled(), Runtime,
           "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
}

Object array_over(PyObject* owner, const Tensor& t) {
  npy_intp sizes[kMaxDims], strides[kMaxDims];
  const auto item = static_cast<int64_t>(t.item_bytes());
  for (int d = 0; d < t.ndim(); ++d) {
    sizes[d] = t.sizes()[d];
    strides[d] = t.strides()[d] * item;
  }
  LB_CHECK(t.ndim() <= NPY_MAXDIMS, Value, "NumPy arrays have at most ", NPY_MAXDIMS, " dimensions");
  Object array = Object::steal(PyArray_New(&PyArray_Type, t.ndim(), sizes, numpy_type(t.dtype()), strides, t.bytes(), 0,
                                           NPY_ARRAY_ALIGNED | NPY_ARRAY_WRITEABLE, nullptr));
  t->storage->note_export();
  Py_INCREF(owner);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.get()), owner) < 0) throw PythonError{};
  return array;
}

// numpy(*, force=False)
PyObject* numpy_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  compile::note_read("numpy");
  return guarded([&]() -> PyObject* {
    LB_CHECK(count == 0, Type, "numpy() takes 0 positional arguments but ", count, " were given");
    bool force = false;
    if (names && PyTuple_GET_SIZE(names)) {
      LB_CHECK(
          PyTuple_GET_SIZE(names) == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "force") == 0,
          Type, "numpy() got an unexpected keyword argument");
      force = PyObject_IsTrue(args[0]) == 1;
    }
    if (!force) check_may_share(tensor_of(self));
    load_numpy();
    return array_over(self, tensor_of(self)).release();
  });
}

// __array__(dtype=None, copy=None)
PyObject* array_method(PyObject* self, PyObject* args, PyObject* keywords) {
  compile::note_read("__array__");
  PyObject *dtype = Py_None, *copy = Py_None;
  static const char* names[] = {"dtype", "copy", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|OO:__array__", const_cast<char**>(names), &dtype, &copy))
    return nullptr;
  return guarded([&]() -> PyObject* {
    check_may_share(tensor_of(self));
    load_numpy();
    Object array = array_over(self, tensor_of(self));
    if (dtype != Py_None) {
      Object options = Object::steal(Py_BuildValue("{s:O}", "copy", Py_False));
      Object cast = Object::steal(PyObject_GetAttrString(array.get(), "astype"));
      Object positional = Object::steal(PyTuple_Pack(1, dtype));
      array = Object::steal(PyObject_Call(cast.get(), positional.get(), options.get()));
    }
    if (copy == Py_True) return PyArray_NewCopy(reinterpret_cast<PyArrayObject*>(array.get()), NPY_KEEPORDER);
    return array.release();
  });
}

PyMethodDef functions[] = {
    {"from_numpy", from_numpy, METH_O,
     "from_numpy(ndarray) -> Tensor\n\nA tensor over the array's own memory: changes to one are "
     "seen in the other. Raises TypeError for what is not an array of a supported dtype, "
     "ValueError for negative strides and foreign byte orders.\n\n>>> torch.from_numpy(np.ones(2))"
     "\ntensor([1., 1.], dtype=torch.float64)"},
    {nullptr}};
PyMethodDef tensor_methods[] = {
    {"numpy", reinterpret_cast<PyCFunction>(numpy_method), METH_FASTCALL | METH_KEYWORDS,
     "numpy(*, force=False): a NumPy array over the same memory."},
    {"__array__", reinterpret_cast<PyCFunction>(array_method), METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr}};

}  // namespace

bool numpy_is_loaded() {
  if (loaded) return true;
  // Objects of NumPy exist only where it was imported.
  static PyObject* name = PyUnicode_InternFromString("numpy");
  PyObject* modules = PyImport_GetModuleDict();
  if (!PyDict_GetItemWithError(modules, name)) return false;
  if (_import_array() < 0) {
    PyErr_Clear();
    return false;
  }
  return loaded = true;
}

bool is_numpy_array(PyObject* object) {
  if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyList_CheckExact(object)) return false;
  return numpy_is_loaded() && PyArray_Check(object);
}
bool is_numpy_scalar(PyObject* object) {
  if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) || is_tensor(object)) return false;
  return numpy_is_loaded() && (PyArray_IsScalar(object, Number) || PyArray_IsScalar(object, Bool));
}

Tensor tensor_from_numpy(PyObject* object, bool warn_read_only) {
  if (PyArray_Check(object)) return share(reinterpret_cast<PyArrayObject*>(object), warn_read_only);
  Object array = Object::steal(PyArray_FromScalar(object, nullptr));
  return share(reinterpret_cast<PyArrayObject*>(array.get()), false).clone();
}

void add_numpy(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
  for (PyMethodDef* method = tensor_methods; method->ml_name; ++method) {
    Object descriptor = Object::steal(PyDescr_NewMethod(tensor_type, method));
    if (PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), method->ml_name, descriptor.get()) < 0)
      throw PythonError{};
  }
}

}  // namespace lumbre::python
