"""State dicts of modules: written, read, and what went wrong."""

from __future__ import annotations

from collections import OrderedDict

from lumbre import _C
from lumbre.nn.modules import module as _module
from lumbre.nn.parameter import Parameter, is_lazy
from lumbre.utils.hooks import RemovableHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

Tensor = _C.Tensor
_EXTRA = "_extra_state"


def _save_to_state_dict(self: Any, destination: dict, prefix: str, keep_vars: bool) -> None:
    for name, param in self._parameters.items():
        if param is not None:
            destination[prefix + name] = param if keep_vars else param.detach()
    for name, buffer in self._buffers.items():
        if buffer is not None and name not in self._non_persistent_buffers_set:
            destination[prefix + name] = buffer if keep_vars else buffer.detach()
    if type(self).get_extra_state is not _module.Module.get_extra_state:
        destination[prefix + _EXTRA] = self.get_extra_state()


def state_dict(self: Any, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
    """The parameters and persistent buffers by their dotted names; they share memory with the module.

    >>> list(torch.nn.Linear(1, 1).state_dict())
    ['weight', 'bias']
    """
    if args:
        from warnings import warn

        warn(
            "Positional args are being deprecated, use kwargs instead. Refer to "
            "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
            FutureWarning,
            stacklevel=2,
        )
        destination = args[0] if destination is None else destination
        prefix = args[1] if len(args) > 1 and prefix == "" else prefix
        keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()
    metadata = {"version": self._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = metadata
    for hook in self._state_dict_pre_hooks.values():
        hook(self, prefix, keep_vars)
    self._save_to_state_dict(destination, prefix, keep_vars)
    for name, module in self._modules.items():
        if module is not None:
            module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
    for hook in self._state_dict_hooks.values():
        changed = hook(self, destination, prefix, metadata)
        if changed is not None and not getattr(hook, "_from_public_api", False):
            destination = changed
    return destination


def _load_from_state_dict(
    self: Any, state_dict: dict, prefix: str, local_metadata: dict, strict: bool, missing_keys: list, unexpected_keys: list,
    error_msgs: list,
) -> None:  # fmt: skip
    for hook in self._load_state_dict_pre_hooks.values():
        hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
    persistent = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
    own = {k: v for k, v in [*self._parameters.items(), *persistent.items()] if v is not None}
    assign = local_metadata.get("assign_to_params_buffers", False)
    for name, target in own.items():
        key = prefix + name
        if key in state_dict:
            _load_one(self, name, key, target, state_dict[key], assign, error_msgs)
        elif strict:
            missing_keys.append(key)
    extra = prefix + _EXTRA
    if type(self).set_extra_state is not _module.Module.set_extra_state:
        if extra in state_dict:
            self.set_extra_state(state_dict[extra])
        elif strict:
            missing_keys.append(extra)
    elif strict and extra in state_dict:
        unexpected_keys.append(extra)
    if strict:
        for key in state_dict:
            if key.startswith(prefix) and key != extra:
                rest = key[len(prefix) :].split(".", 1)
                if (len(rest) > 1 and rest[0] not in self._modules) or (len(rest) == 1 and rest[0] not in own):
                    unexpected_keys.append(key)


def _load_one(self: Any, name: str, key: str, target: Any, source: Any, assign: bool, errors: list) -> None:
    if not isinstance(source, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but '
            f"received {type(source)}"
        )
        return
    if is_lazy(target):
        if is_lazy(source):
            return
        target.materialize(source.shape)
    # Checkpoints of old scalars have one element.
    if target.dim() == 0 and source.dim() == 1 and len(source) == 1:
        source = source[0]
    if source.shape != target.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {source.shape} from checkpoint, the shape in current "
            f"model is {target.shape}."
        )
        return
    before = _C._set_grad_enabled(False)
    try:
        if assign:
            if isinstance(target, Parameter):
                if not isinstance(source, Parameter):
                    source = Parameter(source, requires_grad=target.requires_grad)
                else:
                    source.requires_grad_(target.requires_grad)
            setattr(self, name, source)
        else:
            target.copy_(source)
    except Exception as error:
        action = "swapping" if assign else "copying"
        errors.append(
            f'While {action} the parameter named "{key}", whose dimensions in the model are {target.size()} and whose '
            f"dimensions in the checkpoint are {source.size()}, an exception occurred : {error.args}."
        )
    finally:
        _C._set_grad_enabled(before)


def load_state_dict(self: Any, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
    """Copies a state dict into the module (or, with ``assign``, takes its tensors).

    Gives the keys that were missing and unexpected; unless ``strict=False`` there must be none, else RuntimeError. Sizes
    must agree in any case.
    """
    if not hasattr(state_dict, "keys") or not hasattr(state_dict, "items"):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    metadata = getattr(state_dict, "_metadata", None)
    state = OrderedDict(state_dict)
    if metadata is not None:
        state._metadata = metadata  # type: ignore[attr-defined]

    def load(module: Any, local: Any, prefix: str = "") -> None:
        own = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            own = {**own, "assign_to_params_buffers": True}
        module._load_from_state_dict(local, prefix, own, True, missing, unexpected, errors)
        for name, child in module._modules.items():
            if child is not None:
                path = prefix + name + "."
                load(child, {k: v for k, v in local.items() if k.startswith(path)}, path)
        incompatible = _module._IncompatibleKeys(missing, unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, incompatible) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if "
                    "incompatible_keys need to be modified, it should be done inplace."
                )

    load(self, state)
    if strict:
        if unexpected:
            errors.insert(0, "Unexpected key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in unexpected)))
        if missing:
            errors.insert(0, "Missing key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in missing)))
    if errors:
        raise RuntimeError(
            "Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(errors))
        )
    return _module._IncompatibleKeys(missing, unexpected)


def _hook(table: str, name: str, doc: str, wrap: bool = False) -> Callable:
    def register(self: Any, hook: Callable) -> RemovableHandle:
        handle = RemovableHandle(getattr(self, table))
        if wrap:
            from functools import partial

            hook = partial(hook, self)
        getattr(self, table)[handle.id] = hook
        return handle

    register.__name__ = name
    register.__doc__ = doc
    return register


def _register_public_state_dict_hook(self: Any, hook: Callable) -> RemovableHandle:
    """Calls ``hook(module, state_dict, prefix, local_metadata)`` after the state dict was made; it may change it."""
    hook._from_public_api = True  # type: ignore[attr-defined]
    handle = RemovableHandle(self._state_dict_hooks)
    self._state_dict_hooks[handle.id] = hook
    return handle


def install(cls: Any) -> None:
    for function in (_save_to_state_dict, state_dict, _load_from_state_dict, load_state_dict):
        setattr(cls, function.__name__, function)
    cls.register_state_dict_post_hook = _register_public_state_dict_hook
    cls._register_state_dict_hook = _hook("_state_dict_hooks", "_register_state_dict_hook", "Runs after state_dict().")
    cls.register_state_dict_pre_hook = _hook(
        "_state_dict_pre_hooks",
        "register_state_dict_pre_hook",
        "Calls ``hook(module, prefix, keep_vars)`` before state_dict().",
    )
    cls.register_load_state_dict_pre_hook = _hook(
        "_load_state_dict_pre_hooks", "register_load_state_dict_pre_hook", "Runs before load_state_dict().", wrap=True
    )

    def _register_load_state_dict_pre_hook(self: Any, hook: Callable, with_module: bool = False) -> RemovableHandle:
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        handle = RemovableHandle(self._load_state_dict_pre_hooks)
        self._load_state_dict_pre_hooks[handle.id] = hook
        return handle

    cls._register_load_state_dict_pre_hook = _register_load_state_dict_pre_hook
    cls.register_load_state_dict_post_hook = _hook(
        "_load_state_dict_post_hooks",
        "register_load_state_dict_post_hook",
        "Calls ``hook(module, incompatible_keys)`` after load_state_dict().",
    )
