// What steers the engine from Python: threads, default dtype, device, generator, printed names; and tensor().

#include <cstring>

#include "base/warning.h"
#include "base/blas.h"
#include "base/memory.h"
#include "base/threads.h"
#include "autograd/modes.h"
#include "compile/recorder.h"
#include "ops/backward.h"
#include "python/objects.h"
#include "python/overrides.h"

namespace lumbre::python {

void add_numpy(PyObject* module);
void add_dlpack(PyObject* module);
void add_buffers(PyObject* module);
void add_files(PyObject* module);

namespace {

PyObject* device_cpu = nullptr;
PyObject* device_checker = nullptr;
PyObject* blas_resolver = nullptr;
PyTypeObject* generator_type = nullptr;

// --- Generator ------------------------------------------------------------------------------------------------------

GeneratorObject* generator_object(PyObject* self) { return reinterpret_cast<GeneratorObject*>(self); }

PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  PyObject* device = Py_None;
  static const char* names[] = {"device", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:Generator", const_cast<char**>(names), &device)) return nullptr;
  return guarded([&]() -> PyObject* {
    check_device(device);
    auto generator = std::make_unique<Generator>();
    auto* self = reinterpret_cast<GeneratorObject*>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->generator = generator.release();
    return reinterpret_cast<PyObject*>(self);
  });
}
void generator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (generator_object(self)->weak_references) PyObject_ClearWeakRefs(self);
  if (generator_object(self)->generator != &default_generator())
    std::unique_ptr<Generator>(generator_object(self)->generator).reset();
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* generator_manual_seed(PyObject* self, PyObject* seed) {
  return guarded([&]() -> PyObject* {
    Object number = Object::steal(PyNumber_Index(seed));
    int overflow;
    const long long value = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    uint64_t bits = static_cast<uint64_t>(value);
    if (overflow > 0) bits = PyLong_AsUnsignedLongLong(number.get());
    if (PyErr_Occurred() || overflow < 0) {
      PyErr_Clear();
      fail(ErrorKind::Value, "Overflow when unpacking unsigned long long");
    }
    generator_of(self).manual_seed(bits);
    return Py_NewRef(self);
  });
}
PyObject* generator_seed(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(generator_of(self).seed()); });
}
PyObject* generator_initial_seed(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(generator_of(self).initial_seed());
}
PyObject* generator_get_state(PyObject* self, PyObject*) {
  return guarded([&] {
    const auto state = generator_of(self).state();
    Tensor bytes = Tensor::empty({static_cast<int64_t>(state.size())}, DType::UInt8);
    std::memcpy(bytes.bytes(), state.data(), state.size());
    return wrap(bytes);
  });
}
PyObject* generator_set_state(PyObject* self, PyObject* state) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(state), Type, "expected a torch.ByteTensor, but got ", Py_TYPE(state)->tp_name);
    LB_CHECK(tensor_of(state).dtype() == DType::UInt8, Type, "RNG state must be a torch.ByteTensor");
    const Tensor bytes = tensor_of(state).contiguous();
    generator_of(self).set_state(bytes.as<uint8_t>(), static_cast<size_t>(bytes.count()));
    return Py_NewRef(self);
  });
}
PyObject* generator_device(PyObject*, void*) { return Py_NewRef(cpu_device()); }

PyMethodDef generator_methods[] = {
    {"manual_seed", generator_manual_seed, METH_O, "Starts the stream of a seed; returns the generator."},
    {"seed", generator_seed, METH_NOARGS, "Seeds from the operating system and returns the seed."},
    {"initial_seed", generator_initial_seed, METH_NOARGS, "The seed that the stream began with."},
    {"get_state", generator_get_state, METH_NOARGS, "The state as a uint8 tensor of 5056 elements."},
    {"set_state", generator_set_state, METH_O, "Takes a state of get_state()."},
    {nullptr}};
PyGetSetDef generator_properties[] = {{"device", generator_device, nullptr, "The CPU.", nullptr}, {nullptr}};

// --- controls -------------------------------------------------------------------------------------------------------

