"""Calls of modules with hooks, and their registration."""

from __future__ import annotations

from lumbre import _C
from lumbre.nn.modules import module as _module
from lumbre.utils.hooks import RemovableHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Tensor = _C.Tensor


def _any_global() -> bool:
    return bool(
        _module._global_forward_hooks
        or _module._global_forward_pre_hooks
        or _module._global_backward_hooks
        or _module._global_backward_pre_hooks
    )


def _call_with_hooks(self: Any, *args: Any, **kwargs: Any) -> Any:
    """The call of a module that has hooks, or was compiled."""
    compiled = self.__dict__.get("_compiled_call_impl")
    return self._call_impl(*args, **kwargs) if compiled is None else compiled(*args, **kwargs)


def _call_impl(self: Any, *args: Any, **kwargs: Any) -> Any:
    """forward between the hooks that are registered for it."""
    ran: set[int] = set()
    try:
        return _run(self, args, kwargs, ran)
    except Exception:
        # Hooks that run whatever happens see that there is no result.
        for key, hook in [*_module._global_forward_hooks.items(), *self._forward_hooks.items()]:
            always = key in self._forward_hooks_always_called or key in _module._global_forward_hooks_always_called
            if always and key not in ran:
                try:
                    _call_forward_hook(self, key, hook, args, kwargs, None)
                except Exception as error:
                    from warnings import warn

                    warn(
                        "forward hook with ``always_call=True`` raised an exception that was silenced as another error was "
                        f"raised in forward: {error}",
                        stacklevel=2,
                    )
        raise


def _call_forward_hook(self: Any, key: int, hook: Callable, args: Any, kwargs: Any, result: Any) -> Any:
    if key in self._forward_hooks_with_kwargs or key in _module._global_forward_hooks_with_kwargs:
        return hook(self, args, kwargs, result)
    return hook(self, args, result)


def _run(self: Any, args: Any, kwargs: Any, ran: set[int]) -> Any:
    for key, hook in [*_module._global_forward_pre_hooks.items(), *self._forward_pre_hooks.items()]:
        if key in self._forward_pre_hooks_with_kwargs:
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        else:
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    pre = [*_module._global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]
    full = [*_module._global_backward_hooks.values()]
    if self._is_full_backward_hook is not False:
        full += self._backward_hooks.values()
    around = _BackwardHooks(self, full, pre) if full or pre else None
    if around is not None:
        args = around.inputs(args)
    result = self.forward(*args, **kwargs)
    for key, hook in [*_module._global_forward_hooks.items(), *self._forward_hooks.items()]:
        ran.add(key)
        changed = _call_forward_hook(self, key, hook, args, kwargs, result)
        if changed is not None:
            result = changed
    if around is not None:
        if not isinstance(result, (Tensor, tuple)):
            from warnings import warn

            warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=2,
            )
        result = around.outputs(result)
    if self._backward_hooks and self._is_full_backward_hook is False:
        _attach_old_hooks(self, result)
    return result


def _attach_old_hooks(self: Any, result: Any) -> None:
    one = result
    while not isinstance(one, Tensor):
        one = next(value for value in one.values() if isinstance(value, Tensor)) if isinstance(one, dict) else one[0]
    node = one.grad_fn
    if node is not None:
        for hook in self._backward_hooks.values():
            node.register_hook(lambda given, taken, hook=hook: hook(self, given, taken))


