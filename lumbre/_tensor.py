"""The parts of Tensor that are written in Python; they are set on the engine's type, where it lacks them."""

from __future__ import annotations

from lumbre import _C, _device, _identity, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__: list[str] = []

Tensor = _C.Tensor


# --- text -------------------------------------------------------------------------------------------------------------


def __repr__(self: Tensor, *, tensor_contents: str | None = None) -> str:
    from lumbre import _printing

    if type(self) is not Tensor and _registry.has_override((self,)):
        return _registry.call_override(Tensor.__repr__, (self,), {"tensor_contents": tensor_contents})
    return _printing.tensor_str(self)


def __format__(self: Tensor, specification: str) -> str:
    from lumbre import _printing

    return _printing.format_tensor(self, specification)


def __dir__(self: Tensor) -> list[str]:
    return sorted({*dir(type(self)), *getattr(self, "__dict__", ())})


# --- iteration and membership -----------------------------------------------------------------------------------------


def __iter__(self: Tensor) -> Iterator[Tensor]:
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind())


def __reversed__(self: Tensor) -> Tensor:
    return self if self.ndim == 0 else self.flip(0)


def __contains__(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float, bool)):
        return bool((self == element).any().item())
    raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


def __rdiv__(self: Tensor, other: Any) -> Tensor:
    return Tensor.__rtruediv__(self, other)


# --- pickling and copying ---------------------------------------------------------------------------------------------


_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def _state(self: Tensor) -> dict[str, Any]:
    """The attributes that the user has set."""
    return {name: value for name, value in getattr(self, "__dict__", {}).items() if name not in _HOOKS}


def __reduce_ex__(self: Tensor, protocol: int) -> tuple:
    from lumbre import _utils, storage

    typed = storage.TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype, _internal=True)
    from collections import OrderedDict

    parts: Any = (
        typed, self.storage_offset(), tuple(self.shape), self.stride(), self.requires_grad, OrderedDict(),
    )  # fmt: skip
    state = _state(self)
    if type(self) is Tensor and not state:
        return (_utils._rebuild_tensor_v2, parts)
    return (_utils._rebuild_from_type_v2, (_utils._rebuild_tensor_v2, type(self), parts, state))


def __copy__(self: Tensor) -> Tensor:
    made = self.data if type(self) is Tensor else self.data.as_subclass(type(self))
    made.requires_grad = self.requires_grad
    made.__dict__.update(_state(self))
    return made


def __deepcopy__(self: Tensor, memo: dict) -> Tensor:
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
            "see https://github.com/pytorch/pytorch/pull/103001"
        )
    from copy import deepcopy

    # Through the storage, so that tensors that share memory share it in the copy too.
    memory = deepcopy(self.untyped_storage(), memo)
    made = _C._tensor_over(memory, self.dtype, self.storage_offset(), tuple(self.shape), self.stride())
    if type(self) is not Tensor:
        made = made._as_type(type(self))
    made.requires_grad = self.requires_grad
    memo[id(self)] = made
    if self.grad is not None:
        made.grad = deepcopy(self.grad, memo)
    state = _state(self)
    if state:
        made.__dict__.update(deepcopy(state, memo))
    return made


# --- subclasses -------------------------------------------------------------------------------------------------------


def _as_class(result: Any, cls: type) -> Any:
    if isinstance(result, Tensor):
        return result if isinstance(result, cls) else result._as_type(cls)
    if isinstance(result, (tuple, list)) and type(result) is not _C.Size:
        members = [_as_class(member, cls) for member in result]
        return type(result)(members)
    return result


# What these give is as it was stored.
_AS_STORED = {Tensor.grad.__get__, Tensor._base.__get__}


