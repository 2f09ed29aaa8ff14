// tensor[...] read and written: integers, slices, None, Ellipsis and booleans become views; index tensors, lists and
// masks are left for one call of index / index_put_.
#include "compile/recorder.h"
#include "ops/backward.h"
#include "ops/views.h"
#include "python/overrides.h"

namespace lumbre::python {

namespace {

struct Indexed {
  Tensor view;
  std::vector<Tensor> indices;  // per dimension of the view; undefined where none
  bool advanced = false;
};

// A second ellipsis can move past the end.
void check_dim(const Tensor& t, int dim) {
  LB_CHECK(dim < t.ndim(), Index, "too many indices for tensor of dimension ", t.ndim());
}

// Steps of an index are recorded one by one, under the names that PyTorch gives them.
bool recorded(const Tensor& t) {
  return (autograd::grad_enabled() && autograd::requires_grad(t)) || compile::recording();
}

// What was made of numbers between the brackets.
Tensor constant(Tensor made) {
  if (auto* recorder = compile::Recorder::current()) recorder->constant(made);
  return made;
}

// `position` is the index's place between the brackets, which the message names as the dimension.
Tensor select(const Tensor& t, int dim, int64_t index, int position = 0) {
  check_dim(t, dim);
  const int64_t size = t.sizes()[dim];
  LB_CHECK(index >= -size && index < size, Index, "index ", index, " is out of bounds for dimension ", position,
           " with size ", size);
  if (recorded(t)) return op::call<"select">(t, dim, index);
  if (index < 0) index += size;
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t offset = t->offset + index * strides[dim];
  sizes.erase(dim);
  strides.erase(dim);
  return ops::with_geometry(t, sizes, strides, offset);
}

struct Bounds {
  Py_ssize_t start, stop, step;
};

Bounds slice_bounds(PyObject* object) {
  Bounds bounds;
  if (PySlice_Unpack(object, &bounds.start, &bounds.stop, &bounds.step) < 0) throw PythonError{};
  LB_CHECK(bounds.step > 0, Value, "step must be greater than zero");
  return bounds;
}

// A slice beside other indices, or written to, that leaves its dimension as it is makes no view of its own.
Tensor slice(const Tensor& t, int dim, PyObject* object, bool among_others) {
  const auto [start, stop, step] = slice_bounds(object);
  check_dim(t, dim);
  const int64_t size = t.sizes()[dim];
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(start), last = std::max(clamp(stop), first);
  if (among_others && start == 0 && stop >= size && step == 1) return t;
  if (recorded(t)) return op::call<"_slice">(t, dim, first, last, static_cast<int64_t>(step));
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t offset = t->offset + first * strides[dim];
  sizes[dim] = (last - first) / step + ((last - first) % step != 0);
  strides[dim] = checked_multiply(strides[dim], step);
  return ops::with_geometry(t, sizes, strides, offset);
}

Tensor insert_dim(const Tensor& t, int dim) {
  LB_CHECK(dim <= t.ndim(), Index, "too many indices for tensor of dimension ", t.ndim());
  if (recorded(t)) return op::unsqueeze(t, dim);
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t stride = dim < t.ndim() ? sizes[dim] * strides[dim] : 1;
  sizes.insert(static_cast<size_t>(dim), 1);
  strides.insert(static_cast<size_t>(dim), stride);
  return ops::with_geometry(t, sizes, strides, t->offset);
}

Tensor index_tensor(PyObject* object) {
  if (is_tensor(object)) return tensor_of(object);
  if (is_numpy_array(object)) return tensor_from_data(object, std::nullopt, false);
  LB_CHECK(!PyUnicode_Check(object), Type, "new(): invalid data type 'str'");
  // A sequence of any numbers stands for integers, one of booleans for a mask.
  const Tensor made = tensor_from_data(object, std::nullopt, false);
  return constant(made.dtype() == DType::Bool && made.count() > 0 ? made : made.to(DType::Int64));
}

// A list that holds anything but numbers is read as a tuple, as old NumPy did.
bool is_tuple_of_indices(PyObject* object) {
  if (PyTuple_Check(object)) return true;
  if (!PyList_Check(object) || PyList_GET_SIZE(object) >= 32) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(object); ++i) {
    PyObject* item = PyList_GET_ITEM(object, i);
    if (is_tensor(item) || PySequence_Check(item) || PySlice_Check(item) || item == Py_Ellipsis || item == Py_None)
      return true;
  }
  return false;
}

// A single boolean chooses its one new row or none.
Tensor row_choice(bool chosen) { return constant(Tensor::zeros({chosen ? 1 : 0}, DType::Int64)); }

// How many dimensions of the tensor an index element uses up.
int dims_used(PyObject* object) {
  if (object == Py_None || object == Py_Ellipsis || PyBool_Check(object)) return 0;
  if (is_tensor(object)) {
    const Tensor& t = tensor_of(object);
    return t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t.ndim() : 1;
  }
  if (is_numpy_array(object)) {
    const Tensor t = tensor_from_numpy(object, false);
    return t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t.ndim() : 1;
  }
  return 1;
}

class Walker {
 public:
  Walker(const Tensor& self, bool several) : several_(several) { result_.view = self; }