PyObject* get_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* set_threads(PyObject*, PyObject* count) {
  return guarded([&]() -> PyObject* {
    int64_t value;
    LB_CHECK(!PyBool_Check(count) && to_int(count, value), Type, "set_num_threads expects an int, but got ",
             Py_TYPE(count)->tp_name);
    LB_CHECK(value > 0, Runtime, "set_num_threads expects a positive integer");
    set_num_threads(static_cast<int>(std::min<int64_t>(value, 1024)));
    Py_RETURN_NONE;
  });
}
PyObject* get_default(PyObject*, PyObject*) { return Py_NewRef(dtype_object(default_dtype())); }
PyObject* set_default(PyObject*, PyObject* dtype) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_dtype(dtype), Type,
             "invalid dtype object: only floating-point types are supported as the default type");
    set_default_dtype(dtype_of_object(dtype));
    Py_RETURN_NONE;
  });
}
PyObject* set_prefix(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) return nullptr;
  set_printed_prefix(text);
  Py_RETURN_NONE;
}
// _set_device(cpu object, checker): the package's device class lives in Python.
PyObject* set_device(PyObject*, PyObject* args) {
  PyObject *cpu, *checker;
  if (!PyArg_ParseTuple(args, "OO", &cpu, &checker)) return nullptr;
  device_cpu = Py_NewRef(cpu);
  device_checker = Py_NewRef(checker);
  Py_RETURN_NONE;
}
std::string resolve_blas() {
  Object path = Object::steal(PyObject_CallNoArgs(blas_resolver));
  const char* text = PyUnicode_AsUTF8(path.get());
  if (!text) throw PythonError{};
  return text;
}
PyObject* set_blas_resolver(PyObject*, PyObject* resolver) {
  blas_resolver = Py_NewRef(resolver);
  blas::set_library_resolver(resolve_blas);
  Py_RETURN_NONE;
}
PyObject* promote(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "OO:promote_types", &a, &b)) return nullptr;
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_dtype(a), Type, "promote_types(): argument 'type1' (position 1) must be torch.dtype, not ",
             Py_TYPE(a)->tp_name);
    LB_CHECK(is_dtype(b), Type, "promote_types(): argument 'type2' (position 2) must be torch.dtype, not ",
             Py_TYPE(b)->tp_name);
    return Py_NewRef(dtype_object(promote_types(dtype_of_object(a), dtype_of_object(b))));
  });
}
PyObject* castable(PyObject*, PyObject* args) {
  PyObject *from, *to;
  if (!PyArg_ParseTuple(args, "OO:can_cast", &from, &to)) return nullptr;
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_dtype(from) && is_dtype(to), Type, "can_cast(): arguments must be torch.dtype");
    return PyBool_FromLong(can_cast(dtype_of_object(from), dtype_of_object(to)));
  });
}
PyObject* result_type(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PromotionState state;
    LB_CHECK(PyTuple_GET_SIZE(args) == 2, Type, "result_type() takes 2 positional arguments");
    for (int i = 0; i < 2; ++i) {
      PyObject* object = PyTuple_GET_ITEM(args, i);
      Scalar number;
      if (is_tensor(object))
        state.add(tensor_of(object));
      else if (to_scalar(object, number))
        state.add(number);
      else
        fail(ErrorKind::Type, "result_type(): argument must be Tensor or Number, not ", Py_TYPE(object)->tp_name);
    }
    return Py_NewRef(dtype_object(state.result()));
  });
}
PyObject* release_memory(PyObject*, PyObject*) {
  empty_cache();
  Py_RETURN_NONE;
}

// tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)
PyObject* make_tensor(PyObject* module, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (__builtin_expect(override_state.mode_waits, 0)) {
      Object own = Object::steal(PyObject_GetAttrString(module, "tensor"));
      return dispatch_override(own.get(), args, static_cast<size_t>(count), names);
    }
    const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    PyObject* data = count ? args[0] : nullptr;
    std::optional<DType> dtype;
    bool requires_grad = false;
    LB_CHECK(count <= 1, Type, "tensor() takes 1 positional argument but ", count, " were given");
    for (Py_ssize_t k = 0; k < named; ++k) {
      PyObject* name = PyTuple_GET_ITEM(names, k);
      PyObject* value = args[count + k];
      const auto is = [&](const char* s) { return PyUnicode_CompareWithASCIIString(name, s) == 0; };
      if (is("data") && !data) {
        data = value;
      } else if (is("dtype")) {
        if (value == Py_None) continue;
        if (is_dtype(value))
          dtype = dtype_of_object(value);
        else if (value == reinterpret_cast<PyObject*>(&PyFloat_Type))
          dtype = DType::Float64;
        else if (value == reinterpret_cast<PyObject*>(&PyLong_Type))
          dtype = DType::Int64;
        else if (value == reinterpret_cast<PyObject*>(&PyBool_Type))
          dtype = DType::Bool;
        else
          fail(ErrorKind::Type, "tensor(): argument 'dtype' must be torch.dtype, not ", Py_TYPE(value)->tp_name);
      } else if (is("device")) {
        check_device(value);
      } else if (is("requires_grad")) {
        requires_grad = PyObject_IsTrue(value) == 1;
      } else if (!is("pin_memory") && !is("names")) {
        fail(ErrorKind::Type, "tensor() got an unexpected keyword argument '", PyUnicode_AsUTF8(name), "'");
      }
    }
    LB_CHECK(data, Type, "tensor() missing 1 required positional arguments: \"data\"");
    Tensor result = tensor_from_data(data, dtype, true);
    result->inference = autograd::modes.inference;
    auto* recorder = compile::Recorder::current();
    if (recorder) recorder->constant(result);
    if (requires_grad) {
      LB_CHECK(is_floating(result.dtype()), Runtime,
               "Only Tensors of floating point and complex dtype can require gradients");
      if (recorder) recorder->require_gradient(result, true);
      result->requires_grad = true;
    }
    return wrap(result);
  });
}
// _convert(data, dtype or None): shares memory where it can.
PyObject* convert(PyObject*, PyObject* args) {
  PyObject *data, *dtype;
  if (!PyArg_ParseTuple(args, "OO", &data, &dtype)) return nullptr;
  return guarded([&] {
    std::optional<DType> wanted;
    if (dtype != Py_None) {
      LB_CHECK(is_dtype(dtype), Type, "argument 'dtype' must be torch.dtype, not ", Py_TYPE(dtype)->tp_name);
      wanted = dtype_of_object(dtype);
    }
    auto* recorder = compile::Recorder::current();
    if (recorder && is_tensor(data)) return wrap(wanted ? op::cast(tensor_of(data), *wanted) : tensor_of(data));
    const Tensor made = tensor_from_data(data, wanted, false);
    if (recorder) recorder->constant(made);
    return wrap(made);
  });
}

