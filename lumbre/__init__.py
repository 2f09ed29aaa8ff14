from lumbre import _C
from lumbre import _device
_C._set_device(_device.cpu, _device.check)
for k,v in _C._functions.items(): globals()[k]=v
tensor=_C.tensor; from_numpy=_C.from_numpy; Tensor=_C.Tensor
def _f():
    import importlib.util, os
    return os.path.join(os.path.dirname(importlib.util.find_spec("scipy_openblas32").origin), "lib", "libscipy_openblas.so")
_C._set_blas_resolver(_f)
