// The Tensor type: allocation, identity, properties, number protocol.

#include "compile/recorder.h"
#include "ops/backward.h"
#include "python/autograd.h"
#include "python/overrides.h"
#include "python/signature.h"

namespace lumbre::python {

PyTypeObject* tensor_type;

namespace {

constexpr int kMaxIdle = 1024;
TensorObject* idle[kMaxIdle];
int idle_count = 0;

TensorObject* object_of(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

// Exact tensors come from a free list and are not tracked by the cycle collector until they own attributes.
TensorObject* allocate_object() {
  if (idle_count > 0) {
    TensorObject* self = idle[--idle_count];
    PyObject_Init(reinterpret_cast<PyObject*>(self), tensor_type);
    return self;
  }
  TensorObject* self = PyObject_GC_New(TensorObject, tensor_type);
  if (!self) throw PythonError{};
  return self;
}

// An object that cannot be told from a new one is made anew when it is asked for; others stay with a tensor that lives
// on in the graph or under a view. The tensor then owns its object, whose own hold on the tensor does not count.
bool keep(PyObject* self) {
  TensorObject* object = object_of(self);
  if (!object->tensor.defined()) return false;
  TensorData* data = object->tensor.get();
  if (data->references == 1 || data->keeps_object || data->python_object != self) return false;
  if (is_exact_tensor(self) && !object->attributes && !object->weak_references) return false;
  data->keeps_object = true;
  --data->references;
  return true;
}

// The reference that the tensor gives up is the caller's.
PyObject* take_back(TensorData* data) noexcept {
  auto* self = static_cast<PyObject*>(data->python_object);
  data->keeps_object = false;
  ++data->references;
  // The interpreter asks an object only once whether it wants to stay; this one may be asked again.
  if (PyObject_GC_IsFinalized(self)) {
    struct Head {
      uintptr_t next, previous;
    };
    (reinterpret_cast<Head*>(self) - 1)->previous &= ~uintptr_t{1};
  }
  return self;
}

void end_kept_object(TensorData* data) noexcept {
  if (Py_IsInitialized())
    Py_DECREF(take_back(data));
  else
    data->keeps_object = false;  // the interpreter is gone, and with it all that would look at either
}

void finalize(PyObject* self) {
  if (keep(self)) Py_INCREF(self);
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  TensorObject* object = object_of(self);
  if (type == tensor_type && keep(self)) {
    _Py_NewReference(self);
    return;
  }
  PyObject_GC_UnTrack(self);
  if (object->weak_references) PyObject_ClearWeakRefs(self);
  Py_CLEAR(object->attributes);
  if (object->tensor.defined()) object->tensor->python_object = nullptr;
  object->tensor.~Tensor();
  if (type == tensor_type && idle_count < kMaxIdle)
    idle[idle_count++] = object;
  else
    type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(object_of(self)->attributes);
  Py_VISIT(Py_TYPE(self));
  const Tensor& tensor = object_of(self)->tensor;
  if (!tensor.defined() || tensor->keeps_object) return 0;
  return autograd::visit_owned(*tensor.get(), reinterpret_cast<autograd::VisitObject>(visit), arg);
}
int clear(PyObject* self) {
  Py_CLEAR(object_of(self)->attributes);
  const Tensor& tensor = object_of(self)->tensor;
  if (!tensor.defined() || tensor->keeps_object || tensor->references != 1) return 0;
  const std::unique_ptr<TensorHistory> history = std::move(tensor->history);
  tensor->requires_grad = false;
  return 0;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  const int status = PyObject_GenericSetAttr(self, name, value);
  if (object_of(self)->attributes) track(self);
  if (value && is_tensor(value)) track(value);
  return status;
}

PyObject* attach(TensorObject* self, Tensor tensor) {
  tensor->python_object = self;
  ::new (&self->tensor) Tensor(std::move(tensor));
  self->attributes = nullptr;
  self->weak_references = nullptr;
  return reinterpret_cast<PyObject*>(self);
}

// Tensor(...) and subclasses: the package's Python side makes the tensor, this wraps it.
PyObject* tensor_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    static PyObject* construct = [] {
      Object module = Object::steal(PyImport_ImportModule("lumbre._legacy"));
      return PyObject_GetAttrString(module.get(), "construct");
    }();
    if (!construct) throw PythonError{};
    Object data = Object::steal(PyObject_Call(construct, arguments, keywords));
    LB_CHECK(is_tensor(data.get()), Type, "a tensor was expected");
    if (type == tensor_type) return data.release();
    return wrap_as(type, tensor_of(data.get()));
  });
}

