"""Tensors that a module counts as its own."""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor


class _ParameterMeta(type(Tensor)):
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        # A tensor subclass that calls itself a parameter.
        return cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that is learned: assigned to a module, it is one of its ``parameters()``.

    It requires gradients unless ``requires_grad=False``; operations on it give plain tensors.

    >>> torch.nn.Parameter(torch.tensor([1., 2.]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            from lumbre import empty

            data = empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            if requires_grad and not data.is_floating_point():
                raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
            made = data.detach()._as_type(cls)
            made.requires_grad = requires_grad
            return made
        made = data.detach().requires_grad_(requires_grad)
        if type(made) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an "
                f"instance of the same type, but return type {type(made).__name__} was found instead. To use the type as "
                "a Parameter, please correct the detach() semantics defined by its __torch_dispatch__() implementation."
            )
        made._is_param = True
        return made

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        made = type(self)(self.data.clone(memory_format=_C.preserve_format), self.requires_grad)
        memo[id(self)] = made
        return made

    # The checker drops the names of a dunder's keywords, and then finds that they differ.
    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + repr(self.detach().requires_grad_(self.requires_grad))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        from collections import OrderedDict

        from lumbre import _tensor, _utils

        state = _tensor._state(self)
        hooks: Any = OrderedDict()
        if not state:
            return (_utils._rebuild_parameter, (self.data, self.requires_grad, hooks))
        return (_utils._rebuild_parameter_with_state, (self.data, self.requires_grad, hooks, state))


class _BufferMeta(type(Tensor)):
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that belongs to a module's state but is not learned; assigned to a module, it becomes a buffer."""

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            from lumbre import empty

            data = empty(0)
        made = data.detach().requires_grad_(data.requires_grad)
        made.persistent = persistent
        made._is_buffer = True
        return made


_UNKNOWN = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` "
    "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters "
    "before accessing their attributes."
)


class UninitializedTensorMixin:
    """What a tensor without a shape yet can do: get one."""

    cls_to_become: Any = None
    _allowed = (
        "__class__", "__dict__", "__hash__", "__new__", "__init__", "__repr__", "__reduce_ex__", "__deepcopy__", "_is_param",
        "cls_to_become", "data", "detach", "device", "dtype", "grad", "is_cuda", "is_leaf", "materialize", "requires_grad",
        "requires_grad_", "to", "cpu", "cuda", "half", "float", "double", "bfloat16", "register_hook", "_backward_hooks",
        "__torch_function__", "_allowed", "share_memory_", "new_empty", "grad_fn", "_kind", "__setattr__",
        "register_post_accumulate_grad_hook", "copy_", "is_floating_point", "is_complex", "layout",
    )  # fmt: skip

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Takes on a shape; the contents are indeterminate."""
        from lumbre import empty

        self.__dict__["_kind"] = None
        plain: Any = Tensor
        plain.data.__set__(self, empty(shape, dtype=dtype or plain.dtype.__get__(self)))
        self.__class__ = self.cls_to_become
        self.__dict__.pop("_kind", None)

    def __getattribute__(self, name: str) -> Any:
        if name == "shape":
            raise RuntimeError(_UNKNOWN)
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self: Any, protocol: Any) -> tuple:
        return (type(self), (self.requires_grad,))

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in cls._allowed or name.startswith(("__get", "__set", "__del")):
            kwargs = kwargs or {}
            plain: Any = Tensor
            return plain.__torch_function__.__func__(cls, func, types, args, kwargs)
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. This error happens when you are using a `LazyModule` or "
            f"explicitly manipulating `torch.nn.parameter.{cls.__name__}` objects. When using LazyModules Call `forward` with "
            "a dummy batch to initialize the parameters before calling torch functions"
        )


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is known only at the first call of its lazy module."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        from lumbre import empty

        made = empty(0, dtype=dtype)._as_type(cls)
        made.requires_grad = requires_grad
        return made

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)
        return memo[id(self)]


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is known only at the first call of its lazy module."""

    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        from lumbre import empty

        made = empty(0, dtype=dtype)._as_type(cls)
        made.requires_grad = requires_grad
        made.__dict__["persistent"] = persistent
        return made
