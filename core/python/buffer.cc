// Storages as Python objects, tensors over Python buffers, and writing results into targets for operators in Python.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "compile/recorder.h"
#include "ops/backward.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

struct StorageObject {
  PyObject_HEAD Ref<Storage> storage;
  PyObject* weak_references;
};

PyTypeObject* storage_type;

const Ref<Storage>& storage_of(PyObject* self) { return reinterpret_cast<StorageObject*>(self)->storage; }

PyObject* attach(PyTypeObject* type, const Ref<Storage>& storage) {
  Object self = Object::steal(type->tp_alloc(type, 0));
  ::new (&reinterpret_cast<StorageObject*>(self.get())->storage) Ref<Storage>(storage);
  if (!storage->python_object) storage->python_object = self.get();
  return self.release();
}

PyObject* wrap_storage(const Ref<Storage>& storage) {
  if (storage->python_object) return Py_NewRef(static_cast<PyObject*>(storage->python_object));
  return attach(storage_type, storage);
}

void storage_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  auto* object = reinterpret_cast<StorageObject*>(self);
  if (object->weak_references) PyObject_ClearWeakRefs(self);
  if (object->storage && object->storage->python_object == self) object->storage->python_object = nullptr;
  object->storage.~Ref();
  type->tp_free(self);
  Py_DECREF(type);
}

int64_t byte_count(PyObject* object) {
  int64_t bytes;
  LB_CHECK(!PyBool_Check(object) && to_int(object, bytes), Type, "a number of bytes must be int, not ",
           Py_TYPE(object)->tp_name);
  LB_CHECK(bytes >= 0, Runtime, "a storage cannot have ", bytes, " bytes");
  return bytes;
}

// UntypedStorage(size=0) or UntypedStorage(sequence of bytes)
PyObject* storage_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  PyObject *content = nullptr, *device = Py_None;
  static const char* names[] = {"", "device", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O$O:UntypedStorage", const_cast<char**>(names), &content, &device))
    return nullptr;
  return guarded([&]() -> PyObject* {
    check_device(device);
    if (!content) return attach(type, Storage::make(0));
    if (PyIndex_Check(content)) return attach(type, Storage::make(static_cast<size_t>(byte_count(content)), true));
    Object bytes = Object::steal(PyByteArray_FromObject(content));
    const auto size = static_cast<size_t>(PyByteArray_GET_SIZE(bytes.get()));
    Ref<Storage> storage = Storage::make(size);
    std::memcpy(storage->data(), PyByteArray_AS_STRING(bytes.get()), size);
    return attach(type, storage);
  });
}

// --- memory that processes share -------------------------------------------------------------------------------------

// A mapped file or a piece of shared memory. The descriptor, where it is kept, names the memory to other processes.
struct Mapping {
  void* address;
  size_t bytes;
  int descriptor;
  Mapping(void* a, size_t b, int d) : address(a), bytes(b), descriptor(d) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    munmap(address, std::max<size_t>(bytes, 1));
    if (descriptor >= 0) ::close(descriptor);
  }
};
void release_mapping(void* context) noexcept { std::unique_ptr<Mapping>(static_cast<Mapping*>(context)).reset(); }

std::unique_ptr<Mapping> map_descriptor(int descriptor, size_t bytes, bool shared, bool keep) {
  struct stat status;
  LB_CHECK(fstat(descriptor, &status) == 0, Runtime, "unable to stat a file: ", std::strerror(errno));
  LB_CHECK(status.st_size >= 0 && static_cast<size_t>(status.st_size) >= bytes, Runtime, "the file has ",
           static_cast<int64_t>(status.st_size), " bytes, less than ", bytes);
  const size_t length = std::max<size_t>(bytes, 1);
  const int visibility = shared ? MAP_SHARED : MAP_PRIVATE;
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, visibility, descriptor, 0);
  LB_CHECK(address != MAP_FAILED, Runtime, "unable to mmap ", bytes, " bytes: ", std::strerror(errno));
  auto mapping = std::make_unique<Mapping>(address, bytes, -1);
  if (keep) {
    mapping->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    LB_CHECK(mapping->descriptor >= 0, Runtime, "unable to duplicate a file descriptor: ", std::strerror(errno));
  }
  return mapping;
}