// --- properties -----------------------------------------------------------------------------------------------------

PyObject* get_shape(PyObject* self, void*) { return size_object(tensor_of(self).sizes()); }
PyObject* get_dtype(PyObject* self, void*) { return Py_NewRef(dtype_object(tensor_of(self).dtype())); }
PyObject* get_device(PyObject*, void*) { return Py_NewRef(cpu_device()); }
PyObject* get_layout(PyObject*, void*) { return Py_NewRef(strided_layout()); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(tensor_of(self).ndim()); }
PyObject* get_item_size(PyObject* self, void*) { return PyLong_FromSize_t(tensor_of(self).item_bytes()); }
PyObject* get_bytes(PyObject* self, void*) {
  return PyLong_FromLongLong(tensor_of(self).count() * static_cast<int64_t>(tensor_of(self).item_bytes()));
}
PyObject* get_version(PyObject* self, void*) {
  return guarded([&] {
    if (compile::recording()) compile::refuse("the program asks for a tensor's version");
    LB_CHECK(!tensor_of(self)->inference, Runtime, "Inference tensors do not track version counter.");
    return PyLong_FromUnsignedLong(tensor_of(self)->storage->version);
  });
}
PyObject* get_real(PyObject* self, void*) { return Py_NewRef(self); }
PyObject* get_imag(PyObject*, void*) {
  return PyErr_Format(PyExc_RuntimeError, "imag is not implemented for tensors with non-complex dtypes.");
}
PyObject* get_true(PyObject*, void*) { Py_RETURN_TRUE; }
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }

// `x.data`: another tensor over the same memory, without history.
PyObject* get_data(PyObject* self, void*) {
  return guarded([&] {
    const Tensor& t = tensor_of(self);
    const Tensor same = Tensor::over(t->storage, t.dtype(), t.sizes(), t.strides(), t->offset);
    same->untracked = true;
    same->inference = t->inference;
    if (auto* recorder = compile::Recorder::current()) recorder->made_from(compile::Step::Kind::Data, t, same);
    return wrap_like(self, same);
  });
}
int set_data(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    LB_CHECK(value && is_tensor(value), Type, "Variable data has to be a tensor, but got ",
             value ? Py_TYPE(value)->tp_name : "nothing");
    if (compile::recording()) compile::refuse("the program assigns to a tensor's data");
    const Tensor& source = tensor_of(value);
    const Tensor& target = tensor_of(self);
    target->storage = source->storage;
    target->inference = source->inference;
    target->dtype = source.dtype();
    target->set_geometry(source.sizes(), source.strides(), source->offset);
    return 0;
  });
}

