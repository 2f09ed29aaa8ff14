// torch.dtype, torch.layout, torch.memory_format: small immortal objects; torch.Size: a tuple that prints as one.
#include "python/objects.h"

namespace lumbre::python {

namespace {

struct NamedObject {
  PyObject_HEAD uint8_t value;
  const char* name;
};

std::string prefix = "lumbre";
PyTypeObject* dtype_type;
PyTypeObject* layout_type;
PyTypeObject* memory_format_type;
PyTypeObject* size_type;
NamedObject* dtypes[kDTypeCount];
NamedObject* formats[4];
NamedObject* layouts[6];

// Dtypes of PyTorch that Lumbre does not compute in. They can be named, compared and asked; using one is an error.
struct Absent {
  const char* name;
  uint8_t bytes;
  bool floating, complex, is_signed;
};
constexpr Absent kAbsent[] = {{"uint16", 2, false, false, false},        {"uint32", 4, false, false, false},
                              {"uint64", 8, false, false, false},        {"complex32", 4, false, true, true},
                              {"complex64", 8, false, true, true},       {"complex128", 16, false, true, true},
                              {"float8_e4m3fn", 1, true, false, true},   {"float8_e4m3fnuz", 1, true, false, true},
                              {"float8_e5m2", 1, true, false, true},     {"float8_e5m2fnuz", 1, true, false, true},
                              {"float8_e8m0fnu", 1, true, false, false}, {"float4_e2m1fn_x2", 1, true, false, true},
                              {"qint8", 1, false, false, true},          {"quint8", 1, false, false, false},
                              {"qint32", 4, false, false, true},         {"quint4x2", 1, false, false, false},
                              {"quint2x4", 1, false, false, false}};

NamedObject* named(PyObject* self) { return reinterpret_cast<NamedObject*>(self); }

PyObject* named_repr(PyObject* self) { return PyUnicode_FromFormat("%s.%s", prefix.c_str(), named(self)->name); }
// Pickled by name, found again in the package.
PyObject* named_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(named(self)->name); }
PyObject* named_self(PyObject* self, PyObject*) { return Py_NewRef(self); }

const Absent* absent(PyObject* self) {
  return named(self)->value < kDTypeCount ? nullptr : &kAbsent[named(self)->value - kDTypeCount];
}
DType dtype_value(PyObject* self) {
  LB_CHECK(!absent(self), NotImplemented, "Lumbre does not compute in ", prefix, ".", named(self)->name,
           ": it has bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32 and float64");
  return static_cast<DType>(named(self)->value);
}
PyObject* dtype_is_floating(PyObject* self, void*) {
  return PyBool_FromLong(absent(self) ? absent(self)->floating : is_floating(dtype_value(self)));
}
PyObject* dtype_is_complex(PyObject* self, void*) { return PyBool_FromLong(absent(self) && absent(self)->complex); }
PyObject* dtype_is_signed(PyObject* self, void*) {
  return PyBool_FromLong(absent(self) ? absent(self)->is_signed : is_signed(dtype_value(self)));
}
PyObject* dtype_item_size(PyObject* self, void*) {
  return PyLong_FromSize_t(absent(self) ? absent(self)->bytes : item_size(dtype_value(self)));
}
PyObject* dtype_to_real(PyObject* self, PyObject*) {
  if (!absent(self) || !absent(self)->complex) return Py_NewRef(self);
  const bool is_double = absent(self)->bytes == 16, is_half = absent(self)->bytes == 4;
  return Py_NewRef(dtype_object(is_double ? DType::Float64 : is_half ? DType::Float16 : DType::Float32));
}

PyMethodDef dtype_methods[] = {{"__reduce__", named_reduce, METH_NOARGS, nullptr},
                               {"__copy__", named_self, METH_NOARGS, nullptr},
                               {"__deepcopy__", named_self, METH_O, nullptr},
                               {"to_real", dtype_to_real, METH_NOARGS, "The real dtype of the same precision."},
                               {nullptr}};
PyMethodDef named_methods[] = {{"__reduce__", named_reduce, METH_NOARGS, nullptr},
                               {"__copy__", named_self, METH_NOARGS, nullptr},
                               {"__deepcopy__", named_self, METH_O, nullptr},
                               {nullptr}};
PyGetSetDef dtype_properties[] = {
    {"is_floating_point", dtype_is_floating, nullptr, "Whether elements are floating-point numbers.", nullptr},
    {"is_complex", dtype_is_complex, nullptr, "Whether elements are complex numbers.", nullptr},
    {"is_signed", dtype_is_signed, nullptr, "Whether elements can be negative.", nullptr},
    {"itemsize", dtype_item_size, nullptr, "The size of one element in bytes.", nullptr},
    {nullptr}};

PyTypeObject* make_named_type(const char* name, PyMethodDef* methods, PyGetSetDef* properties) {
  PyType_Slot slots[] = {{Py_tp_repr, reinterpret_cast<void*>(named_repr)},
                         {Py_tp_methods, methods},
                         {properties ? Py_tp_getset : 0, properties},
                         {0, nullptr}};
  PyType_Spec spec{name, sizeof(NamedObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
}

NamedObject* make_named(PyTypeObject* type, uint8_t value, const char* name) {
  auto* object = PyObject_New(NamedObject, type);
  if (!object) throw PythonError{};
  object->value = value;
  object->name = name;
  return object;
}

PyObject* size_repr(PyObject* self) {
  Object tuple = Object::steal(PySequence_List(self));
  Object text = Object::steal(PyObject_Repr(tuple.get()));
  return PyUnicode_FromFormat("%s.Size(%U)", prefix.c_str(), text.get());
}

PyObject* size_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    Object self = Object::steal(PyTuple_Type.tp_new(type, arguments, keywords));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self.get()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(self.get(), i);
      if (PyLong_Check(item)) continue;
      int64_t value;
      if (!to_int(item, value)) {
        PyErr_Format(PyExc_TypeError, "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i,
                     Py_TYPE(item)->tp_name);
        throw PythonError{};
      }
      PyTuple_SET_ITEM(self.get(), i, PyLong_FromLongLong(value));
      Py_DECREF(item);
    }
    return self.release();
  });
}

