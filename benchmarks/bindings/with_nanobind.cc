#include <nanobind/nanobind.h>

#include "vector.h"

namespace nb = nanobind;

NB_MODULE(with_nanobind, module) {
  nb::class_<Vector>(module, "Vector")
      .def("__init__", [](Vector* self, float x, float y, float z) { new (self) Vector{{x, y, z}}; })
      .def("__add__", &add, nb::is_operator())
      .def("tolist", [](const Vector& self) { return nb::make_tuple(self.data[0], self.data[1], self.data[2]); });
  module.def("add", &add);
}
