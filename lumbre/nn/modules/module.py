"""Module: what every part of a network is."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator

from lumbre import _C
from lumbre.nn.parameter import Buffer, Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor

# Hooks that run for every module.
_global_forward_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_global_forward_hooks: OrderedDict[int, Any] = OrderedDict()
_global_forward_hooks_always_called: OrderedDict[int, bool] = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict[int, bool] = OrderedDict()
_global_backward_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_global_backward_hooks: OrderedDict[int, Any] = OrderedDict()
_global_registration: dict[str, OrderedDict[int, Any]] = {
    "module": OrderedDict(), "parameter": OrderedDict(), "buffer": OrderedDict(),
}  # fmt: skip
_global_buffer_registration_hooks = _global_registration["buffer"]
_global_module_registration_hooks = _global_registration["module"]
_global_parameter_registration_hooks = _global_registration["parameter"]

_TABLES = ("_parameters", "_buffers", "_modules")


def _find_part(self: Any, name: str) -> Any:
    """A parameter, buffer or module of a module."""
    for table in _TABLES:
        found = self.__dict__.get(table)
        if found is not None and name in found:
            return found[name]
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


_HOOKS = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What a state dict lacked and what it had too much."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


def _addindent(text: str, spaces: int) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * spaces + line for line in rest)])


def _kind_of_forward_missing(self: Any, *args: Any) -> None:
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


class _CallSignature:
    """``inspect.signature(module)``, which cannot read it from the engine's call: any arguments. Classes have their own."""

    def __get__(self, module: Any, cls: type) -> Any:
        if module is None:
            raise AttributeError("__signature__")
        import inspect

        return inspect.signature(lambda *args, **kwargs: None)