def __torch_function__(cls: type, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> Any:
    """Runs an operator on a subclass: its results are of that subclass too."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    _C._torch_function_off(1, 0)
    try:
        result = func(*args, **(kwargs or {}))
    finally:
        _C._torch_function_off(-1, 0)
    return result if cls is Tensor or func in _AS_STORED else _as_class(result, cls)


class DisableTorchFunctionSubclass:
    """A block in which subclasses are computed with as plain tensors, and results are plain."""

    def __enter__(self) -> None:
        _C._torch_function_off(1, 0)

    def __exit__(self, *exception: object) -> None:
        _C._torch_function_off(-1, 0)


class DisableTorchFunction:
    """A block in which neither subclasses nor modes are asked."""

    def __enter__(self) -> None:
        _C._torch_function_off(1, 1)

    def __exit__(self, *exception: object) -> None:
        _C._torch_function_off(-1, -1)


def as_subclass(self: Tensor, cls: type) -> Tensor:
    """The same memory as an object of a subclass of Tensor."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your "
            "class inherits from Tensor."
        )
    made = self._as_type(cls)
    if self.requires_grad:
        made.requires_grad = True
    return made


def _make_subclass(cls: type, data: Tensor, require_grad: bool = False, **options: Any) -> Tensor:
    """An object of a subclass over a tensor's memory, without its history."""
    made = as_subclass(data.data, cls)
    made.requires_grad = require_grad
    return made


# --- autograd ---------------------------------------------------------------------------------------------------------