  Indexed walk(PyObject* const* items, Py_ssize_t count) {
    int64_t used = 0;
    for (Py_ssize_t i = 0; i < count; ++i) used += dims_used(items[i]);
    const int ndim = result_.view.ndim();
    LB_CHECK(used <= ndim, Index, "too many indices for tensor of dimension ", ndim);
    for (Py_ssize_t i = 0; i < count; ++i) step(items[i], static_cast<int>(i), ndim - static_cast<int>(used));
    for (const Tensor& index : result_.indices)
      LB_CHECK(!index.defined() || is_integral(index.dtype(), true), Index,
               "tensors used as indices must be long, int, byte or bool tensors");
    return std::move(result_);
  }

 private:
  void step(PyObject* object, int position, int hidden) {
    if (PySlice_Check(object)) {
      result_.view = slice(result_.view, dim_, object, several_);
      ++dim_;
    } else if (object == Py_None) {
      result_.view = insert_dim(result_.view, dim_++);
    } else if (object == Py_Ellipsis) {
      dim_ += hidden;
    } else if (PyBool_Check(object)) {
      result_.view = insert_dim(result_.view, dim_);
      advanced(row_choice(object == Py_True), 1);
    } else if (!is_tensor(object) && !is_numpy_array(object) && !PySequence_Check(object)) {
      int64_t index;
      LB_CHECK(to_int(object, index), Index,
               "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
               "Variables are valid indices (got ",
               Py_TYPE(object)->tp_name, ")");
      result_.view = select(result_.view, dim_, index, position);
    } else {
      const Tensor index = index_tensor(object);
      const bool mask = index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
      if (index.ndim() > 0 || is_floating(index.dtype())) {
        advanced(index, mask ? index.ndim() : 1);
      } else if (mask) {
        result_.view = insert_dim(result_.view, dim_);
        compile::note_read("a mask of one element");
        advanced(row_choice(index.item().as_bool()), 1);
      } else {
        compile::note_read("a tensor that serves as an index");
        result_.view = select(result_.view, dim_, index.item().as_int(), position);
      }
    }
  }
  // Places an index tensor that stands for `width` dimensions.
  void advanced(const Tensor& index, int width) {
    LB_CHECK(dim_ + width <= result_.view.ndim(), Index, "too many indices for tensor of dimension ",
             result_.view.ndim());
    result_.advanced = true;
    // A mask of several dimensions is one entry, at its first dimension; the entries of its others stay undefined.
    result_.indices.resize(static_cast<size_t>(dim_ + width));
    result_.indices[static_cast<size_t>(dim_)] = index;
    dim_ += width;
  }