PyObject* as_size(PyObject* tuple) {
  if (!tuple || !PyTuple_CheckExact(tuple)) return tuple;
  PyObject* size = PyObject_CallOneArg(reinterpret_cast<PyObject*>(size_type), tuple);
  Py_DECREF(tuple);
  return size;
}
PyObject* size_sequence_concat(PyObject* a, PyObject* b) {
  return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}
PyObject* size_add(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return size_sequence_concat(a, b);
}
PyObject* size_repeat(PyObject* self, Py_ssize_t n) { return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, n)); }
PyObject* size_subscript(PyObject* self, PyObject* index) {
  return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(self, index));
}
PyObject* size_numel(PyObject* self, PyObject*) {
  return guarded([&] {
    Dims dims;
    to_dims(self, dims);
    return PyLong_FromLongLong(count_elements(dims));
  });
}
PyObject* size_reduce(PyObject* self, PyObject*) {
  Object items = Object::steal(PySequence_List(self));
  Object tuple = Object::steal(PyList_AsTuple(items.get()));
  return Py_BuildValue("(O(O))", size_type, tuple.get());
}

PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this size."},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                              {nullptr}};

PyTypeObject* make_size_type() {
  PyType_Slot slots[] = {{Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                         {Py_tp_new, reinterpret_cast<void*>(size_new)},
                         {Py_nb_add, reinterpret_cast<void*>(size_add)},
                         {Py_sq_concat, reinterpret_cast<void*>(size_sequence_concat)},
                         {Py_sq_repeat, reinterpret_cast<void*>(size_repeat)},
                         {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                         {Py_tp_methods, size_methods},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre.Size", 0, 0, Py_TPFLAGS_DEFAULT, slots};
  Object bases = Object::steal(PyTuple_Pack(1, &PyTuple_Type));
  return reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpecWithBases(&spec, bases.get())).release());
}

void add(PyObject* module, const char* name, PyObject* object) {
  if (PyModule_AddObjectRef(module, name, object) < 0) throw PythonError{};
}

}  // namespace

void set_printed_prefix(const std::string& value) { prefix = value; }
const std::string& printed_prefix() { return prefix; }

PyObject* dtype_object(DType dtype) { return reinterpret_cast<PyObject*>(dtypes[static_cast<int>(dtype)]); }
bool is_dtype(PyObject* object) { return Py_TYPE(object) == dtype_type; }
DType dtype_of_object(PyObject* object) { return dtype_value(object); }
PyObject* memory_format_object(MemoryFormat format) {
  return reinterpret_cast<PyObject*>(formats[static_cast<int>(format)]);
}
bool is_memory_format(PyObject* object) { return Py_TYPE(object) == memory_format_type; }
MemoryFormat memory_format_of(PyObject* object) { return static_cast<MemoryFormat>(named(object)->value); }
bool is_layout(PyObject* object) { return Py_TYPE(object) == layout_type; }
bool is_strided_layout(PyObject* object) { return is_layout(object) && named(object)->value == 0; }
PyObject* strided_layout() { return reinterpret_cast<PyObject*>(layouts[0]); }

PyObject* size_object(const Dims& sizes) {
  PyObject* tuple = size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(sizes.size()));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < sizes.size(); ++i)
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(sizes[i]));
  return tuple;
}

void add_dtypes(PyObject* module) {
  dtype_type = make_named_type("lumbre.dtype", dtype_methods, dtype_properties);
  layout_type = make_named_type("lumbre.layout", named_methods, nullptr);
  memory_format_type = make_named_type("lumbre.memory_format", named_methods, nullptr);
  size_type = make_size_type();
  add(module, "dtype", reinterpret_cast<PyObject*>(dtype_type));
  add(module, "layout", reinterpret_cast<PyObject*>(layout_type));
  add(module, "memory_format", reinterpret_cast<PyObject*>(memory_format_type));
  add(module, "Size", reinterpret_cast<PyObject*>(size_type));
  for (int i = 0; i < kDTypeCount; ++i) {
    const char* name = dtype_name(static_cast<DType>(i));
    dtypes[i] = make_named(dtype_type, static_cast<uint8_t>(i), name);
    add(module, name, dtype_object(static_cast<DType>(i)));
  }
  for (size_t i = 0; i < std::size(kAbsent); ++i)
    add(module, kAbsent[i].name,
        Object::steal(
            reinterpret_cast<PyObject*>(make_named(dtype_type, static_cast<uint8_t>(kDTypeCount + i), kAbsent[i].name)))
            .get());
  const char* format_names[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};
  for (int i = 0; i < 4; ++i) {
    formats[i] = make_named(memory_format_type, static_cast<uint8_t>(i), format_names[i]);
    add(module, format_names[i], reinterpret_cast<PyObject*>(formats[i]));
  }
  const char* layout_names[] = {"strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"};
  for (int i = 0; i < 6; ++i) {
    layouts[i] = make_named(layout_type, static_cast<uint8_t>(i), layout_names[i]);
    add(module, layout_names[i], reinterpret_cast<PyObject*>(layouts[i]));
  }
}

}  // namespace lumbre::python