// _map_storage(descriptor, bytes, shared, keep): a storage over a file, which must have that many bytes.
PyObject* map_storage(PyObject*, PyObject* args) {
  int descriptor, shared, keep;
  Py_ssize_t bytes;
  if (!PyArg_ParseTuple(args, "inpp", &descriptor, &bytes, &shared, &keep)) return nullptr;
  return guarded([&] {
    LB_CHECK(bytes >= 0, Runtime, "a storage cannot have ", static_cast<int64_t>(bytes), " bytes");
    auto mapping = map_descriptor(descriptor, static_cast<size_t>(bytes), shared, keep);
    void* address = mapping->address;
    return wrap_storage(Storage::adopt(address, static_cast<size_t>(bytes), release_mapping, mapping.release()));
  });
}
// _share(descriptor): moves the bytes to the shared memory that the descriptor names, and keeps a duplicate of it.
PyObject* storage_share(PyObject* self, PyObject* number) {
  const long descriptor = PyLong_AsLong(number);
  if (descriptor == -1 && PyErr_Occurred()) return nullptr;
  return guarded([&]() -> PyObject* {
    const Ref<Storage>& storage = storage_of(self);
    LB_CHECK(storage->resizable(), Runtime,
             "the memory of this storage is used by others, an array for instance: it cannot move to shared memory");
    auto mapping = map_descriptor(static_cast<int>(descriptor), storage->bytes(), true, true);
    void* address = mapping->address;
    storage->move_to(address, release_mapping, mapping.release());
    return Py_NewRef(self);
  });
}
// The descriptor of its shared memory, or -1.
PyObject* storage_descriptor(PyObject* self, PyObject*) {
  const void* context = storage_of(self)->context_of(release_mapping);
  return PyLong_FromLong(context ? static_cast<const Mapping*>(context)->descriptor : -1);
}

void release_whole(void* context) noexcept {
  std::unique_ptr<Ref<Storage>>(static_cast<Ref<Storage>*>(context)).reset();
}
// _piece(start, stop): a storage over some of the bytes, which keeps the whole alive.
PyObject* storage_piece(PyObject* self, PyObject* args) {
  Py_ssize_t start, stop;
  if (!PyArg_ParseTuple(args, "nn", &start, &stop)) return nullptr;
  return guarded([&] {
    const Ref<Storage>& storage = storage_of(self);
    LB_CHECK(0 <= start && start <= stop && static_cast<size_t>(stop) <= storage->bytes(), Index,
             "a piece of a storage lies inside it");
    storage->note_export();
    auto whole = std::make_unique<Ref<Storage>>(storage);
    const auto bytes = static_cast<size_t>(stop - start);
    return wrap_storage(Storage::adopt(storage->data() + start, bytes, release_whole, whole.release()));
  });
}

PyObject* storage_bytes(PyObject* self, PyObject*) { return PyLong_FromSize_t(storage_of(self)->bytes()); }
Py_ssize_t storage_length(PyObject* self) { return static_cast<Py_ssize_t>(storage_of(self)->bytes()); }
PyObject* storage_address(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(storage_of(self)->data()); }
PyObject* storage_resizable(PyObject* self, PyObject*) { return PyBool_FromLong(storage_of(self)->resizable()); }
PyObject* storage_identity(PyObject* self, void*) { return PyLong_FromVoidPtr(storage_of(self).get()); }
// A storage must stay large enough for the tensors over it, and nothing tells which those are: only growing is safe.
PyObject* storage_resize(PyObject* self, PyObject* size) {
  return guarded([&]() -> PyObject* {
    const auto bytes = static_cast<size_t>(byte_count(size));
    const Ref<Storage>& storage = storage_of(self);
    LB_CHECK(bytes >= storage->bytes() || storage->references == 1, Runtime,
             "Lumbre does not shrink a storage that tensors use: ", storage->bytes(), " bytes to ", bytes);
    storage->resize(bytes);
    return Py_NewRef(self);
  });
}