class Module(_C.ModuleBase):
    """A part of a network: parameters, buffers and other modules that are assigned to it are its own.

    A subclass calls ``super().__init__()``, assigns its parts in ``__init__`` and computes in ``forward``; calling the
    module runs ``forward`` and its hooks.

    >>> class Twice(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = torch.nn.Linear(2, 2)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> Twice()(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """

    dump_patches = False
    _version = 1
    training: bool
    call_super_init = False

    __signature__ = _CallSignature()

    if TYPE_CHECKING:
        # The engine's base class answers these.
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__getattr__" in cls.__dict__ and "__getattribute__" not in cls.__dict__:
            # The engine's lookup finds parameters before a class's own __getattr__ would be asked for them. Module has
            # one, for super() to find, from the first such class on: it makes every lookup take the longer way.
            cls.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]
            Module.__getattr__ = _find_part  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        for name in _HOOKS:
            own[name] = OrderedDict()
        own["_is_full_backward_hook"] = None
        own["_modules"] = {}
        own["_hooked"] = False
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward: Callable[..., Any] = _kind_of_forward_missing

    # --- parts --------------------------------------------------------------------------------------------------------

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor of the module's state that is not learned; only persistent ones are in ``state_dict()``."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        for hook in _global_registration["buffer"].values():
            changed = hook(self, name, tensor)
            tensor = tensor if changed is None else changed
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def _check_name(self, name: Any, what: str, table: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_typename(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain "."' + (f", got: {name}" if what == "module" else ""))
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in table:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter (or None, as a place for one) under a name."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name(name, "parameter", self._parameters)
        if param is None:
            self._parameters[name] = None
            return
        if not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param.grad_fn:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To express "
                f"'{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        for hook in _global_registration["parameter"].values():
            changed = hook(self, name, param)
            param = param if changed is None else changed
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a module (or None, as a place for one) under a name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        if not isinstance(name, str):
            raise TypeError(f"module name should be a string. Got {_typename(name)}")
        self._check_name(name, "module", self._modules)
        for hook in _global_registration["module"].values():
            changed = hook(self, name, module)
            module = module if changed is None else changed
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as add_module."""
        self.add_module(name, module)

    # Values that are no parts are set by the engine, which hands the others to _set_part.
    if not TYPE_CHECKING:
        __setattr__ = _C.ModuleBase._set_attribute

    def _set_part(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters = own.get("_parameters")
        is_module = isinstance(value, Module)
        if not is_module and isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
            return
        if parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
            return
        modules = own.get("_modules")
        if is_module:
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_modules")
            for hook in _global_registration["module"].values():
                changed = hook(self, name, value)
                value = value if changed is None else changed
            modules[name] = value
            return
        if modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            modules[name] = value
            return
        buffers = own.get("_buffers")
        if isinstance(value, Buffer) or (buffers is not None and name in buffers):
            self._set_buffer(name, value, buffers)
            return
        object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any, buffers: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
            return
        for hook in _global_registration["buffer"].values():
            changed = hook(self, name, value)
            value = value if changed is None else changed
        buffers[name] = value

    def _forget(self, name: str, keep: str) -> None:
        own = self.__dict__
        own.pop(name, None)
        for table in _TABLES:
            if table != keep:
                own.get(table, {}).pop(name, None)
        own.get("_non_persistent_buffers_set", set()).discard(name)

    def __delattr__(self, name: str) -> None:
        for table in _TABLES:
            entries = self.__dict__.get(table)
            if entries is not None and name in entries:
                del entries[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = [*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers]
        return sorted(name for name in names if not name[0].isdigit())

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        self.__dict__["_hooked"] = any(self.__dict__[name] for name in hooks)

    # --- finding parts ------------------------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The module under a dotted path. AttributeError where there is none."""
        module: Any = self
        for part in target.split(".") if target else ():
            if not hasattr(module, part):
                raise AttributeError(f"{module._get_name()} has no attribute `{part}`")
            module = getattr(module, part)
            if not isinstance(module, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module in the place that a dotted path names."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter under a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        found = getattr(module, name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer under a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return getattr(module, name)

    def get_extra_state(self) -> Any:
        """What a subclass adds to its state dict beside tensors."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def set_extra_state(self, state: Any) -> None:
        """Takes back what get_extra_state gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def _named_members(
        self, members: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Any:
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in members(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield path + ("." if path else "") + name, member

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once, those of its modules included unless ``recurse=False``."""
        found = self._all_parameters(recurse)
        if found is not None:
            yield from found
            return
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter) for each parameter."""
        yield from self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer) for each buffer."""
        yield from self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        seen = set()
        for module in self._modules.values():
            if module is not None and module not in seen:
                seen.add(module)
                yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each module directly inside."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """The module itself and all inside, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator:
        """(dotted name, module) for the module itself ("") and all inside."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    # --- changing all of it -------------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Calls ``fn`` on every module inside, then on this one; gives the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> Any:
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            before = _C._set_grad_enabled(False)
            try:
                param.data = fn(param)
                if param.grad is not None:
                    gradient = fn(param.grad)
                    if gradient is not param.grad:
                        param.grad = None
                        param.grad = gradient.requires_grad_(gradient.requires_grad)
            finally:
                _C._set_grad_enabled(before)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Moves and casts parameters and buffers, in place: ``to(device)``, ``to(dtype)``, ``to(tensor)``.

        Only floating-point tensors change their dtype.
        """
        dtype, memory_format = _parse_to(*args, **kwargs)

        def convert(t: Tensor) -> Tensor:
            target = dtype if dtype is not None and t.is_floating_point() else t.dtype
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(dtype=target, memory_format=memory_format)
            return t.to(dtype=target)

        return self._apply(convert)

    def to_empty(self, *, device: Any = None, recurse: bool = True) -> Any:
        """New memory with indeterminate contents for parameters and buffers."""
        from lumbre import _device, empty_like

        _device.check(device)
        return self._apply(lambda t: empty_like(t), recurse)

    def _cast(self, dtype: Any) -> Any:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Any:
        """Floating-point parameters and buffers become float32."""
        return self._cast(_C.float32)

    def double(self) -> Any:
        """Floating-point parameters and buffers become float64."""
        return self._cast(_C.float64)

    def half(self) -> Any:
        """Floating-point parameters and buffers become float16."""
        return self._cast(_C.float16)

    def bfloat16(self) -> Any:
        """Floating-point parameters and buffers become bfloat16."""
        return self._cast(_C.bfloat16)

    def type(self, dst_type: Any) -> Any:
        """Parameters and buffers become the given dtype or tensor type."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Any:
        """Itself: there is the CPU only."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Any:
        """An error: there is the CPU only."""
        return self._apply(lambda t: t.cuda(device))

    def xpu(self, device: Any = None) -> Any:
        """An error: there is the CPU only."""
        return self.to("xpu" if device is None else device)

    def train(self, mode: bool = True) -> Any:
        """Switches this module and all inside to training (or, with False, evaluation)."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        if self._modules:
            for module in self.children():
                module.train(mode)
        return self

    def eval(self) -> Any:
        """train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Whether the parameters are learned."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of the parameters (or fills them with zeros)."""
        for param in self.parameters():
            gradient = param.grad
            if gradient is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                if gradient.grad_fn is not None:
                    gradient.detach_()
                else:
                    gradient.requires_grad_(False)
                gradient.zero_()

    def share_memory(self) -> Any:
        """Moves parameters and buffers to memory that other processes see."""
        return self._apply(lambda t: t.share_memory_())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Calls of this module are recorded and repeated; arguments are those of ``torch.compile``."""
        from lumbre import compile

        self.__dict__["_compiled_call_impl"] = compile(self._call_impl, *args, **kwargs)
        self.__dict__["_hooked"] = True  # calls take the way that looks for it

    def __deepcopy__(self, memo: dict) -> Any:
        from copy import deepcopy

        made = type(self).__new__(type(self))
        memo[id(self)] = made
        state = {}
        for name, value in self._pickled().items():
            kind = type(value)
            # Most of a module's state is tables of hooks that nobody set.
            if kind in (dict, set, OrderedDict) and not value and not getattr(value, "__dict__", None):
                value = memo.setdefault(id(value), kind())
            elif kind is not bool and kind is not int:
                value = deepcopy(value, memo)
            state[name] = value
        made.__setstate__(state)
        return made

    def _pickled(self) -> dict:
        own: Any = self
        return own.__getstate__() if "__getstate__" in _own_methods(type(self)) else self.__dict__

    # --- text ---------------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What a subclass shows of its own settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_addindent(repr(module), 2)}" for name, module in self._modules.items()]
        if not lines and not children:
            return f"{self._get_name()}()"
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


_C._note_walks(Module)


def _own_methods(cls: type) -> set[str]:
    return {name for base in cls.__mro__ if base is not object for name in base.__dict__}


def _typename(value: Any) -> str:
    from lumbre import typename

    return typename(value)


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    from lumbre import _device

    dtype, memory_format = kwargs.pop("dtype", None), kwargs.pop("memory_format", None)
    device = kwargs.pop("device", None)
    kwargs.pop("non_blocking", None)
    other = kwargs.pop("tensor", kwargs.pop("other", None))
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    for value in args:
        if isinstance(value, _C.dtype):
            dtype = value
        elif isinstance(value, Tensor):
            other = value
        elif isinstance(value, bool):
            continue
        elif value is not None:
            device = value
    if other is not None:
        dtype = other.dtype
    if device is not None:
        _device.check(device)
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
    return dtype, memory_format


from lumbre.nn.modules import _hooks, _state

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"
_hooks.install(Module)
_state.install(Module)

register_module_forward_pre_hook = _hooks.register_module_forward_pre_hook
register_module_forward_hook = _hooks.register_module_forward_hook
register_module_full_backward_hook = _hooks.register_module_full_backward_hook
register_module_full_backward_pre_hook = _hooks.register_module_full_backward_pre_hook
register_module_backward_hook = _hooks.register_module_full_backward_hook
register_module_module_registration_hook = _hooks.register_module_module_registration_hook
register_module_parameter_registration_hook = _hooks.register_module_parameter_registration_hook
register_module_buffer_registration_hook = _hooks.register_module_buffer_registration_hook

__all__ = ["Module"]