PyMethodDef functions[] = {
    {"get_num_threads", get_threads, METH_NOARGS, "get_num_threads() -> int: how many threads an operation may use."},
    {"set_num_threads", set_threads, METH_O,
     "set_num_threads(n): how many threads an operation may use; results do not depend on it."},
    {"get_default_dtype", get_default, METH_NOARGS, "get_default_dtype() -> dtype: what Python floats become."},
    {"_set_default_dtype", set_default, METH_O, nullptr},
    {"_set_printed_prefix", set_prefix, METH_O, nullptr},
    {"_set_device", set_device, METH_VARARGS, nullptr},
    {"_set_blas_resolver", set_blas_resolver, METH_O, nullptr},
    {"promote_types", promote, METH_VARARGS,
     "promote_types(type1, type2) -> dtype: the smallest dtype that holds both."},
    {"can_cast", castable, METH_VARARGS,
     "can_cast(from_, to) -> bool: whether promotion allows writing one dtype to the other."},
    {"result_type", result_type, METH_VARARGS,
     "result_type(tensor1, tensor2) -> dtype: what an operation of both gives."},
    {"_empty_cache", release_memory, METH_NOARGS, nullptr},
    {"tensor", reinterpret_cast<PyCFunction>(make_tensor), METH_FASTCALL | METH_KEYWORDS,
     "tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False) -> Tensor\n\nA new tensor from "
     "numbers, nested sequences, arrays or tensors: always a copy. Raises ValueError for ragged sequences.\n\n"
     ">>> torch.tensor([[1., 2.], [3., 4.]])\ntensor([[1., 2.],\n        [3., 4.]])"},
    {"_convert", convert, METH_VARARGS, nullptr},
    {nullptr}};

}  // namespace

PyObject* cpu_device() { return device_cpu ? device_cpu : Py_None; }
void check_device(PyObject* object) {
  if (object == Py_None || object == device_cpu) return;
  if (PyUnicode_CheckExact(object) && PyUnicode_CompareWithASCIIString(object, "cpu") == 0) return;
  Object checked = Object::steal(PyObject_CallOneArg(device_checker, object));
}

bool is_generator(PyObject* object) { return generator_type && PyObject_TypeCheck(object, generator_type); }
Generator& generator_of(PyObject* object) { return *generator_object(object)->generator; }

void add_generator(PyObject* module) {
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(GeneratorObject, weak_references), 1, nullptr}, {nullptr}};
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(generator_new)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
                         {Py_tp_methods, generator_methods},
                         {Py_tp_members, members},
                         {Py_tp_getset, generator_properties},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre.Generator", sizeof(GeneratorObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  generator_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
  if (PyModule_AddObjectRef(module, "Generator", reinterpret_cast<PyObject*>(generator_type)) < 0) throw PythonError{};
  Object global = Object::steal(generator_type->tp_alloc(generator_type, 0));
  generator_object(global.get())->generator = &default_generator();
  if (PyModule_AddObjectRef(module, "default_generator", global.get()) < 0) throw PythonError{};
}

void add_bridges(PyObject* module) {
  add_numpy(module);
  add_dlpack(module);
  add_buffers(module);
  add_files(module);
}

void add_controls(PyObject* module) {
  warning_handler = [](const std::string& message) {
    if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1) < 0) throw PythonError{};
  };
  set_long_work_hooks({[]() -> void* { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
                       [](void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); }});
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
}

}  // namespace lumbre::python
