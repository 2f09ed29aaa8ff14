#include "python/objects.h"

namespace lumbre::python {

PyObject* linear_algebra_error() {
  static PyObject* const made =
      PyErr_NewExceptionWithDoc("lumbre._C._LinAlgError", "A matrix has no such factorisation, inverse or solution.",
                                PyExc_RuntimeError, nullptr);
  return made ? made : PyExc_RuntimeError;
}

namespace {
PyObject* exception_class(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Runtime:
      return PyExc_RuntimeError;
    case ErrorKind::Index:
      return PyExc_IndexError;
    case ErrorKind::Type:
      return PyExc_TypeError;
    case ErrorKind::Value:
      return PyExc_ValueError;
    case ErrorKind::NotImplemented:
      return PyExc_NotImplementedError;
    case ErrorKind::Memory:
      return PyExc_MemoryError;
    case ErrorKind::Buffer:
      return PyExc_BufferError;
    case ErrorKind::ZeroDivision:
      return PyExc_RuntimeError;  // as PyTorch raises it
    case ErrorKind::LinearAlgebra:
      return linear_algebra_error();
  }
  return PyExc_RuntimeError;
}
}  // namespace

void set_python_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const Error& error) {
    PyErr_SetString(exception_class(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError, "out of memory");
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
}

}  // namespace lumbre::python