// `of_matrices`: the property's name, where it exchanges the last two dimensions only.
PyObject* reversed_dims(PyObject* self, void* of_matrices) {
  return guarded([&] {
    const Tensor& t = tensor_of(self);
    LB_CHECK(!of_matrices || t.ndim() != 1, Runtime, "tensor.", static_cast<const char*>(of_matrices),
             " is only supported on matrices or batches of matrices. Got ", t.ndim(), "-D tensor.");
    if (of_matrices) return t.ndim() == 0 ? Py_NewRef(self) : wrap_like(self, op::transpose(t, -2, -1));
    Dims order;
    for (int d = t.ndim() - 1; d >= 0; --d) order.push_back(d);
    return wrap_like(self, op::call<"permute">(t, order));
  });
}
PyObject* conjugate_transpose(PyObject* self, void*) {
  const int n = tensor_of(self).ndim();
  if (n != 0 && n != 2)
    return PyErr_Format(PyExc_RuntimeError, "tensor.H is only supported on matrices (2-D tensors). Got %d-D tensor.%s",
                        n, n > 2 ? " For batches of matrices, consider using tensor.mH" : "");
  return guarded([&] {
    const Tensor& t = tensor_of(self);
    return n == 0 ? Py_NewRef(self) : wrap_like(self, op::transpose(t, 0, 1));
  });
}

