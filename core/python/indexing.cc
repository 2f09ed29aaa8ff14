// tensor[...] read and written: integers, slices, None, Ellipsis and booleans become views; index tensors, lists and
// masks are left for one call of index / index_put_.
#include "ops/backward.h"
#include "ops/views.h"
#include "python/objects.h"

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
bool recorded(const Tensor& t) { return autograd::grad_enabled() && autograd::requires_grad(t); }

Tensor select(const Tensor& t, int dim, int64_t index) {
  check_dim(t, dim);
  const int64_t size = t.sizes()[dim];
  LB_CHECK(index >= -size && index < size, Index, "index ", index, " is out of bounds for dimension ", dim,
           " with size ", size);
  if (recorded(t)) return op::call<"select">(t, dim, index);
  if (index < 0) index += size;
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t offset = t->offset + index * strides[dim];
  sizes.erase(dim);
  strides.erase(dim);
  return ops::with_geometry(t, std::move(sizes), std::move(strides), offset);
}

Tensor slice(const Tensor& t, int dim, PyObject* object) {
  check_dim(t, dim);
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(object, &start, &stop, &step) < 0) throw PythonError{};
  LB_CHECK(step > 0, Value, "step must be greater than zero");
  const int64_t size = t.sizes()[dim];
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(start), last = std::max(clamp(stop), first);
  if (recorded(t)) return op::call<"_slice">(t, dim, first, last, static_cast<int64_t>(step));
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t offset = t->offset + first * strides[dim];
  sizes[dim] = (last - first) / step + ((last - first) % step != 0);
  strides[dim] = checked_multiply(strides[dim], step);
  return ops::with_geometry(t, std::move(sizes), std::move(strides), offset);
}

Tensor insert_dim(const Tensor& t, int dim) {
  LB_CHECK(dim <= t.ndim(), Index, "too many indices for tensor of dimension ", t.ndim());
  if (recorded(t)) return op::unsqueeze(t, dim);
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t stride = dim < t.ndim() ? sizes[dim] * strides[dim] : 1;
  sizes.insert(static_cast<size_t>(dim), 1);
  strides.insert(static_cast<size_t>(dim), stride);
  return ops::with_geometry(t, std::move(sizes), std::move(strides), t->offset);
}