// _bytes(start=0, stop=None): a copy; files are written and read a piece at a time, so that the copy stays in the
// cache.
PyObject* storage_copy_bytes(PyObject* self, PyObject* args) {
  const Ref<Storage>& storage = storage_of(self);
  const auto size = static_cast<Py_ssize_t>(storage->bytes());
  Py_ssize_t start = 0, stop = size;
  if (!PyArg_ParseTuple(args, "|nn", &start, &stop)) return nullptr;
  stop = std::clamp<Py_ssize_t>(stop, 0, size);
  start = std::clamp<Py_ssize_t>(start, 0, stop);
  return PyBytes_FromStringAndSize(storage->data() + start, stop - start);
}
// _put(start, bytes)
PyObject* storage_put_bytes(PyObject* self, PyObject* args) {
  Py_ssize_t start;
  PyObject* data;
  if (!PyArg_ParseTuple(args, "nS", &start, &data)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Ref<Storage>& storage = storage_of(self);
    const auto size = static_cast<Py_ssize_t>(storage->bytes());
    const Py_ssize_t count = PyBytes_GET_SIZE(data);
    LB_CHECK(0 <= start && start <= size && count <= size - start, Index, "the bytes lie outside the storage");
    std::memcpy(storage->data() + start, PyBytes_AS_STRING(data), static_cast<size_t>(count));
    Py_RETURN_NONE;
  });
}

PyMethodDef storage_methods[] = {{"_bytes", storage_copy_bytes, METH_VARARGS, "A copy of the bytes."},
                                 {"_put", storage_put_bytes, METH_VARARGS, nullptr},
                                 {"nbytes", storage_bytes, METH_NOARGS, "The size in bytes."},
                                 {"size", storage_bytes, METH_NOARGS, "The size in bytes."},
                                 {"data_ptr", storage_address, METH_NOARGS, "The address of the first byte."},
                                 {"resizable", storage_resizable, METH_NOARGS, "Whether the memory is Lumbre's own."},
                                 {"_share", storage_share, METH_O, nullptr},
                                 {"_descriptor", storage_descriptor, METH_NOARGS, nullptr},
                                 {"_piece", storage_piece, METH_VARARGS, nullptr},
                                 {"resize_", storage_resize, METH_O, "Grows to a number of bytes; new bytes are zero."},
                                 {nullptr}};
PyGetSetDef storage_properties[] = {
    {"_cdata", storage_identity, nullptr, "A number that names the memory while it lives.", nullptr}, {nullptr}};

// --- functions ------------------------------------------------------------------------------------------------------

// _storage_of(tensor)
PyObject* storage_of_tensor(PyObject*, PyObject* tensor) {
  compile::note_read("its storage");
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(tensor), Type, "a tensor was expected, not ", Py_TYPE(tensor)->tp_name);
    return wrap_storage(tensor_of(tensor)->storage);
  });
}

struct Geometry {
  Dims sizes, strides;
  int64_t offset;
};

Geometry checked_geometry(const Storage& storage, DType dtype, int64_t offset, PyObject* sizes, PyObject* strides) {
  Geometry g;
  g.offset = offset;
  LB_CHECK(to_dims(sizes, g.sizes), Type, "sizes must be a tuple of ints");
  for (int64_t size : g.sizes)
    LB_CHECK(size >= 0, Runtime, "Trying to create tensor with negative dimension ", size, ": ", g.sizes);
  if (strides == Py_None)
    g.strides = contiguous_strides(g.sizes);
  else
    LB_CHECK(to_dims(strides, g.strides), Type, "strides must be a tuple of ints");
  LB_CHECK(g.sizes.size() == g.strides.size(), Runtime, "mismatch in length of strides and shape");
  for (int64_t stride : g.strides)
    LB_CHECK(stride >= 0, Runtime,
             "as_strided: Negative strides are not supported at the moment, got strides: ", g.strides);
  LB_CHECK(offset >= 0, Runtime, "Tensor: invalid storage offset ", offset);
  count_elements(g.sizes);
  const int64_t length = reach(g.sizes, g.strides);
  const auto item = static_cast<int64_t>(item_size(dtype));
  const int64_t bytes = length ? checked_multiply(checked_add(offset, length), item) : 0;
  LB_CHECK(bytes <= static_cast<int64_t>(storage.bytes()), Runtime, "setStorage: sizes ", g.sizes, ", strides ",
           g.strides, ", storage offset ", offset, ", and itemsize ", item, " requiring a storage size of ", bytes,
           " are out of bounds for storage of size ", storage.bytes());
  return g;
}

