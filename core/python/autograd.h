// What the Tensor type shows of autograd.
#pragma once

#include "python/objects.h"

namespace lumbre::python {

PyObject* get_requires_grad(PyObject* self, void*);
int set_requires_grad(PyObject* self, PyObject* value, void*);
PyObject* get_is_leaf(PyObject* self, void*);
PyObject* get_grad_fn(PyObject* self, void*);
PyObject* get_output_number(PyObject* self, void*);
PyObject* get_retains_grad(PyObject* self, void*);
PyObject* get_base(PyObject* self, void*);
PyObject* get_gradient(PyObject* self, void*);
int set_gradient(PyObject* self, PyObject* value, void*);
PyObject* is_view(PyObject* self, PyObject*);
PyObject* is_inference(PyObject* self, PyObject*);
PyObject* detach(PyObject* self, PyObject*);
PyObject* detach_here(PyObject* self, PyObject*);
std::string shown_list(const Dims& sizes);  // "[2, 3]"

}  // namespace lumbre::python