PyGetSetDef properties[] = {
    {"shape", get_shape, nullptr, "The size of each dimension.", nullptr},
    {"dtype", get_dtype, nullptr, "The type of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the elements are: the CPU.", nullptr},
    {"layout", get_layout, nullptr, "How the elements are stored: strided.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", get_item_size, nullptr, "The size of one element in bytes.", nullptr},
    {"nbytes", get_bytes, nullptr, "The bytes that the elements take.", nullptr},
    {"_version", get_version, nullptr, "How many in-place operations the storage has seen.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "Whether operations on it are recorded.", nullptr},
    {"grad", get_gradient, set_gradient, "The gradient: a tensor, or None.", nullptr},
    {"output_nr", get_output_number, nullptr, "Which result of its node it is.", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "Whether it keeps its gradient although it is not a leaf.", nullptr},
    {"_base", get_base, nullptr, "The tensor whose memory a view shows; None for others.", nullptr},
    {"real", get_real, nullptr, "The real parts: the tensor itself.", nullptr},
    {"imag", get_imag, nullptr, "The imaginary parts: there are no complex tensors yet.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether it is not the result of a recorded operation.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that made it; None for a leaf.", nullptr},
    {"is_cuda", get_false, nullptr, "False: there is the CPU only.", nullptr},
    {"is_cpu", get_true, nullptr, "True: there is the CPU only.", nullptr},
    {"is_meta", get_false, nullptr, nullptr, nullptr},
    {"is_sparse", get_false, nullptr, nullptr, nullptr},
    {"is_sparse_csr", get_false, nullptr, nullptr, nullptr},
    {"is_quantized", get_false, nullptr, nullptr, nullptr},
    {"is_nested", get_false, nullptr, nullptr, nullptr},
    {"is_mkldnn", get_false, nullptr, nullptr, nullptr},
    {"is_xpu", get_false, nullptr, nullptr, nullptr},
    {"is_mps", get_false, nullptr, nullptr, nullptr},
    {"data", get_data, set_data, "The same memory without history.", nullptr},
    {"T", reversed_dims, nullptr, "A view with the dimensions in reverse order.", nullptr},
    {"mT", reversed_dims, nullptr, "A view with the last two dimensions exchanged.", const_cast<char*>("mT")},
    {"H", conjugate_transpose, nullptr, "The transpose of a matrix.", nullptr},
    {"mH", reversed_dims, nullptr, "A view with the last two dimensions exchanged.", const_cast<char*>("mH")},
    {nullptr}};

// --- methods that answer about the tensor itself --------------------------------------------------------------------

PyObject* size_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t total = count + (names ? PyTuple_GET_SIZE(names) : 0);
    if (total == 0 || args[0] == Py_None) return size_object(tensor_of(self).sizes());
    int64_t dim;
    LB_CHECK(total == 1 && to_int(args[0], dim), Type, "size(): argument 'dim' (position 1) must be int, not ",
             Py_TYPE(args[0])->tp_name);
    LB_CHECK(tensor_of(self).ndim() > 0, Index, "Dimension specified as ", dim, " but tensor has no dimensions");
    return PyLong_FromLongLong(tensor_of(self).size(dim));
  });
}
PyObject* stride_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(self);
    const Py_ssize_t total = count + (names ? PyTuple_GET_SIZE(names) : 0);
    if (total == 0 || args[0] == Py_None) return result_object(Result(t.strides()), nullptr);
    int64_t dim;
    LB_CHECK(total == 1 && to_int(args[0], dim), Type, "stride(): argument 'dim' (position 1) must be int, not ",
             Py_TYPE(args[0])->tp_name);
    LB_CHECK(t.ndim() > 0, Index, "Dimension specified as ", dim, " but tensor has no dimensions");
    return PyLong_FromLongLong(t.strides()[wrap_dim(dim, t.ndim())]);
  });
}
PyObject* dim_method(PyObject* self, PyObject*) { return PyLong_FromLong(tensor_of(self).ndim()); }
PyObject* storage_offset(PyObject* self, PyObject*) { return PyLong_FromLongLong(tensor_of(self)->offset); }
PyObject* data_ptr(PyObject* self, PyObject*) {
  compile::note_read("data_ptr");
  const Tensor& t = tensor_of(self);
  return PyLong_FromVoidPtr(t.count() == 0 && t->storage->bytes() == 0 ? nullptr : t.bytes());
}
PyObject* element_size(PyObject* self, PyObject*) { return PyLong_FromSize_t(tensor_of(self).item_bytes()); }
PyObject* tolist(PyObject* self, PyObject*) {
  compile::note_read("tolist");
  return guarded([&] { return to_list(tensor_of(self)); });
}
PyObject* item(PyObject* self, PyObject*) {
  compile::note_read("item");
  return guarded([&] { return scalar_object(tensor_of(self).item()); });
}
PyObject* is_contiguous(PyObject* self, PyObject* args, PyObject* keywords) {
  if (is_overridden(self)) return guarded([&] { return dispatch_method("is_contiguous", &self, 1); });
  PyObject* format = nullptr;
  static const char* names[] = {"memory_format", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:is_contiguous", const_cast<char**>(names), &format))
    return nullptr;
  if (format && !is_memory_format(format))
    return PyErr_Format(PyExc_TypeError,
                        "is_contiguous(): argument 'memory_format' must be torch.memory_format, not %s",
                        Py_TYPE(format)->tp_name);
  return guarded([&] {
    return PyBool_FromLong(tensor_of(self).is_contiguous(format ? memory_format_of(format) : MemoryFormat::Contiguous));
  });
}
PyObject* is_set_to(PyObject* self, PyObject* other) {
  if (!is_tensor(other)) return PyErr_Format(PyExc_TypeError, "is_set_to(): argument 'tensor' must be Tensor");
  const Tensor &a = tensor_of(self), &b = tensor_of(other);
  return PyBool_FromLong(a.shares_storage(b) && a->offset == b->offset && a.sizes() == b.sizes() &&
                         a.strides() == b.strides() && a.dtype() == b.dtype());
}
PyObject* shares_storage(PyObject* self, PyObject* other) {
  if (!is_tensor(other)) Py_RETURN_FALSE;
  return PyBool_FromLong(tensor_of(self).shares_storage(tensor_of(other)));
}
// _set_geometry(sizes, strides, offset): for set_, resize and unpickling; checked against the storage.
PyObject* set_geometry(PyObject* self, PyObject* args) {
  PyObject *source, *sizes_object, *strides_object;
  long long offset;
  if (!PyArg_ParseTuple(args, "OLOO", &source, &offset, &sizes_object, &strides_object)) return nullptr;
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(source), Type, "a tensor was expected");
    Dims sizes, strides;
    LB_CHECK(to_dims(sizes_object, sizes) && to_dims(strides_object, strides), Type,
             "sizes and strides are tuples of ints");
    LB_CHECK(sizes.size() == strides.size(), Runtime, "mismatch in length of strides and shape");
    LB_CHECK(offset >= 0, Runtime, "Tensor: invalid storage offset ", offset);
    const Tensor& t = tensor_of(self);
    LB_CHECK(t.dtype() == tensor_of(source).dtype(), Runtime, "the dtypes differ");
    const auto bytes = static_cast<size_t>(
        checked_multiply(checked_add(offset, reach(sizes, strides)), static_cast<int64_t>(t.item_bytes())));
    if (tensor_of(source)->storage->bytes() < bytes && reach(sizes, strides) > 0)
      tensor_of(source)->storage->resize(bytes);
    const Ref<Storage> storage = tensor_of(source)->storage;
    t->set_geometry(sizes, strides, offset);
    t->storage = storage;
    return Py_NewRef(self);
  });
}