bool is_sequence_index(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

Tensor index_tensor(PyObject* object) {
  if (is_tensor(object)) return tensor_of(object);
  Tensor made = tensor_from_data(object, std::nullopt, false);
  if (made.count() == 0 && is_sequence_index(object)) return made.to(DType::Int64);
  return made;
}

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
  explicit Walker(const Tensor& self) { result_.view = self; }

  Indexed walk(PyObject* const* items, Py_ssize_t count) {
    int64_t used = 0;
    for (Py_ssize_t i = 0; i < count; ++i) used += dims_used(items[i]);
    const int ndim = result_.view.ndim();
    LB_CHECK(used <= ndim, Index, "too many indices for tensor of dimension ", ndim);
    for (Py_ssize_t i = 0; i < count; ++i) step(items[i], ndim - static_cast<int>(used));
    return std::move(result_);
  }

 private:
  void step(PyObject* object, int hidden) {
    if (PySlice_Check(object)) {
      result_.view = slice(result_.view, dim_, object);
      ++dim_;
    } else if (object == Py_None) {
      result_.view = insert_dim(result_.view, dim_++);
    } else if (object == Py_Ellipsis) {
      dim_ += hidden;
    } else if (PyBool_Check(object)) {
      result_.view = insert_dim(result_.view, dim_);
      advanced(Tensor::full({1}, Scalar(object == Py_True), DType::Bool), 1);
    } else if (!is_tensor(object) && !is_numpy_array(object) && !is_sequence_index(object)) {
      int64_t index;
      LB_CHECK(to_int(object, index), Index,
               "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
               "Variables are valid indices (got ",
               Py_TYPE(object)->tp_name, ")");
      result_.view = select(result_.view, dim_, index);
    } else {
      const Tensor index = index_tensor(object);
      LB_CHECK(is_integral(index.dtype(), true), Index,
               "tensors used as indices must be long, int, byte or bool tensors");
      if (index.ndim() == 0 && is_integral(index.dtype(), false) && index.dtype() != DType::UInt8) {
        result_.view = select(result_.view, dim_, index.item().as_int());
      } else if (index.ndim() == 0) {
        result_.view = insert_dim(result_.view, dim_);
        Tensor one = Tensor::full({1}, Scalar(index.item().as_bool()), DType::Bool);
        advanced(one, 1);
      } else {
        const bool mask = index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
        advanced(index, mask ? index.ndim() : 1);
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
  int dim_ = 0;
};

Indexed apply(const Tensor& self, PyObject* index) {
  Walker walker(self);
  if (PyTuple_Check(index)) return walker.walk(PySequence_Fast_ITEMS(index), PyTuple_GET_SIZE(index));
  return walker.walk(&index, 1);
}

Object index_list(const Indexed& indexed) {
  const auto count = static_cast<Py_ssize_t>(indexed.indices.size());
  Object tuple = Object::steal(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Tensor& t = indexed.indices[static_cast<size_t>(i)];
    PyTuple_SET_ITEM(tuple.get(), i, t.defined() ? wrap(t) : Py_NewRef(Py_None));
  }
  return tuple;
}

bool overridden(PyObject* self) { return !is_exact_tensor(self); }

Tensor value_tensor(PyObject* value, DType dtype) {
  if (is_tensor(value)) return tensor_of(value);
  Scalar number;
  if (to_scalar(value, number)) return Tensor::scalar(number, dtype);
  if (is_numpy_array(value)) return tensor_from_numpy(value, false);
  fail(ErrorKind::Type, "can't assign a ", Py_TYPE(value)->tp_name, " to a torch.", dtype_title(dtype), "Tensor");
}

// Leading dimensions of size 1 that the target lacks are dropped from the value, as PyTorch does.
Tensor trimmed(const Tensor& value, const Tensor& target) {
  Tensor result = value;
  while (result.ndim() > target.ndim() && result.sizes()[0] == 1) result = select(result, 0, 0);
  return result;
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* index) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(self);
    if (PyLong_CheckExact(index) && is_exact_tensor(self)) {
      LB_CHECK(t.ndim() > 0, Index,
               "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
               "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
      int64_t i;
      to_int(index, i);
      return wrap(select(t, 0, i));
    }
    if (t.ndim() == 0 && PyLong_Check(index) && !PyBool_Check(index))
      fail(ErrorKind::Index,
           "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
           "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
    Indexed indexed = apply(t, index);
    if (!indexed.advanced) {
      if (indexed.view.same(t))
        indexed.view = recorded(t) ? op::call<"view_as">(t, t) : ops::with_geometry(t, t.sizes(), t.strides());
      return wrap_like(self, indexed.view);
    }
    Object view = Object::steal(wrap(indexed.view));
    Object indices = index_list(indexed);
    Object result = Object::steal(call_operator("_index", {view.get(), indices.get()}));
    return overridden(self) ? wrap_like(self, tensor_of(result.get())) : result.release();
  });
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  return guarded([&]() -> int {
    LB_CHECK(value, Type, "Tensor does not support deleting items");
    const Tensor& t = tensor_of(self);
    if (t.ndim() == 0 && PyLong_Check(index) && !PyBool_Check(index))
      fail(ErrorKind::Index,
           "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
           "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
    Indexed indexed = apply(t, index);
    if (!indexed.advanced) {
      Scalar number;
      const bool is_number = to_scalar(value, number);
      const Tensor source = is_number ? Tensor() : value_tensor(value, t.dtype());
      if (autograd::grad_enabled() && (autograd::requires_grad(t) || (!is_number && autograd::requires_grad(source)))) {
        if (is_number)
          op::call<"fill">.in_place(indexed.view, number);
        else
          op::call<"copy">.in_place(indexed.view, trimmed(source, indexed.view), false);
        return 0;
      }
      if (is_number)
        indexed.view.fill(number);
      else
        indexed.view.copy_from(trimmed(source, indexed.view));
      t.bump_version();
      return 0;
    }
    const Tensor source = value_tensor(value, t.dtype());
    Object view = Object::steal(wrap(indexed.view));
    Object indices = index_list(indexed);
    Object values = Object::steal(wrap(op::cast(source, t.dtype())));
    Object result =
        Object::steal(call_operator("_index_put", {view.get(), indices.get(), values.get()}, Out::Form::InPlace));
    return 0;
  });
}

}  // namespace lumbre::python
