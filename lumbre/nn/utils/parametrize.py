"""Parameters that are functions of others: symmetric, orthogonal, of norm 1, or whatever a module computes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager, suppress

from lumbre import _C
from lumbre.nn.modules.container import ModuleDict, ModuleList
from lumbre.nn.modules.module import Module
from lumbre.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Tensor = _C.Tensor
__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip

_cache_enabled = 0
_cache: dict[tuple[int, str], Tensor | None] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Computes every parametrized tensor at most once inside the block."""
    global _cache, _cache_enabled
    _cache_enabled += 1
    try:
        yield
    finally:
        _cache_enabled -= 1
        if not _cache_enabled:
            _cache = {}


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _same_kind(a: Tensor, b: Tensor, text: str, names: tuple[str, str], shape: bool = True) -> None:
    """ValueError unless both tensors have one dtype and (with ``shape``) one shape."""
    for what in ("dtype", "shape") if shape else ("dtype",):
        if getattr(a, what) != getattr(b, what):
            raise ValueError(
                text.format(what)
                + f"\n{names[0].format(what)}: {getattr(a, what)}\n{names[1].format(what)}: {getattr(b, what)}"
            )


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in order, and the tensor or tensors that they start from.

    ``original`` (or ``original0``, ``original1`` ...) is what is learned.
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with _no_grad():
            start: Any = original
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        start = module.right_inverse(start)
        if not isinstance(start, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(start).__name__}"
            )
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if isinstance(start, Tensor) else len(start)
        if isinstance(start, Tensor):
            text = "When `right_inverse` outputs one tensor, it may not change the {}."
            _same_kind(original, start, text, ("original.{}", "right_inverse(original).{}"), shape=False)
            # The tensor stays the object that an optimizer may know.
            with _no_grad():
                original.data = start.detach()
            _register(self, "original", original)
        else:
            self._register_all(original, start)
        if not unsafe:
            self._check_result(shape, dtype)

    def _register_all(self, original: Tensor, starts: Sequence[Any]) -> None:
        for i, one in enumerate(starts):
            if not isinstance(one, Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                    f"Got element {i} of the sequence with type {type(one).__name__}."
                )
            if isinstance(original, Parameter):
                one = Parameter(one, original.requires_grad)
            one.requires_grad_(original.requires_grad)
            _register(self, f"original{i}", one)

    def _check_result(self, shape: Any, dtype: Any) -> None:
        made = self()
        if not isinstance(made, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
        for what, was, now in (("dtype", dtype, made.dtype), ("shape", shape, made.shape)):
            if was != now:
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is "
                    f"enabled.\nunparametrized {what}: {was}\nparametrized {what}: {now}"
                )

    def right_inverse(self, value: Tensor) -> None:
        """Gives the originals the values for which the parametrizations result in ``value``."""
        with _no_grad():
            made: Any = value
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                made = module.right_inverse(made)
            if self.is_tensor:
                if not isinstance(made, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor. Got {type(made).__name__}")
                if made.dtype != self.original.dtype:
                    raise ValueError(
                        f"The tensor returned by `right_inverse` has dtype {made.dtype} while `original` has dtype "
                        f"{self.original.dtype}"
                    )
                self.original.data = made.detach()
                return
            self._take_all(made)

    def _take_all(self, made: Any) -> None:
        if not isinstance(made, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(made).__name__}.")
        if len(made) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length "
                f"{len(made)}."
            )
        for i, one in enumerate(made):
            if not isinstance(one, Tensor):
                raise ValueError(
                    f"`right_inverse` must return a sequence of tensors. Got element {i} of type {type(one).__name__}"
                )
            original = getattr(self, f"original{i}")
            if original.dtype != one.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {one.dtype} while `original{i}` has dtype "
                    f"{original.dtype}"
                )
            original.data = one.detach()

    def forward(self) -> Tensor:
        """The parametrized tensor."""
        first, *rest = self
        if self.is_tensor:
            value = first(self.original)
        else:
            value = first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in rest:
            value = module(value)
        return value


def _no_grad() -> Any:
    from lumbre import no_grad

    return no_grad()


def _parametrized_class(module: Module) -> None:
    cls = type(module)

    def no_pickle(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    def copied(self: Any, memo: dict) -> Any:
        from copy import deepcopy

        if id(self) not in memo:
            kind: Any = type(self)
            made = memo[id(self)] = kind.__new__(kind)
            made.__setstate__(deepcopy(self.__dict__, memo))
        return memo[id(self)]

    body: dict[str, Any] = {"__getstate__": no_pickle}
    if cls.__deepcopy__ is Module.__deepcopy__:
        body["__deepcopy__"] = copied
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), body)


def _parametrized_property(module: Module, name: str) -> None:
    def get(self: Any) -> Tensor:
        if not _cache_enabled:
            return self.parametrizations[name]()
        key = (id(self), name)
        value = _cache.get(key)
        if value is None:
            value = _cache[key] = self.parametrizations[name]()
        return value

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def _check_further(module: Module, name: str, parametrization: Module) -> None:
    """One more parametrization of a tensor must keep its dtype and shape, forth and back."""
    text = "Registering a parametrization may not change the {} of the tensor, unless the `unsafe` flag is enabled."
    own = f"module.{name}.{{}}"
    value = getattr(module, name)
    made = parametrization(value)
    if not isinstance(made, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
    _same_kind(value, made, text, (own, f"parametrization(module.{name}).{{}}"))
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(made)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    text = (
        f"The tensor returned by parametrization.right_inverse must have the same {{}} as module.{name}, unless the "
        "`unsafe` flag is enabled."
    )
    _same_kind(value, back, text, (own, "returned {}"))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Makes a parameter or buffer of a module the result of a parametrization; what is learned moves into
    ``module.parametrizations``. Further ones are applied after those that are there.

    A ``right_inverse`` of the parametrization makes the tensor assignable and gives the initial value. ValueError when
    dtype or shape would change and ``unsafe`` is not set.

    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> net = torch.nn.utils.parametrize.register_parametrization(torch.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((net.weight == net.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_further(module, tensor_name, parametrization)
        entry: Any = module.parametrizations[tensor_name]
        entry.append(parametrization)
        entry.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        entry = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _parametrized_class(module)
            module.parametrizations = ModuleDict()
        _parametrized_property(module, tensor_name)
        module.parametrizations[tensor_name] = entry
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module (or one tensor of it) is parametrized."""
    entries = getattr(module, "parametrizations", None)
    if entries is None or not isinstance(entries, ModuleDict):
        return False
    return len(entries) > 0 if tensor_name is None else tensor_name in entries


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes a parametrized tensor a parameter or buffer again: with its present value, or with that of ``original``."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    entry: Any = module.parametrizations[tensor_name]
    if entry.is_tensor:
        original = entry.original
        if leave_parametrized:
            with _no_grad():
                original.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence "
            "of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class of a module before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives a module the parametrizations of another and the tensors that they start from; gives the receiving module."""
    if not is_parametrized(from_module):
        return to_module
    entries: Any = from_module.parametrizations
    for name in entries if tensor_name is None else [tensor_name]:
        entry = entries[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in entry:
            register_parametrization(to_module, name, parametrization, unsafe=entry.unsafe)
        target: Any = to_module.parametrizations[name]
        for key in ["original"] if entry.is_tensor else [f"original{i}" for i in range(entry.ntensors)]:
            setattr(target, key, getattr(entry, key))
    return to_module