// _tensor_over(storage, dtype, offset, sizes, strides or None)
PyObject* tensor_over(PyObject*, PyObject* args) {
  PyObject *storage, *dtype, *sizes, *strides;
  long long offset;
  if (!PyArg_ParseTuple(args, "O!OLOO", storage_type, &storage, &dtype, &offset, &sizes, &strides)) return nullptr;
  return guarded([&] {
    LB_CHECK(is_dtype(dtype), Type, "dtype must be torch.dtype, not ", Py_TYPE(dtype)->tp_name);
    const DType type = dtype_of_object(dtype);
    Geometry g = checked_geometry(*storage_of(storage), type, offset, sizes, strides);
    return wrap(Tensor::over(storage_of(storage), type, std::move(g.sizes), std::move(g.strides), g.offset));
  });
}

// _set_storage(tensor, storage, offset, sizes, strides or None): the tensor becomes a view of the storage.
PyObject* set_storage(PyObject*, PyObject* args) {
  PyObject *tensor, *storage, *sizes, *strides;
  long long offset;
  if (!PyArg_ParseTuple(args, "O!O!LOO", tensor_type, &tensor, storage_type, &storage, &offset, &sizes, &strides))
    return nullptr;
  return guarded([&] {
    const Tensor& t = tensor_of(tensor);
    Geometry g = checked_geometry(*storage_of(storage), t.dtype(), offset, sizes, strides);
    t->storage = storage_of(storage);
    t->set_geometry(std::move(g.sizes), std::move(g.strides), g.offset);
    return Py_NewRef(tensor);
  });
}

// _give(target, result, in place): writes an operator's result into its target under PyTorch's rules.
PyObject* give(PyObject*, PyObject* args) {
  PyObject *target, *result;
  int in_place;
  if (!PyArg_ParseTuple(args, "O!O!p", tensor_type, &target, tensor_type, &result, &in_place)) return nullptr;
  return guarded([&] {
    const Tensor destination = tensor_of(target);
    const Tensor& source = tensor_of(result);
    if (!in_place) {
      LB_CHECK(
          !autograd::grad_enabled() || !(autograd::requires_grad(destination) || autograd::requires_grad(source)),
          Runtime,
          "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires "
          "grad.");
      Out(Out::Form::Given, {&destination, 1}).give(source);
    } else if (autograd::grad_enabled() && (autograd::requires_grad(destination) || autograd::requires_grad(source))) {
      LB_CHECK(source.sizes() == destination.sizes(), Runtime, "output with shape ", destination.sizes(),
               " doesn't match the broadcast shape ", source.sizes());
      op::call<"copy">.in_place(destination, source, false);
    } else {
      Out(Out::Form::InPlace, {&destination, 1}).give(source);
    }
    return Py_NewRef(target);
  });
}

// Holds an exported buffer for as long as a storage uses its memory.
void release_buffer(void* context) noexcept {
  std::unique_ptr<Py_buffer> view(static_cast<Py_buffer*>(context));
  if (!Py_IsInitialized()) return;
  const PyGILState_STATE state = PyGILState_Ensure();
  PyBuffer_Release(view.get());
  PyGILState_Release(state);
}

