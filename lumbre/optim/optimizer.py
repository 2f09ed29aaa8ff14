"""Optimizer: parameters in groups, each with its settings, and the state of each parameter."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from functools import wraps

from lumbre import _C
from lumbre.optim._stale_gradients import StaleGradients
from lumbre.utils.hooks import RemovableHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
_global_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_global_post_hooks: OrderedDict[int, Any] = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Calls ``hook(optimizer, args, kwargs)`` before the step of every optimizer."""
    handle = RemovableHandle(_global_pre_hooks)
    _global_pre_hooks[handle.id] = hook
    return handle


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Calls ``hook(optimizer, args, kwargs)`` after the step of every optimizer."""
    handle = RemovableHandle(_global_post_hooks)
    _global_post_hooks[handle.id] = hook
    return handle


def _with_hooks(step: Callable) -> Callable:
    @wraps(step)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True  # what schedules ask
        if not (self._hooked or _global_pre_hooks or _global_post_hooks):
            return step(self, *args, **kwargs)
        watch = self._watch
        # A step that torch.compile records looks at nothing but what it computes.
        if watch is not None and (_C._is_recording() or not watch.before_step(self)):
            self._watch = watch = None
            self._hooked = bool(self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks)
        for hook in [*_global_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()]:
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        result = step(self, *args, **kwargs)
        for hook in [*self._optimizer_step_post_hooks.values(), *_global_post_hooks.values()]:
            hook(self, args, kwargs)
        if watch is not None:
            watch.after_step()
        return result

    wrapped.hooked = True  # type: ignore[attr-defined]
    return wrapped


def __getattr__(name: str) -> Any:
    if name == "ParamsT":
        from collections.abc import Iterable
        from typing import Any

        return Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def number(value: Any) -> float:
    """A setting as a number; a tensor of one element serves as one."""
    return value.item() if isinstance(value, Tensor) else value


class Optimizer:
    """The base of optimizers: ``params`` are tensors, (name, tensor) pairs or groups (dicts with "params").

    Raises TypeError for what is no tensor, ValueError for an empty list or a tensor that is not a leaf.
    """

    _optimizer_step_pre_hooks: OrderedDict[int, Callable]
    _optimizer_step_post_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable]
    _opt_called: bool
    _hooked = False  # also of subclasses that wrap an optimizer and do not call __init__
    _watch: StaleGradients | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "hooked", False):
            cls.step = _with_hooks(step)  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + _typename(params)
            )
        self.state: dict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))
        self._watch, self._hooked = StaleGradients(), True  # for the first steps

    def _make_hooks(self) -> None:
        for name in (
            "_optimizer_step_pre_hooks", "_optimizer_step_post_hooks", "_optimizer_state_dict_pre_hooks",
            "_optimizer_state_dict_post_hooks", "_optimizer_load_state_dict_pre_hooks",
            "_optimizer_load_state_dict_post_hooks",
        ):  # fmt: skip
            self.__dict__.setdefault(name, OrderedDict())
        self._hooked = False

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hooks()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            settings = "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            text += f"\nParameter Group {i}\n{settings}"
        return text + ")"

    # --- hooks --------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls ``hook(optimizer, args, kwargs)`` before each step."""
        return self._register("_optimizer_step_pre_hooks", hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls ``hook(optimizer, args, kwargs)`` after each step."""
        return self._register("_optimizer_step_post_hooks", hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls ``hook(optimizer)`` before state_dict()."""
        return self._register("_optimizer_state_dict_pre_hooks", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls ``hook(optimizer, state_dict)`` after state_dict(); what it returns replaces the result."""
        return self._register("_optimizer_state_dict_post_hooks", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls ``hook(optimizer, state_dict)`` before load_state_dict(); what it returns is loaded instead."""
        return self._register("_optimizer_load_state_dict_pre_hooks", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls ``hook(optimizer)`` after load_state_dict()."""
        return self._register("_optimizer_load_state_dict_post_hooks", hook, prepend)

    def _register(self, table: str, hook: Callable, prepend: bool = False) -> RemovableHandle:
        hooks = getattr(self, table)
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        self._hooked = True
        return handle

    # --- groups -------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group: a dict with "params" and the settings that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                "change between runs. Please use a list instead."
            )
        else:
            params = list(params)
        names = []
        tensors = []
        for param in params:
            if isinstance(param, tuple):
                names.append(param[0])
                param = param[1]
            if not isinstance(param, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is " + _typename(param))
            if not self.defaults.get("differentiable", None) and not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
            tensors.append(param)
        if names and len(names) != len(tensors):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        named = ["param_names" in group for group in self.param_groups]
        if named and named[0] is not bool(names):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if names else 'without'} names to the optimizer"
            )
        param_group["params"] = tensors
        if names:
            param_group["param_names"] = names
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(tensors) != len({id(param) for param in tensors}):
            from warnings import warn

            warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see "
                "github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        known = {id(param) for group in self.param_groups for param in group["params"]}
        if any(id(param) in known for param in tensors):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def _patch_step_function(self) -> None:
        """Nothing is left to do: ``step`` was given its hooks when the class was made."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops all gradients (or fills them with zeros)."""
        for group in self.param_groups:
            if set_to_none:
                for param in group["params"]:
                    param.grad = None
                continue
            for param in group["params"]:
                if param.grad is not None:
                    if param.grad.grad_fn is not None:
                        param.grad.detach_()
                    else:
                        param.grad.requires_grad_(False)
                    param.grad.zero_()

    def step(self, closure: Callable | None = None) -> Any:
        """One step. To be written in a subclass."""
        raise NotImplementedError

    def _closure_loss(self, closure: Callable | None) -> Any:
        if closure is None:
            return None
        before = _C._set_grad_enabled(True)
        try:
            return closure()
        finally:
            _C._set_grad_enabled(before)

    # --- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the groups, with numbers in the place of parameters."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {numbers[id(key)] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what state_dict() gave, cast to the parameters' dtypes. ValueError where the groups differ."""
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups = self.param_groups
        from copy import deepcopy

        saved = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        owners: dict[Any, Tensor] = {}
        for group, packed in zip(groups, saved, strict=True):
            owners.update(zip(packed["params"], group["params"], strict=True))
        state: dict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in owners:
                state[owners[key]] = _cast(owners[key], value)
            else:
                state[key] = value
        merged = []
        for group, packed in zip(groups, saved, strict=True):
            packed["params"] = group["params"]
            if "param_names" in group and "param_names" not in packed:
                packed["param_names"] = group["param_names"]
            merged.append(packed)
        self.__setstate__({"state": state, "param_groups": merged})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)


def _cast(param: Tensor, value: Any, key: Any = None) -> Any:
    """State as this parameter's: in its dtype, but for "step"; what has that dtype is shared, not copied."""
    if isinstance(value, Tensor):
        return value if key == "step" or not param.is_floating_point() else value.to(param.dtype)
    if isinstance(value, dict):
        return {name: _cast(param, one, name) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(param, one) for one in value)
    return value


def _typename(value: Any) -> str:
    from lumbre import typename

    return typename(value)


def check_rate(lr: Any, words: str = "Invalid learning rate: {}") -> None:
    """ValueError for a negative learning rate or a tensor of several."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not number(lr) >= 0.0:
        raise ValueError(words.format(lr))


def check(name: str, value: Any, valid: bool) -> None:
    """ValueError for a setting that is out of its range."""
    if not valid:
        raise ValueError(f"Invalid {name}: {value}")


def check_betas(betas: Any) -> None:
    """ValueError where a running mean's weight is not in [0, 1)."""
    for i in (0, 1):
        check(f"beta parameter at index {i}", betas[i], 0.0 <= number(betas[i]) < 1.0)


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """RuntimeError for implementations that exclude each other."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def zeros_as(param: Tensor) -> Tensor:
    """Zeros of a parameter's layout."""
    from lumbre import zeros_like

    return zeros_like(param, memory_format=_C.preserve_format)


def scalar(value: float) -> Tensor:
    """A count or another number that belongs to a parameter's state."""
    from lumbre import get_default_dtype

    return _C.tensor(float(value), dtype=_C.float64 if get_default_dtype() is _C.float64 else _C.float32)


class PerParameter(Optimizer):
    """An optimizer that updates every parameter by itself.

    ``start`` makes a parameter's state. ``fused`` makes the step of a group in one call into the engine, or gives False
    (KeyError and TypeError where states are missing); then ``update`` makes that of each parameter from operators.
    """

    # Settings that older checkpoints lack.
    added: tuple[tuple[str, Any], ...] = (
        ("foreach", None), ("maximize", False), ("differentiable", False), ("capturable", False),
    )  # fmt: skip
    # Weight decay is added to the gradient, unless the optimizer does that itself.
    decays_gradient = True
    # What must be on a device that records graphs when "capturable" is set, and where PyTorch can compile for it.
    captured = "params and state_steps"
    captured_foreach = "params and state_steps"
    compiled, compiled_foreach = True, False

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.added:
                group.setdefault(name, value)
            for param in group["params"]:
                own = self.state.get(param)
                if own and "step" in own and not isinstance(own["step"], Tensor):
                    own["step"] = scalar(own["step"])

    def step(self, closure: Callable | None = None) -> Any:
        """One step from the gradients that are there; gives the closure's loss."""
        loss = None if closure is None else self._closure_loss(closure)
        for group in self.param_groups:
            try:
                done = self.fused(group)
            except (KeyError, TypeError):
                done = False
            if not done:
                self._step_by_operators(group)
        return loss

    def _step_by_operators(self, group: dict[str, Any]) -> None:
        params = [param for param in group["params"] if param.grad is not None]
        before = _C._set_grad_enabled(bool(self.defaults.get("differentiable")))
        try:
            missing = [param for param in params if self.lacks_state(param, group)]
            for param in missing:
                self.start(param, self.state[param], group)
            if group.get("capturable") and params and not group.get("fused"):
                self._refuse_capture(group)
            if group.get("foreach") and group.get("differentiable") and self.compiled_foreach is not None:
                raise AssertionError("_foreach ops don't support autograd")
            if missing and self.fused({**group, "params": params}):
                return
            for param in params:
                self._update_one(param, group)
        finally:
            _C._set_grad_enabled(before)

    def _update_one(self, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        if "step" in state:
            state["step"] += 1
        grad = -param.grad if group.get("maximize") else param.grad
        if self.decays_gradient and not group.get("decoupled_weight_decay"):
            decay = group.get("weight_decay", 0)
            if number(decay) != 0:
                if isinstance(decay, Tensor) and decay.requires_grad:
                    grad = grad.addcmul_(param.clone(), decay)
                else:
                    grad = grad.add(param, alpha=number(decay))
        self.update(param, grad, state, group)

    def _refuse_capture(self, group: dict[str, Any]) -> None:
        foreach = bool(group.get("foreach"))
        devices = ["cuda", "xpu", "hpu", "privateuseone"]
        if self.compiled_foreach if foreach else self.compiled:
            devices.append("xla")
        what = self.captured_foreach if foreach else self.captured
        raise AssertionError(f"If capturable=True, {what} must be on supported devices: {devices}.")

    def lacks_state(self, param: Tensor, group: dict[str, Any]) -> bool:
        """Whether ``start`` is to be called first."""
        return not self.state.get(param)

    def start(self, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Makes a parameter's state."""
        raise NotImplementedError

    def fused(self, group: dict[str, Any]) -> bool:
        """The step of a group in one call, if its memory is such that the engine does it."""
        return False

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The step of one parameter; ``grad`` is turned (maximize) and decayed already."""
        raise NotImplementedError


def rate(group: dict[str, Any]) -> Any:
    """The learning rate as a number, but as a tensor where its gradient is asked for."""
    lr = group["lr"]
    if isinstance(lr, Tensor) and not (lr.requires_grad and group.get("differentiable")):
        return lr.item()
    return lr