// Another tensor over the same memory, recorded where recording is on.
Tensor another(const Tensor& t) {
  if (autograd::requires_grad(t) && autograd::grad_enabled()) return op::call<"_alias">(t);
  const Tensor same = Tensor::over(t->storage, t.dtype(), t.sizes(), t.strides(), t->offset);
  same->inference = t->inference;
  return same;
}

// _as_type(cls): an object of a subclass over the same memory.
PyObject* as_type(PyObject* self, PyObject* type) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), tensor_type), Type,
             "cls must be a subclass of Tensor");
    return wrap_as(reinterpret_cast<PyTypeObject*>(type), another(tensor_of(self)));
  });
}

PyMethodDef methods[] = {
    {"size", reinterpret_cast<PyCFunction>(fast_arguments<"size", size_method>), METH_FASTCALL | METH_KEYWORDS,
     "size(dim=None): the sizes, or one."},
    {"stride", reinterpret_cast<PyCFunction>(fast_arguments<"stride", stride_method>), METH_FASTCALL | METH_KEYWORDS,
     "stride(dim=None): the strides in elements, or one."},
    {"dim", no_arguments<"dim", dim_method>, METH_NOARGS, "The number of dimensions."},
    {"ndimension", no_arguments<"ndimension", dim_method>, METH_NOARGS, "The number of dimensions."},
    {"storage_offset", no_arguments<"storage_offset", storage_offset>, METH_NOARGS,
     "The first element's place in the storage, in elements."},
    {"data_ptr", no_arguments<"data_ptr", data_ptr>, METH_NOARGS, "The address of the first element."},
    {"element_size", no_arguments<"element_size", element_size>, METH_NOARGS, "The size of one element in bytes."},
    {"tolist", no_arguments<"tolist", tolist>, METH_NOARGS, "The elements as (nested) lists of Python numbers."},
    {"item", no_arguments<"item", item>, METH_NOARGS, "The one element as a Python number."},
    {"is_contiguous", reinterpret_cast<PyCFunction>(is_contiguous), METH_VARARGS | METH_KEYWORDS,
     "Whether elements lie in row-major (or the given) order without gaps."},
    {"is_set_to", one_argument<"is_set_to", is_set_to>, METH_O, "Whether both are the same view of the same storage."},
    {"_shares_storage", shares_storage, METH_O, nullptr},
    {"_set_geometry", set_geometry, METH_VARARGS, nullptr},
    {"_as_type", as_type, METH_O, nullptr},
    {"detach", no_arguments<"detach", detach>, METH_NOARGS,
     "The same memory without history; operations on it are not recorded."},
    {"detach_", no_arguments<"detach_", detach_here>, METH_NOARGS, "Forgets the history: the tensor becomes a leaf."},
    {"_is_view", no_arguments<"_is_view", is_view>, METH_NOARGS,
     "Whether it is a view of another tensor that autograd follows."},
    {"is_inference", no_arguments<"is_inference", is_inference>, METH_NOARGS, "Whether it was made in inference mode."},
    {nullptr}};

PyMemberDef members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, attributes), READONLY, nullptr},
                         {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weak_references), READONLY, nullptr},
                         {nullptr}};

