// DLPack both ways: tensors as capsules that other libraries read without a copy, and their capsules as tensors.
#include <array>
#include <memory>

#include "compile/recorder.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

// The interchange structures, as the DLPack standard (version 1.0) lays them out.
enum DeviceKind : int32_t { kCpu = 1 };
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6 };
struct ElementType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};
struct Array {
  void* data;
  int32_t device_kind;
  int32_t device_index;
  int32_t ndim;
  ElementType type;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};
struct Managed {
  Array array;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Array array;
};
constexpr uint64_t kReadOnly = 1, kCopied = 2;
constexpr const char* kName = "dltensor";
constexpr const char* kUsedName = "used_dltensor";
constexpr const char* kVersionedName = "dltensor_versioned";
constexpr const char* kUsedVersionedName = "used_dltensor_versioned";

ElementType element_type(DType dtype) {
  const auto bits = static_cast<uint8_t>(item_size(dtype) * 8);
  if (dtype == DType::Bool) return {kBool, bits, 1};
  if (dtype == DType::BFloat16) return {kBFloat, bits, 1};
  return {is_floating(dtype) ? kFloat : is_signed(dtype) ? kInt : kUInt, bits, 1};
}

DType dtype_from(ElementType type) {
  LB_CHECK(type.lanes == 1, Buffer, "DLPack arrays of vectors (lanes != 1) have no dtype here");
  for (int i = 0; i < kDTypeCount; ++i) {
    const ElementType known = element_type(static_cast<DType>(i));
    if (known.code == type.code && known.bits == type.bits) return static_cast<DType>(i);
  }
  fail(ErrorKind::Buffer, "Lumbre has no dtype for the DLPack type with code ", int{type.code}, " and ", int{type.bits},
       " bits");
}

// --- export ---------------------------------------------------------------------------------------------------------

// Keeps the tensor alive, and the shape and strides that the structure points to.
template <class M>
struct Export {
  M managed{};
  Tensor tensor;
  Dims sizes, strides;
};

template <class M>
void delete_export(M* managed) {
  if (!managed || !Py_IsInitialized()) return;
  const PyGILState_STATE state = PyGILState_Ensure();
  std::unique_ptr<Export<M>>(static_cast<Export<M>*>(managed->context)).reset();
  PyGILState_Release(state);
}

template <class M>
void destroy_capsule(PyObject* capsule) {
  constexpr bool versioned = std::is_same_v<M, ManagedVersioned>;
  const char* name = versioned ? kVersionedName : kName;
  if (!PyCapsule_IsValid(capsule, name)) return;  // consumed: the consumer calls the deleter
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  if (managed && managed->deleter) managed->deleter(managed);
}

template <class M>
PyObject* make_capsule(const Tensor& tensor, [[maybe_unused]] uint64_t flags) {
  constexpr bool versioned = std::is_same_v<M, ManagedVersioned>;
  auto owned = std::make_unique<Export<M>>();
  owned->tensor = tensor;
  tensor->storage->note_export();
  owned->sizes = tensor.sizes();
  owned->strides = tensor.strides();
  // A dimension of one element has no stride that matters; others read 1 best.
  for (size_t d = 0; d < owned->sizes.size(); ++d)
    if (owned->sizes[d] < 2) owned->strides[d] = 1;
  M& managed = owned->managed;
  managed.array = {tensor.bytes(),        kCpu, 0, tensor.ndim(), element_type(tensor.dtype()), owned->sizes.data(),
                   owned->strides.data(), 0};
  managed.context = owned.get();
  managed.deleter = delete_export<M>;
  if constexpr (versioned) {
    managed.major = 1;
    managed.minor = 0;
    managed.flags = flags;
  }
  Object capsule = Object::steal(PyCapsule_New(&managed, versioned ? kVersionedName : kName, destroy_capsule<M>));
  static_cast<void>(owned.release());  // the capsule's destructor or its consumer owns it now
  return capsule.release();
}

bool pair_of_ints(PyObject* object, int64_t& first, int64_t& second) {
  return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 2 && to_int(PyTuple_GET_ITEM(object, 0), first) &&
         to_int(PyTuple_GET_ITEM(object, 1), second);
}

// __dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None)
PyObject* export_method(PyObject* self, PyObject* args, PyObject* keywords) {
  compile::note_read("__dlpack__");
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$OOOO:__dlpack__", const_cast<char**>(names), &stream, &version,
                                   &device, &copy))
    return nullptr;
  return guarded([&]() -> PyObject* {
    Tensor tensor = tensor_of(self);
    LB_CHECK(!tensor->requires_grad, Buffer, "Can't export tensors that require gradient, use tensor.detach()");
    if (stream != Py_None) {
      PyErr_SetString(PyExc_AssertionError, "stream should be None on cpu.");
      return nullptr;
    }
    int64_t kind, index, major = 0, minor = 0;
    if (device != Py_None) {
      LB_CHECK(pair_of_ints(device, kind, index), Type, "dl_device must be a tuple of two ints");
      LB_CHECK(kind == kCpu && index == 0, Buffer, "the tensor is on the CPU: dl_device must be (1, 0)");
    }
    if (version != Py_None)
      LB_CHECK(pair_of_ints(version, major, minor), Type, "max_version must be a tuple of two ints");
    if (copy == Py_True) tensor = tensor.clone();
    if (major >= 1) return make_capsule<ManagedVersioned>(tensor, copy == Py_True ? kCopied : 0);
    return make_capsule<Managed>(tensor, 0);
  });
}