class View {
 public:
  explicit View(PyObject* object) : view_(std::make_unique<Py_buffer>()) {
    LB_CHECK(PyObject_CheckBuffer(object), Value, "object does not implement Python buffer protocol.");
    if (PyObject_GetBuffer(object, view_.get(), PyBUF_WRITABLE) < 0) {
      PyErr_Clear();
      read_only_ = true;
      if (PyObject_GetBuffer(object, view_.get(), PyBUF_SIMPLE) < 0) {
        view_.reset();
        throw PythonError{};
      }
    }
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() {
    if (view_) PyBuffer_Release(view_.get());
  }
  bool read_only() const { return read_only_; }
  int64_t bytes() const { return view_->len; }
  Ref<Storage> adopt(int64_t offset, int64_t bytes) {
    char* data = static_cast<char*>(view_->buf) + offset;
    return Storage::adopt(data, static_cast<size_t>(bytes), release_buffer, view_.release());
  }
  const char* data() const { return static_cast<const char*>(view_->buf); }

 private:
  std::unique_ptr<Py_buffer> view_;
  bool read_only_ = false;
};

void warn_read_only() {
  static bool warned = false;
  if (std::exchange(warned, true)) return;
  if (PyErr_WarnEx(
          PyExc_UserWarning,
          "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you "
          "can write to the underlying (supposedly non-writable) buffer using the tensor. You may want to copy "
          "the buffer to protect its data or make it writable before converting it to a tensor. This type of "
          "warning will be suppressed for the rest of this program.",
          1) < 0)
    throw PythonError{};
}

// _frombuffer(buffer, dtype, count, offset)
PyObject* from_buffer(PyObject*, PyObject* args) {
  PyObject *buffer, *dtype;
  long long count, offset;
  if (!PyArg_ParseTuple(args, "OOLL", &buffer, &dtype, &count, &offset)) return nullptr;
  return guarded([&] {
    LB_CHECK(is_dtype(dtype), Type, "frombuffer(): argument 'dtype' must be torch.dtype, not ",
             Py_TYPE(dtype)->tp_name);
    const DType type = dtype_of_object(dtype);
    const auto item = static_cast<int64_t>(item_size(type));
    View view(buffer);
    const int64_t length = view.bytes();
    LB_CHECK(length > 0 && count != 0, Value, "both buffer length (", length, ") and count (", count,
             ") must not be 0");
    LB_CHECK(offset >= 0 && offset < length, Value, "offset (", offset,
             " bytes) must be non-negative and no greater than buffer length (", length, " bytes) minus 1");
    const int64_t rest = length - offset;
    LB_CHECK(count > 0 || rest % item == 0, Value, "buffer length (", rest, " bytes) after offset (", offset,
             " bytes) must be a multiple of element size (", item, ")");
    if (count < 0) count = rest / item;
    LB_CHECK(count <= rest / item, Value, "requested buffer length (", count, " * ", item, " bytes) after offset (",
             offset, " bytes) must not be greater than actual buffer length (", length, " bytes)");
    if (view.read_only()) warn_read_only();
    // Loops read whole elements: memory that is not aligned to them is copied, and no longer shared.
    if (reinterpret_cast<uintptr_t>(view.data() + offset) % static_cast<uintptr_t>(item) != 0) {
      Tensor copy = Tensor::empty({static_cast<int64_t>(count)}, type);
      std::memcpy(copy.bytes(), view.data() + offset, static_cast<size_t>(count * item));
      return wrap(copy);
    }
    return wrap(Tensor::over(view.adopt(offset, count * item), type, Dims{static_cast<int64_t>(count)}, Dims{1}, 0));
  });
}

// `tensor.__dict__`: made at the first look. From then on the cycle collector has to know the tensor.
PyObject* attributes_of(PyObject* self, void* context) {
  PyObject* attributes = PyObject_GenericGetDict(self, context);
  if (attributes && !PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
  return attributes;
}
PyGetSetDef attributes_property{"__dict__", attributes_of, PyObject_GenericSetDict, nullptr, nullptr};

PyMethodDef functions[] = {{"_map_storage", map_storage, METH_VARARGS, nullptr},
                           {"_storage_of", storage_of_tensor, METH_O, nullptr},
                           {"_tensor_over", tensor_over, METH_VARARGS, nullptr},
                           {"_set_storage", set_storage, METH_VARARGS, nullptr},
                           {"_give", give, METH_VARARGS, nullptr},
                           {"_frombuffer", from_buffer, METH_VARARGS, nullptr},
                           {nullptr}};

}  // namespace

void add_buffers(PyObject* module) {
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(StorageObject, weak_references), READONLY, nullptr}, {nullptr}};
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(storage_new)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(storage_dealloc)},
                         {Py_tp_methods, storage_methods},
                         {Py_tp_getset, storage_properties},
                         {Py_tp_members, members},
                         {Py_sq_length, reinterpret_cast<void*>(storage_length)},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre.UntypedStorage", sizeof(StorageObject), 0, Py_TPFLAGS_DEFAULT, slots};
  storage_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
  if (PyModule_AddObjectRef(module, "UntypedStorage", reinterpret_cast<PyObject*>(storage_type)) < 0)
    throw PythonError{};
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
  // Not by setting an attribute: `__dict__` of a type is the type's own.
  Object property = Object::steal(PyDescr_NewGetSet(tensor_type, &attributes_property));
  if (PyDict_SetItemString(tensor_type->tp_dict, "__dict__", property.get()) < 0) throw PythonError{};
  PyType_Modified(tensor_type);
}

}  // namespace lumbre::python