// --- number protocol ------------------------------------------------------------------------------------------------

bool is_operand(PyObject* object) { return is_tensor(object) || is_number(object); }

OverloadSet& operator_set(OverloadSet*& cache, const char* name) {
  if (!cache) {
    cache = find_operator(name);
    LB_CHECK(cache, NotImplemented, "Lumbre has no operator '", name, "' yet");
  }
  return *cache;
}

template <size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&s)[N]) { std::copy_n(s, N, text); }
};

// Two exact tensors, or one and a number, go to the record without binding: only defaults are left to fill in.
PyObject* call_direct(OverloadSet& set, PyObject* a, PyObject* b) {
  const Overload& overload = set.get().front();
  const Param* kinds = overload.record->forward.params;
  const auto put = [&](PyObject* object, Param kind, Value& value) {
    value.given = true;
    if (is_exact_tensor(object)) {
      value.kind = Param::Tensor;
      value.tensor = &tensor_of(object);
      return true;
    }
    value.kind = Param::Scalar;
    return kind == Param::Operand && to_scalar(object, value.scalar);
  };
  Values storage(overload.record->forward.count);
  Value* values = storage.data();
  if (!put(a, kinds[0], values[0]) || !put(b, kinds[1], values[1]))
    return call(set, Out::Form::Function, std::array{a, b}.data(), 2, nullptr, nullptr);
  for (const size_t i : overload.defaults) {
    const Parameter& parameter = overload.parameters[i];
    if (parameter.slot >= 2) copy_value(parameter.default_value, values[parameter.slot]);
  }
  Result result = invoke(*overload.record, Out(), values);
  if (auto* tensor = std::get_if<Tensor>(&result)) return wrap(std::move(*tensor));
  return result_object(std::move(result), nullptr);
}

bool is_simple(PyObject* object) {
  return is_exact_tensor(object) || PyFloat_CheckExact(object) || PyLong_CheckExact(object);
}
bool direct(PyObject* a, PyObject* b) { return is_simple(a) && is_simple(b) && !override_state.mode_waits; }

// Where all decline that override it, Python goes on and asks the other operand.
template <class F>
PyObject* or_not_implemented(PyObject* a, PyObject* b, F f) {
  if (!is_overridden(std::array{a, b}.data(), 2)) return f();
  PyObject* result = guarded(f);
  if (result || !PyErr_ExceptionMatches(PyExc_TypeError)) return result;
  PyErr_Clear();
  Py_RETURN_NOTIMPLEMENTED;
}

// `straight` serves tensor (op) anything; `reversed` serves number (op) tensor with its operands in the same order.
template <Name straight, Name reversed>
PyObject* binary(PyObject* a, PyObject* b) {
  static OverloadSet* straight_set = nullptr;
  static OverloadSet* reversed_set = nullptr;
  return guarded([&]() -> PyObject* {
    if (!(is_operand(a) || has_override(a)) || !(is_operand(b) || has_override(b))) Py_RETURN_NOTIMPLEMENTED;
    if (is_tensor(a) || !is_tensor(b)) {
      OverloadSet& set = operator_set(straight_set, straight.text);
      if (direct(a, b)) return call_direct(set, a, b);
      return or_not_implemented(
          a, b, [&] { return call(set, Out::Form::Function, std::array{a, b}.data(), 2, nullptr, nullptr); });
    }
    // number (op) tensor: NumPy's scalars come here too.
    OverloadSet& set = operator_set(reversed_set, reversed.text);
    return or_not_implemented(
        a, b, [&] { return call(set, Out::Form::Function, std::array{b, a}.data(), 2, nullptr, nullptr); });
  });
}

template <Name name>
PyObject* in_place(PyObject* a, PyObject* b) {
  static OverloadSet* set = nullptr;
  return guarded([&]() -> PyObject* {
    if (!is_operand(b) && !has_override(b)) Py_RETURN_NOTIMPLEMENTED;
    return call(operator_set(set, name.text), Out::Form::InPlace, std::array{a, b}.data(), 2, nullptr, nullptr);
  });
}

