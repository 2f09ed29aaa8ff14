#include "python/overrides.h"

namespace {

PyModuleDef definition{PyModuleDef_HEAD_INIT, "lumbre._C", "The engine of Lumbre.", -1, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() {
  using namespace lumbre::python;
  return guarded([]() -> PyObject* {
    Object module = Object::steal(PyModule_Create(&definition));
    add_dtypes(module.get());
    add_tensor_type(module.get());
    add_overrides(module.get());
    add_generator(module.get());
    add_functions(module.get());
    add_bridges(module.get());
    add_controls(module.get());
    add_autograd(module.get());
    add_network(module.get());
    add_grad_mode(module.get());
    add_watching(module.get());
    add_compiling(module.get());
    if (PyModule_AddObjectRef(module.get(), "_LinAlgError", linear_algebra_error()) < 0) throw PythonError{};
    return module.release();
  });
}