  Indexed result_;
  bool several_;
  int dim_ = 0;
};

Indexed apply(const Tensor& self, PyObject* index, bool to_write) {
  const bool several = is_tuple_of_indices(index);
  Walker walker(self, several || to_write);
  if (several) return walker.walk(PySequence_Fast_ITEMS(index), PySequence_Fast_GET_SIZE(index));
  if (PySlice_Check(index) && self.ndim() == 0) {
    slice_bounds(index);
    fail(ErrorKind::Index, "slice() cannot be applied to a 0-dim tensor.");
  }
  return walker.walk(&index, 1);
}

// A number between the brackets of a 0-dim tensor.
[[noreturn]] void refuse_number(PyObject* index) {
  int64_t i = 0;
  to_int(index, i);
  LB_CHECK(i == 0, Index, "index ", i, " is out of bounds for dimension 0 with size 0");
  fail(ErrorKind::Index,
       "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
       "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
}

// Most indices are looked at no further.
bool index_overrides(PyObject* self, PyObject* index) {
  if (__builtin_expect(is_exact_tensor(self) && !override_state.mode_waits, 1) &&
      (PyLong_Check(index) || PySlice_Check(index) || PyTuple_Check(index) || PyList_Check(index) ||
       is_exact_tensor(index) || index == Py_None || index == Py_Ellipsis))
    return false;
  return is_overridden(std::array{self, index}.data(), 2);
}

// Python's numbers and NumPy's integers; NumPy's other numbers are refused, as PyTorch does.
bool to_value(PyObject* value, Scalar& number) {
  const bool python = PyBool_Check(value) || PyFloat_Check(value) || PyLong_Check(value);
  return (python || (PyIndex_Check(value) && !is_tensor(value) &&
                     std::strncmp(Py_TYPE(value)->tp_name, "numpy.bool", 10) != 0)) &&
         to_scalar(value, number);
}

Tensor value_tensor(PyObject* value, DType dtype) {
  if (is_tensor(value)) return tensor_of(value);
  Scalar number;
  if (to_value(value, number)) return constant(Tensor::scalar(number, dtype));
  fail(ErrorKind::Type, "can't assign a ", Py_TYPE(value)->tp_name, " to a torch.", dtype_title(dtype), "Tensor");
}

// A value as the target's sizes: leading dimensions of size 1 are dropped, what is left must broadcast.
Tensor fitted(const Tensor& value, const Tensor& target) {
  if (value.ndim() == 0 || value.sizes() == target.sizes()) return value;
  Tensor result = value;
  while (result.ndim() > 0 && result.sizes()[0] == 1) result = select(result, 0, 0);
  return recorded(result) ? op::expand(result, target.sizes()) : ops::expand(result, target.sizes());
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* index) {
  return guarded([&]() -> PyObject* {
    if (index_overrides(self, index)) return dispatch_method("__getitem__", std::array{self, index}.data(), 2);
    const Tensor& t = tensor_of(self);
    if (PyLong_CheckExact(index) && is_exact_tensor(self)) {
      if (t.ndim() == 0) refuse_number(index);
      int64_t i;
      to_int(index, i);
      return wrap(select(t, 0, i));
    }
    if (t.ndim() == 0 && PyLong_Check(index) && !PyBool_Check(index)) refuse_number(index);
    Indexed indexed = apply(t, index, false);
    if (!indexed.advanced) {
      if (indexed.view.same(t))
        indexed.view = recorded(t) ? op::call<"_alias">(t) : ops::with_geometry(t, t.sizes(), t.strides());
      return wrap_like(self, indexed.view);
    }
    return wrap_like(self, op::call<"_index">(indexed.view, indexed.indices));
  });
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  return guarded([&]() -> int {
    LB_CHECK(value, Type, "Tensor does not support deleting items");
    if (index_overrides(self, index) || (!is_exact_tensor(value) && is_tensor(value) && is_overridden(value))) {
      Object done = Object::steal(dispatch_method("__setitem__", std::array{self, index, value}.data(), 3));
      return 0;
    }
    const Tensor& t = tensor_of(self);
    autograd::check_inference_write(t);
    if (t.ndim() == 0 && PyLong_Check(index) && !PyBool_Check(index)) refuse_number(index);
    if (index == Py_False) return 0;
    Indexed indexed = apply(t, index == Py_True ? Py_None : index, true);  // one boolean: all of it, or nothing
    if (!indexed.advanced) {
      Scalar number;
      const bool is_number = to_value(value, number);
      const Tensor source = is_number ? Tensor() : value_tensor(value, t.dtype());
      if (recorded(t) || (!is_number && recorded(source))) {
        if (is_number)
          op::call<"fill">.in_place(indexed.view, constant(Tensor::scalar(number, t.dtype())));
        else
          op::call<"copy">.in_place(indexed.view, fitted(source, indexed.view), false);
        return 0;
      }
      if (is_number)
        indexed.view.fill(number);
      else
        indexed.view.copy_from(fitted(source, indexed.view));
      t.bump_version();
      return 0;
    }
    op::call<"_index_put">.in_place(indexed.view, indexed.indices, value_tensor(value, t.dtype()), false);
    return 0;
  });
}

}  // namespace lumbre::python