template <Name name>
PyObject* unary(PyObject* a) {
  static OverloadSet* set = nullptr;
  return guarded([&] { return call(operator_set(set, name.text), Out::Form::Function, &a, 1, nullptr, nullptr); });
}

PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary<"pow", "_reversed_pow">(a, b);
}
PyObject* in_place_power(PyObject* a, PyObject* b, PyObject*) { return in_place<"pow">(a, b); }

PyObject* invert(PyObject* a) {
  if (is_floating(tensor_of(a).dtype()))
    return PyErr_Format(PyExc_TypeError, "~ (operator.invert) is only implemented on integer and Boolean-type tensors");
  return unary<"bitwise_not">(a);
}

PyObject* to_float(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (is_overridden(self)) return dispatch_method("__float__", &self, 1);
    compile::note_read("float");
    return PyFloat_FromDouble(tensor_of(self).item().as_double());
  });
}
PyObject* to_integer(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (is_overridden(self)) return dispatch_method("__int__", &self, 1);
    compile::note_read("int");
    const Scalar value = tensor_of(self).item();
    return value.is_float() ? PyLong_FromDouble(value.as_double()) : PyLong_FromLongLong(value.as_int());
  });
}
PyObject* to_index(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (is_overridden(self)) return dispatch_method("__index__", &self, 1);
    compile::note_read("int");
    const Tensor& t = tensor_of(self);
    LB_CHECK(t.count() == 1 && is_integral(t.dtype(), true), Type,
             "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(t.item().as_int());
  });
}
int to_bool(PyObject* self) {
  return guarded([&]() -> int {
    if (is_overridden(self)) return PyObject_IsTrue(Object::steal(dispatch_method("__bool__", &self, 1)).get());
    compile::note_read("bool");
    const Tensor& t = tensor_of(self);
    LB_CHECK(t.count() != 0, Runtime, "Boolean value of Tensor with no values is ambiguous");
    LB_CHECK(t.count() == 1, Runtime, "Boolean value of Tensor with more than one value is ambiguous");
    return t.item().as_bool();
  });
}
Py_ssize_t length(PyObject* self) {
  if (is_overridden(self))
    return guarded([&] { return PyLong_AsSsize_t(Object::steal(dispatch_method("__len__", &self, 1)).get()); });
  if (tensor_of(self).ndim() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return tensor_of(self).sizes()[0];
}

PyObject* compare(PyObject* a, PyObject* b, int operation) {
  static constexpr const char* names[] = {"lt", "le", "eq", "ne", "gt", "ge"};
  static OverloadSet* sets[6];
  return guarded([&]() -> PyObject* {
    if (!is_operand(b) && !has_override(b)) Py_RETURN_NOTIMPLEMENTED;
    OverloadSet& set = operator_set(sets[operation], names[operation]);
    if (direct(a, b)) return call_direct(set, a, b);
    return call(set, Out::Form::Function, std::array{a, b}.data(), 2, nullptr, nullptr);
  });
}

Py_hash_t hash(PyObject* self) { return _Py_HashPointer(self); }

PyObject* sequence_item(PyObject* self, Py_ssize_t index) {
  Object key = Object::steal(PyLong_FromSsize_t(index));
  return get_item(self, key.get());
}

template <class F>
void* slot(F* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

PyObject* wrap(Tensor tensor) {
  if (__builtin_expect(tensor->python_object != nullptr, 0)) {
    if (tensor->keeps_object) return take_back(tensor.get());
    return Py_NewRef(static_cast<PyObject*>(tensor->python_object));
  }
  return attach(allocate_object(), std::move(tensor));
}

PyObject* wrap_as(PyTypeObject* type, const Tensor& tensor) {
  Tensor target = tensor;
  if (tensor->python_object) {
    target = another(tensor);
  }
  if (type == tensor_type) return wrap(target);
  auto* self = reinterpret_cast<TensorObject*>(type->tp_alloc(type, 0));
  if (!self) throw PythonError{};
  return attach(self, target);
}

void add_tensor_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_new, slot(tensor_new)},
                         {Py_tp_dealloc, slot(dealloc)},
                         {Py_tp_finalize, slot(finalize)},
                         {Py_tp_traverse, slot(traverse)},
                         {Py_tp_clear, slot(clear)},
                         {Py_tp_setattro, slot(set_attribute)},
                         {Py_tp_getset, overridable_properties(properties, std::size(properties) - 1)},
                         {Py_tp_methods, methods},
                         {Py_tp_members, members},
                         {Py_tp_hash, slot(hash)},
                         {Py_tp_richcompare, slot(compare)},
                         {Py_mp_length, slot(length)},
                         {Py_sq_length, slot(length)},
                         {Py_sq_item, slot(sequence_item)},
                         {Py_mp_subscript, slot(get_item)},
                         {Py_mp_ass_subscript, slot(set_item)},
                         {Py_nb_add, slot(binary<"add", "add">)},
                         {Py_nb_subtract, slot(binary<"sub", "rsub">)},
                         {Py_nb_multiply, slot(binary<"mul", "mul">)},
                         {Py_nb_true_divide, slot(binary<"div", "_reversed_div">)},
                         {Py_nb_floor_divide, slot(binary<"floor_divide", "_reversed_floor_divide">)},
                         {Py_nb_remainder, slot(binary<"remainder", "_reversed_remainder">)},
                         {Py_nb_power, slot(power)},
                         {Py_nb_matrix_multiply, slot(binary<"matmul", "_reversed_matmul">)},
                         {Py_nb_and, slot(binary<"bitwise_and", "bitwise_and">)},
                         {Py_nb_or, slot(binary<"bitwise_or", "bitwise_or">)},
                         {Py_nb_xor, slot(binary<"bitwise_xor", "bitwise_xor">)},
                         {Py_nb_lshift, slot(binary<"bitwise_left_shift", "_reversed_left_shift">)},
                         {Py_nb_rshift, slot(binary<"bitwise_right_shift", "_reversed_right_shift">)},
                         {Py_nb_inplace_add, slot(in_place<"add">)},
                         {Py_nb_inplace_subtract, slot(in_place<"sub">)},
                         {Py_nb_inplace_multiply, slot(in_place<"mul">)},
                         {Py_nb_inplace_true_divide, slot(in_place<"div">)},
                         {Py_nb_inplace_floor_divide, slot(in_place<"floor_divide">)},
                         {Py_nb_inplace_remainder, slot(in_place<"remainder">)},
                         {Py_nb_inplace_power, slot(in_place_power)},
                         {Py_nb_inplace_and, slot(in_place<"bitwise_and">)},
                         {Py_nb_inplace_or, slot(in_place<"bitwise_or">)},
                         {Py_nb_inplace_xor, slot(in_place<"bitwise_xor">)},
                         {Py_nb_inplace_lshift, slot(in_place<"bitwise_left_shift">)},
                         {Py_nb_inplace_rshift, slot(in_place<"bitwise_right_shift">)},
                         {Py_nb_negative, slot(unary<"neg">)},
                         {Py_nb_positive, slot(unary<"positive">)},
                         {Py_nb_absolute, slot(unary<"abs">)},
                         {Py_nb_invert, slot(invert)},
                         {Py_nb_float, slot(to_float)},
                         {Py_nb_int, slot(to_integer)},
                         {Py_nb_index, slot(to_index)},
                         {Py_nb_bool, slot(to_bool)},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre.Tensor", sizeof(TensorObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  tensor_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
  TensorData::end_kept_object = end_kept_object;
  if (PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(tensor_type)) < 0) throw PythonError{};
}

}  // namespace lumbre::python