def _pass_through() -> Any:
    """Hands tensors on; its node sees all their gradients at once. Made at the first use of a backward hook."""
    from lumbre.autograd.function import Function

    class BackwardHookFunction(Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Any:
            ctx.mark_non_differentiable(*[one for one in tensors if not one.requires_grad])
            return tensors

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return gradients

    return BackwardHookFunction


class _BackwardHooks:
    """Full backward hooks: identities around a forward catch the gradients of its inputs and outputs."""

    def __init__(self, module: Any, hooks: list, pre_hooks: list) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.taken: Any = None
        self.count = -1
        self.has_input_node = False

    def _through(self, values: tuple, attach: Callable) -> tuple:
        places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        tensors = [values[i] for i in places]
        if not (_C.is_grad_enabled() and any(one.requires_grad for one in tensors)):
            return values
        made = _pass_through().apply(*tensors)
        node = next(one.grad_fn for one in made if one.grad_fn is not None)
        attach(node, places, len(values))
        result = list(values)
        for i, one in zip(places, made, strict=True):
            result[i] = one
        return type(values)(*result) if hasattr(values, "_fields") else tuple(result)

    def inputs(self, args: tuple) -> tuple:
        return self._through(args, self._attach_inputs)

    def _attach_inputs(self, node: Any, places: list[int], count: int) -> None:
        self.has_input_node = True

        def hook(given: Any, taken: Any) -> Any:
            if self.taken is None:
                return None
            gradients = self._unpack(places, count, taken)
            taken_here, self.taken = self.taken, None
            changed = False
            for each in self.hooks:
                result = each(self.module, gradients, taken_here)
                if result is not None:
                    result = result if isinstance(result, tuple) else (result,)
                    if len(result) != len(gradients):
                        raise RuntimeError(
                            f"Backward hook returned an invalid number of grad_input, got {len(result)}, but expected "
                            f"{len(gradients)}"
                        )
                    gradients, changed = result, True
            return tuple(gradients[i] for i in places) if changed else None

        node.register_hook(hook)

    def outputs(self, result: Any) -> Any:
        single = isinstance(result, Tensor)
        if not single and not isinstance(result, tuple):
            return result
        made = self._through((result,) if single else result, self._attach_outputs)
        return made[0] if single else made

    def _attach_outputs(self, node: Any, places: list[int], count: int) -> None:
        def hook(given: Any, taken: Any) -> Any:
            gradients = self._unpack(places, count, taken)
            changed = False
            for each in self.pre_hooks:
                result = each(self.module, gradients)
                if result is not None:
                    result = result if isinstance(result, tuple) else (result,)
                    if len(result) != len(gradients):
                        raise RuntimeError(
                            f"Backward pre hook returned an invalid number of grad_output, got {len(result)}, but expected "
                            f"{len(gradients)}"
                        )
                    gradients, changed = result, True
            self.taken = gradients
            if not self.has_input_node:
                # No input requires a gradient: the hooks run here.
                for each in self.hooks:
                    if each(self.module, (None,), gradients) is not None:
                        raise RuntimeError(
                            "Backward hook for Modules where no input requires gradient should always return None or None "
                            "for all gradients."
                        )
            return tuple(gradients[i] for i in places) if changed else None

        node.register_hook(hook)

    @staticmethod
    def _unpack(places: list[int], count: int, gradients: Any) -> tuple:
        values: list[Any] = [None] * count
        for i, one in zip(places, gradients, strict=True):
            values[i] = one
        return tuple(values)


def _register(self: Any, table: str, hook: Callable, prepend: bool = False, extra: Any = None) -> RemovableHandle:
    hooks = getattr(self, table)
    handle = RemovableHandle(hooks, extra_dict=extra)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    self.__dict__["_hooked"] = True
    return handle


def register_forward_pre_hook(
    self: Any, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
) -> RemovableHandle:
    """Calls ``hook(module, args)`` before forward; what it returns replaces the arguments."""
    handle = _register(self, "_forward_pre_hooks", hook, prepend, self._forward_pre_hooks_with_kwargs)
    if with_kwargs:
        self._forward_pre_hooks_with_kwargs[handle.id] = True
    return handle


def register_forward_hook(
    self: Any, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Calls ``hook(module, args, output)`` after forward; what it returns replaces the output."""
    extra = [self._forward_hooks_with_kwargs, self._forward_hooks_always_called]
    handle = _register(self, "_forward_hooks", hook, prepend, extra)
    if with_kwargs:
        self._forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        self._forward_hooks_always_called[handle.id] = True
    return handle


def register_full_backward_hook(self: Any, hook: Callable, prepend: bool = False) -> RemovableHandle:
    """Calls ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known."""
    if self._is_full_backward_hook is False:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one of them."
        )
    self._is_full_backward_hook = True
    return _register(self, "_backward_hooks", hook, prepend)


def register_full_backward_pre_hook(self: Any, hook: Callable, prepend: bool = False) -> RemovableHandle:
    """Calls ``hook(module, grad_output)`` when the gradients of the outputs are known."""
    return _register(self, "_backward_pre_hooks", hook, prepend)


def register_backward_hook(self: Any, hook: Callable) -> RemovableHandle:
    """The older form of register_full_backward_hook: it sees the gradients of the last operation."""
    if self._is_full_backward_hook is True:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one of them."
        )
    self._is_full_backward_hook = False
    return _register(self, "_backward_hooks", hook)


def install(cls: Any) -> None:
    for function in (
        _call_with_hooks, register_forward_pre_hook, register_forward_hook, register_full_backward_hook,
        register_full_backward_pre_hook, register_backward_hook,
    ):  # fmt: skip
        setattr(cls, function.__name__, function)
    cls._call_impl = _call_impl
    cls._wrapped_call_impl = _call_with_hooks


class _GlobalHandle(RemovableHandle):
    def remove(self) -> None:
        super().remove()
        _C._set_global_hooks(_any_global())


def _register_global(hooks: Any, hook: Callable, extra: Any = None) -> RemovableHandle:
    handle = _GlobalHandle(hooks, extra_dict=extra)
    hooks[handle.id] = hook
    _C._set_global_hooks(_any_global())
    return handle


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """A forward pre-hook of every module."""
    return _register_global(_module._global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """A forward hook of every module."""
    extra = [_module._global_forward_hooks_with_kwargs, _module._global_forward_hooks_always_called]
    handle = _register_global(_module._global_forward_hooks, hook, extra)
    if with_kwargs:
        _module._global_forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        _module._global_forward_hooks_always_called[handle.id] = True
    return handle


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """A full backward hook of every module."""
    return _register_global(_module._global_backward_hooks, hook)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """A full backward pre-hook of every module."""
    return _register_global(_module._global_backward_pre_hooks, hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls ``hook(module, name, submodule)`` whenever a module is assigned to another."""
    return _register_global(_module._global_registration["module"], hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls ``hook(module, name, parameter)`` whenever a parameter is assigned to a module."""
    return _register_global(_module._global_registration["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls ``hook(module, name, buffer)`` whenever a buffer is assigned to a module."""
    return _register_global(_module._global_registration["buffer"], hook)