PyObject* device_method(PyObject*, PyObject*) { return Py_BuildValue("(ii)", int{kCpu}, 0); }

// --- import ---------------------------------------------------------------------------------------------------------

template <class M>
void release_import(void* context) noexcept {
  auto* managed = static_cast<M*>(context);
  if (!managed->deleter || !Py_IsInitialized()) return;
  const PyGILState_STATE state = PyGILState_Ensure();
  managed->deleter(managed);
  PyGILState_Release(state);
}

struct Layout {
  Dims sizes, strides;
  DType dtype;
  int64_t bytes;
};

Layout checked_layout(const Array& array) {
  LB_CHECK(array.device_kind == kCpu, Buffer, "Lumbre reads CPU memory only; the DLPack array is on device kind ",
           array.device_kind);
  LB_CHECK(array.ndim >= 0 && array.ndim <= kMaxDims, Buffer, "the DLPack array has ", array.ndim, " dimensions");
  Layout layout{{}, {}, dtype_from(array.type), 0};
  const auto item = static_cast<int64_t>(item_size(layout.dtype));
  for (int d = 0; d < array.ndim; ++d) {
    LB_CHECK(array.shape[d] >= 0, Buffer, "the DLPack array has a negative size");
    layout.sizes.push_back(array.shape[d]);
  }
  layout.strides = contiguous_strides(layout.sizes);
  for (int d = 0; array.strides && d < array.ndim; ++d) {
    LB_CHECK(array.strides[d] >= 0 || array.shape[d] < 2, Buffer,
             "tensors have no negative strides; copy the array first");
    layout.strides[d] = array.shape[d] < 2 && array.strides[d] < 0 ? 1 : array.strides[d];
  }
  layout.bytes = checked_multiply(reach(layout.sizes, layout.strides), item);
  const auto address = reinterpret_cast<uintptr_t>(array.data) + array.byte_offset;
  LB_CHECK(layout.bytes == 0 || address % static_cast<uintptr_t>(item) == 0, Buffer,
           "the DLPack array's data is not aligned to its elements; copy the array first");
  return layout;
}

template <class M>
Tensor take(M* managed, PyObject* capsule, const char* used_name) {
  Layout layout = checked_layout(managed->array);
  if (PyCapsule_SetName(capsule, used_name) < 0) throw PythonError{};
  char* data = static_cast<char*>(managed->array.data) + managed->array.byte_offset;
  return Tensor::over(Storage::adopt(data, static_cast<size_t>(layout.bytes), release_import<M>, managed), layout.dtype,
                      std::move(layout.sizes), std::move(layout.strides), 0);
}

// _from_dlpack_capsule(capsule, copy): `copy` true gives memory of its own, also of read-only arrays.
PyObject* import_capsule(PyObject*, PyObject* args) {
  PyObject* capsule;
  int copy;
  if (!PyArg_ParseTuple(args, "Op", &capsule, &copy)) return nullptr;
  return guarded([&] {
    if (PyCapsule_IsValid(capsule, kVersionedName)) {
      auto* managed = static_cast<ManagedVersioned*>(PyCapsule_GetPointer(capsule, kVersionedName));
      LB_CHECK(managed->major == 1, Buffer, "Lumbre reads DLPack 1.x; the array speaks version ", managed->major, ".",
               managed->minor);
      LB_CHECK(copy || !(managed->flags & kReadOnly), Buffer,
               "the DLPack array is read-only, and tensors can be written to; pass copy=True to from_dlpack()");
      Tensor tensor = take(managed, capsule, kUsedVersionedName);
      return wrap(copy && !(managed->flags & kCopied) ? tensor.clone() : tensor);
    }
    LB_CHECK(PyCapsule_IsValid(capsule, kName), Runtime,
             "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you "
             "might have already constructed a tensor from it once.");
    Tensor tensor = take(static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName)), capsule, kUsedName);
    return wrap(copy ? tensor.clone() : tensor);
  });
}

PyMethodDef functions[] = {{"_from_dlpack_capsule", import_capsule, METH_VARARGS, nullptr}, {nullptr}};
PyMethodDef tensor_methods[] = {
    {"__dlpack__", reinterpret_cast<PyCFunction>(export_method), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None): a DLPack capsule over the same memory."},
    {"__dlpack_device__", device_method, METH_NOARGS, "__dlpack_device__(): (1, 0), the CPU."},
    {nullptr}};

}  // namespace

void add_dlpack(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
  for (PyMethodDef* method = tensor_methods; method->ml_name; ++method) {
    Object descriptor = Object::steal(PyDescr_NewMethod(tensor_type, method));
    if (PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), method->ml_name, descriptor.get()) < 0)
      throw PythonError{};
  }
}

}  // namespace lumbre::python