def backward(
    self: Tensor, gradient: Any = None, retain_graph: Any = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Adds the gradient of this tensor by every leaf it was computed from to the leaf's ``grad``.

    ``gradient`` is the gradient of the tensor itself, of its shape; a tensor of one element needs none. The graph is
    freed unless ``retain_graph``; with ``create_graph`` the gradients can be differentiated again. ``inputs`` limits
    the leaves. Raises RuntimeError where there is no graph or it was freed.

    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    if inputs is None and type(self) is Tensor:
        _C._backward(self, gradient, create_graph if retain_graph is None else bool(retain_graph), create_graph)
        return
    if _registry.has_override((self,)):
        keywords = {
            "gradient": gradient, "retain_graph": retain_graph, "create_graph": create_graph, "inputs": inputs,
        }  # fmt: skip
        return _registry.call_override(Tensor.backward, (self,), keywords)
    from lumbre import autograd

    autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def retain_grad(self: Tensor) -> None:
    """Keeps the gradient of a tensor that is not a leaf; leaves keep theirs anyway."""
    _C._retain_grad(self)


def _hook_handle(self: Tensor, hook: Callable, name: str, after: bool) -> Any:
    from lumbre.utils.hooks import RemovableHandle

    hooks: Any = self.__dict__.get(name)
    # An in-place operation gives the tensor another node, and its hooks another place. The node's number stands for it: the
    # node itself would be held from two sides, and never be collected with a hook that knows its tensor.
    node = None if after or self.is_leaf else self.grad_fn._sequence_nr()
    if hooks is None or hooks[0] != node:
        from collections import OrderedDict

        hooks = self.__dict__[name] = (node, OrderedDict())
        _C._attach_tensor_hooks(self, hooks[1], after)
    handle = RemovableHandle(hooks[1])
    hooks[1][handle.id] = hook
    return handle


def register_hook(self: Tensor, hook: Callable) -> Any:
    """Calls ``hook(gradient)`` whenever the gradient of this tensor is computed; a tensor it returns replaces it.

    Gives a handle whose ``remove()`` takes the hook away. RuntimeError for a tensor that requires no gradient.

    >>> x = torch.tensor(1., requires_grad=True)
    >>> handle = x.register_hook(lambda gradient: gradient * 2)
    >>> (3 * x).backward(); x.grad
    tensor(6.)
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return _hook_handle(self, hook, "_backward_hooks", False)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable) -> Any:
    """Calls ``hook(leaf)`` whenever a gradient has been added to a leaf's ``grad``. Gives a handle."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return _hook_handle(self, hook, "_post_accumulate_grad_hooks", True)


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Says whether operations on it are to be recorded."""
    if requires_grad and not self.dtype.is_floating_point:
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    self.requires_grad = requires_grad
    return self


def _register_node_hook(node: Any, hook: Callable, before: bool) -> Any:
    from collections import OrderedDict

    from lumbre.utils.hooks import RemovableHandle

    name = "_prehooks" if before else "_hooks"
    hooks = getattr(node, name, None)
    if hooks is None:
        hooks = OrderedDict()
        setattr(node, name, hooks)
        node._attach_hooks(hooks, before)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def register_node_hook(self: Any, fn: Callable) -> Any:
    """Calls ``fn(grad_inputs, grad_outputs)`` after the node ran; a tuple it returns replaces the former."""
    return _register_node_hook(self, fn, False)


def register_node_prehook(self: Any, fn: Callable) -> Any:
    """Calls ``fn(grad_outputs)`` before the node runs; a tuple it returns replaces them."""
    return _register_node_hook(self, fn, True)


def _node_metadata(self: Any) -> dict:
    try:
        return self._metadata
    except AttributeError:
        self._metadata = {}
        return self._metadata


for _name, _member in {
    "register_hook": register_node_hook,
    "register_prehook": register_node_prehook,
    "metadata": property(_node_metadata, doc="A dictionary for the user."),
}.items():
    setattr(_C.Node, _name, _member)


# --- the older and the sparse ------------------------------------------------------------------------------------------


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """A view of other sizes: ``reshape`` by a deprecated name; the number of elements must stay."""
    import warnings

    warnings.warn("non-inplace resize is deprecated", stacklevel=2)
    count: Any = 1
    for size in sizes:
        count = count * size  # of a tuple, which PyTorch does not take here: the tuple
    if count != self.numel():
        shown = "x".join(str(size) for size in self.shape)
        given = sizes[0] if len(sizes) == 1 else "x".join(str(size) for size in sizes)
        raise RuntimeError(
            f"requested resize to {given} ({count} elements in total), but the given tensor "
            f"has a size of {shown} ({self.numel()} elements). autograd's resize can only change the shape of a given "
            "tensor, while preserving the number of elements. "
        )
    return self.reshape(sizes)


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """``resize`` to the sizes of another."""
    import warnings

    warnings.warn("non-inplace resize_as is deprecated", stacklevel=2)
    return self.reshape(tensor.shape)


def _refuse_sparse(name: str, expected: str) -> Callable:
    def method(self: Tensor) -> Any:
        raise RuntimeError(f"{name} expected {expected} but got Strided")

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "RuntimeError: the tensor is not sparse."
    return method


indices = _refuse_sparse("indices", "sparse coordinate tensor layout")
values = _refuse_sparse("values", "sparse tensor layout")
coalesce = _refuse_sparse("coalesce", "sparse coordinate tensor layout")


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """Itself: every tensor is dense."""
    return self if dtype is None else self.to(dtype)


def to_sparse(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """NotImplementedError: there are strided tensors only."""
    raise NotImplementedError("Lumbre has strided tensors only")


def sparse_dim(self: Tensor) -> int:
    """0."""
    return 0


def dense_dim(self: Tensor) -> int:
    """The number of dimensions."""
    return self.ndim


# --- devices and sharing ----------------------------------------------------------------------------------------------


def cpu(self: Tensor, *, memory_format: Any = None) -> Tensor:
    """Itself: there is the CPU only."""
    if memory_format in (None, _C.preserve_format) or self.is_contiguous(memory_format=memory_format):
        return self
    return self.contiguous(memory_format=memory_format)


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """AssertionError: there is the CPU only."""
    _device.check("cuda" if device is None else device)
    raise RuntimeError(f"Invalid device, must be cuda device, not {device}")


def get_device(self: Tensor) -> int:
    """The number of its device: -1 for the CPU."""
    return -1


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """False: memory is pinned for the sake of other devices."""
    return False


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """RuntimeError: there is no device to pin memory for."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def is_shared(self: Tensor) -> bool:
    """Whether other processes can see its memory."""
    return self.untyped_storage().is_shared()


def share_memory_(self: Tensor) -> Tensor:
    """Moves the memory to where other processes see it, and what they write to it; itself.

    >>> torch.zeros(2).share_memory_().is_shared()
    True
    """
    self.untyped_storage().share_memory_()
    return self


def is_complex(self: Tensor) -> bool:
    """False: there are no complex tensors yet."""
    return False


def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self.dtype.is_signed


def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is one of floating-point numbers."""
    return self.dtype.is_floating_point


def numel(self: Tensor) -> int:
    """The number of elements."""
    return self.shape.numel()


# --- conversions ------------------------------------------------------------------------------------------------------


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False, **options: Any) -> Any:
    """The older tensor type's name, or with a dtype, tensor type or name the tensor converted to it.

    >>> torch.tensor([1.]).type()
    'torch.FloatTensor'
    """
    if type(dtype) is _C.dtype:
        return self.to(dtype)
    from lumbre import _legacy

    if dtype is None:
        return _legacy.type_name(self.dtype)
    if isinstance(dtype, str):
        dtype = _legacy.tensor_type(dtype)
    if isinstance(dtype, _legacy.tensortype):
        dtype = dtype.dtype
    if not isinstance(dtype, _C.dtype):
        raise TypeError("dtype must be a type, str, or dtype object")
    return self.to(dtype)


def new(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The older constructor: a tensor of this dtype from sizes, a sequence or a tensor."""
    from lumbre import _legacy

    return _legacy.construct_as(self.dtype, args, kwargs)


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, layout: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A copy of the data as a new tensor, of this dtype unless one is given.

    >>> torch.ones(2, dtype=torch.int8).new_tensor([1, 2])
    tensor([1, 2], dtype=torch.int8)
    """
    if device is not None:
        _device.check(device)
    return _C.tensor(data, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad)


def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    if array.dtype == bool:
        # NumPy's comparisons gave uint8 once, and callers rely on a tensor that can be computed with.
        array = array.astype("uint8")
    return _C.from_numpy(array)


def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Replaces each element by the function's value of it. Slow: the function is Python's.

    >>> torch.tensor([1., 2.]).apply_(lambda v: v * v)
    tensor([1., 4.])
    """
    if self.requires_grad:
        raise RuntimeError("Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead.")
    values = [callable(value) for value in _flat(self)]
    return _refill(self, values)


def map_(self: Tensor, tensor: Tensor, callable: Callable) -> Tensor:
    """Replaces each element by the function's value of it and the other tensor's element there."""
    if self.requires_grad or tensor.requires_grad:
        raise RuntimeError("Can't call map_() on Variable that requires grad. Use var.detach().map_() instead.")
    if self.dtype is not tensor.dtype:
        raise TypeError(f"map_: expected {_legacy_name(self)} for argument 'tensor' (got {_legacy_name(tensor)})")
    other = tensor if tensor.shape == self.shape else tensor.expand(self.shape)
    values = [callable(a, b) for a, b in zip(_flat(self), _flat(other), strict=True)]
    return _refill(self, values)


def _legacy_name(tensor: Tensor) -> str:
    from lumbre import _legacy

    return _legacy.type_name(tensor.dtype)


def _flat(tensor: Tensor) -> list:
    values = [tensor.tolist()]
    for _ in range(tensor.ndim):
        values = [value for part in values for value in part]
    return values


def _refill(tensor: Tensor, values: list) -> Tensor:
    made = _C.tensor(values, dtype=tensor.dtype)
    made = _C._tensor_over(made.untyped_storage(), tensor.dtype, 0, tuple(tensor.shape), None)
    return _C._give(tensor, made, True)


# --- storage ----------------------------------------------------------------------------------------------------------


def untyped_storage(self: Tensor) -> Any:
    """The memory under the tensor, as bytes."""
    from lumbre import storage  # noqa: F401 - completes the class

    return _C._storage_of(self)


def storage(self: Tensor) -> Any:
    """The memory under the tensor, as elements of its dtype."""
    from lumbre import storage as module

    return module.TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype, _internal=True)


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Makes the tensor a view of another tensor's memory or of a storage; without a source, an empty one."""
    if source is None:
        return _C._set_storage(self, _C.UntypedStorage(0), 0, (0,), None)
    if isinstance(source, Tensor):
        if source.dtype is not self.dtype:
            from lumbre import _legacy

            raise RuntimeError(
                f"Could not set tensor of type {_legacy.c_name(source.dtype)} to a tensor of type "
                f"{_legacy.c_name(self.dtype)}"
            )
        memory = _C._storage_of(source)
        if size is None:
            return _C._set_storage(self, memory, source.storage_offset(), tuple(source.shape), source.stride())
    elif isinstance(source, _C.UntypedStorage):
        memory = source
    else:
        memory = getattr(source, "_untyped_storage", None)
        if memory is None:
            raise TypeError(f"set_(): argument 'source' (position 1) must be Tensor or Storage, not {source.__class__}")
        if source.dtype is not self.dtype:
            raise RuntimeError(f"Expected a Storage of type {self.dtype} or an UntypedStorage, but got {source.dtype}")
    sizes = (memory.nbytes() // self.element_size() - storage_offset,) if size is None else tuple(size)
    strides = None if stride is None else tuple(stride)
    return _C._set_storage(self, memory, storage_offset, sizes, strides)


# --- putting them on the type -----------------------------------------------------------------------------------------

# Where Python's own `object` has a method too, the engine's type has none of its own.
# These ask for overrides themselves, or are never overridden.
_ASKS_ITSELF = {"__dir__", "__repr__", "as_subclass", "backward"}
_METHODS = (
    __repr__, __format__, __dir__, __iter__, __reversed__, __contains__, __rdiv__, __reduce_ex__, __copy__, __deepcopy__,
    as_subclass, backward, retain_grad, register_hook, register_post_accumulate_grad_hook, requires_grad_, cpu, cuda, get_device,
    is_pinned, pin_memory, is_shared, share_memory_, is_complex, is_signed, is_floating_point, numel,
    _type, new, new_tensor, resize, resize_as, indices, values, coalesce, to_dense, to_sparse, sparse_dim, dense_dim, __array_wrap__, apply_, map_, untyped_storage, storage, set_,
)  # fmt: skip
_CONVERSIONS = (
    "bool", "byte:uint8", "char:int8", "short:int16", "int:int32", "long:int64", "half:float16", "bfloat16",
    "float:float32", "double:float64",
)  # fmt: skip


def _conversion(name: str, dtype: Any) -> Callable:
    def convert(self: Tensor, memory_format: Any = _C.preserve_format) -> Tensor:
        return self.to(dtype, memory_format=memory_format)

    convert.__name__ = name
    convert.__doc__ = f"The tensor as {dtype_name(dtype)}; itself when it is that already."
    return convert


def dtype_name(dtype: Any) -> str:
    """ "float32" for ``torch.float32``."""
    return str(dtype).partition(".")[2]


def _complete() -> None:
    own = Tensor.__dict__
    _type.__name__ = "type"  # under its own name it would hide Python's in this file
    Tensor.__name__ = Tensor.__qualname__ = "Tensor"  # without the module, as messages say it
    for function in _METHODS:
        name = function.__name__
        function.__qualname__ = f"Tensor.{name}"
        if name not in own:
            setattr(Tensor, name, function if name in _ASKS_ITSELF else _C._overridable(function))
    for item in _CONVERSIONS:
        name, _, dtype = item.partition(":")
        if name not in own:
            setattr(Tensor, name, _conversion(name, getattr(_C, dtype or name)))
    extra: dict[str, Any] = {
        "__torch_function__": classmethod(__torch_function__),
        "_make_subclass": staticmethod(_make_subclass),
        "__array_priority__": 1000,
        "nelement": own.get("numel"),
        "__module__": _identity.printed_name,
    }
    for name, value in extra.items():
        if name not in own or name == "__module__":
            setattr(Tensor, name, value)
    for made in (DisableTorchFunctionSubclass, DisableTorchFunction):
        setattr(_C, made.__name__, made)


_complete()
