"""Functions with a backward of their own."""

from __future__ import annotations

from lumbre import _C, _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

Tensor = _C.Tensor


class FunctionCtx:
    """What a forward leaves for its backward."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _to_save: tuple[Any, ...] = ()
    _saved: tuple[Any, ...] | None = None
    _dirty: tuple[Tensor, ...] = ()
    _not_differentiable: tuple[Tensor, ...] = ()
    _node: Any = None
    _released = False
    _function: Any
    _inputs: list[tuple[Any, Any, bool]]
    _results: list[tuple[Any, Any]]

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors (or None) for the backward, checked there against changes in place."""
        for one in tensors:
            if one is not None and not isinstance(one, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument has type {type(one).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted: there is no forward-mode differentiation that would read them."""

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that the forward saved."""
        if self._saved is None:
            if self._released:
                raise RuntimeError(
                    "Trying to backward through the graph a second time (or directly access saved tensors after they "
                    "have already been freed). Saved intermediate values of the graph are freed when you call "
                    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
                    "graph a second time or if you need to access saved tensors after calling backward."
                )
            return self._to_save
        return tuple(one if one is None else one.unpack(self._node) for one in self._saved)

    saved_variables = saved_tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says which inputs the forward wrote to; it must also return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says which results have no gradient."""
        self._not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether absent gradients reach the backward as zeros (they do unless told otherwise) or as None."""
        self.materialize_grads = value

    # --- called by the engine ---

    def _release(self) -> None:
        if self._saved:
            self._saved = None
            self._to_save = ()
            self._released = True

    def _run_backward(self, gradients: tuple[Any, ...], node: Any) -> tuple[Any, ...]:
        # The node owns this context: it is known here only while it runs.
        self._node = node
        try:
            return self._gradients(gradients)
        finally:
            self._node = None

    def _gradients(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        function = self._function
        if self.materialize_grads:
            from lumbre import zeros

            gradients = tuple(
                zeros(shape, dtype=dtype) if one is None and shape is not None else one
                for one, (shape, dtype) in zip(gradients, self._results, strict=True)
            )
        given = function._backward_function()(self, *gradients)
        if not isinstance(given, tuple):
            given = tuple(given) if isinstance(given, list) else (given,)
        expected = len(self.needs_input_grad)
        if len(given) > expected and all(one is None for one in given[expected:]):
            given = given[:expected]
        if len(given) != expected:
            raise RuntimeError(
                f"function {function.__name__}Backward returned an incorrect number of gradients (expected {expected}, "
                f"got {len(given)})"
            )
        return tuple(self._fitted(i, given[i], *self._inputs[i]) for i in range(expected) if self._inputs[i][2])

    def _fitted(self, i: int, gradient: Any, shape: Any, dtype: Any, is_tensor: bool) -> Any:
        if gradient is None or shape is None:
            return None
        if not isinstance(gradient, Tensor):
            raise RuntimeError(
                f"expected Variable or None (got {type(gradient).__name__}) from {self._function.__name__}Backward"
            )
        if gradient.shape != shape:
            if len(gradient.shape) < len(shape) or not _reducible(gradient.shape, shape):
                raise RuntimeError(
                    f"Function {self._function.__name__}Backward returned an invalid gradient at index {i} - got "
                    f"{list(gradient.shape)} but expected shape compatible with {list(shape)}"
                )
            gradient = gradient.sum_to_size(shape)
        return gradient if gradient.dtype is dtype else gradient.to(dtype)


def _reducible(shape: Any, wanted: Any) -> bool:
    lead = len(shape) - len(wanted)
    return all(want in (1, have) for have, want in zip(shape[lead:], wanted, strict=True))


BackwardCFunction = FunctionCtx


class Function:
    """A function with its own gradient: a subclass has static methods ``forward`` and ``backward``.

    ``forward(ctx, *args)`` computes; ``backward(ctx, *gradients)`` takes a gradient for each result and gives one for
    each argument (None for what has none). Instead of taking ``ctx`` in its forward, a class may define
    ``setup_context(ctx, inputs, output)``.

    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         return gradient * 2
    >>> x = torch.tensor(1., requires_grad=True)
    >>> Double.apply(x).backward(); x.grad
    tensor(2.)
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from warnings import warn

        warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future version "
            "of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
            "with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the results from the arguments. To be written in a subclass."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Leaves in ``ctx`` what the backward needs, when the forward does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of the arguments from those of the results. To be written in a subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @classmethod
    def _backward_function(cls) -> Callable:
        own = cls.backward
        if own is Function.backward and cls.vjp is not Function.vjp:
            return cls.vjp
        if own is not Function.backward and cls.vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
                "one of them."
            )
        return own

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs the forward and records the function where a gradient will be wanted."""
        if _registry.has_override(args):
            return _registry.call_override(cls.apply, args, kwargs)
        context = FunctionCtx()
        context._function = cls
        needs = tuple(isinstance(one, Tensor) and one.requires_grad for one in args)
        context.needs_input_grad = needs
        recording = _C.is_grad_enabled() and any(needs)
        before = _C._set_grad_enabled(False)
        try:
            if cls.setup_context is Function.setup_context:
                output = cls.forward(context, *args, **kwargs)
            else:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, output)
        finally:
            _C._set_grad_enabled(before)
        return _record(cls, context, args, output, recording)


def _record(cls: type, context: FunctionCtx, args: tuple[Any, ...], output: Any, recording: bool) -> Any:
    single = not isinstance(output, tuple)
    outputs = (output,) if single else output
    if single and recording and not isinstance(output, Tensor) and output is not None:
        raise TypeError(f"{cls.__name__}Backward.forward: expected to return Tensors (got {type(output).__name__})")
    for one in context._dirty:
        if not any(one is other for other in outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
                "modified inplace must all be outputs of the Function."
            )
    if not recording:
        results = [one.view_as(one) if _is_input(one, args, context) else one for one in outputs]
        return results[0] if single else tuple(results)
    for one in context._dirty:
        _C._check_written(one)
    context._inputs = [(one.shape, one.dtype, True) if isinstance(one, Tensor) else (None, None, False) for one in args]
    context._results = [(one.shape, one.dtype) if isinstance(one, Tensor) else (None, None) for one in outputs]
    tensors = tuple(one for one in args if isinstance(one, Tensor))
    node = _C._function_node(context, f"{cls.__name__}Backward", tensors, len(outputs))
    results = []
    saved_outputs = {}
    for i, one in enumerate(outputs):
        constant = not isinstance(one, Tensor) or any(one is other for other in context._not_differentiable)
        if constant or not one.dtype.is_floating_point:
            results.append(one)
            continue
        dirty = any(one is other for other in context._dirty)
        made = one if dirty else _fresh(one, args)
        saved_outputs[id(one)] = i
        _C._set_node(made, node, i, dirty)
        results.append(made)
    context._saved = tuple(
        one if one is None else _C._save_tensor(one, saved_outputs.get(id(one), -1)) for one in context._to_save
    )
    context._to_save = ()
    return results[0] if single else tuple(results)


def _is_input(one: Any, args: tuple[Any, ...], context: FunctionCtx) -> bool:
    return (
        isinstance(one, Tensor)
        and any(one is other for other in args)
        and not any(one is other for other in context._dirty)
    )


def _fresh(one: Tensor, args: tuple[Any, ...]) -> Tensor:
    """A result that is an input as it is becomes a tensor of its own over the same memory."""
    if any(one is other for other in args):
        before = _C._set_grad_enabled(False)
        try:
            return one.view_as(one)
        finally:
            _C._set_grad_enabled(before)
    return one


def once_differentiable(function: Callable) -> Callable:
    """Marks a backward that cannot be differentiated itself: doing so raises RuntimeError."""
    from functools import wraps

    @wraps(function)
    def wrapped(ctx: Any, *gradients: Any) -> Any:
        recording = _C.is_grad_enabled() and any(isinstance(g, Tensor) and g.requires_grad for g in gradients)
        before = _C._set_grad_enabled(False)
        try:
            given = function(ctx, *gradients)
        finally:
            _C._set_grad_enabled(before)
        if not recording:
            return given
        several = isinstance(given, tuple)
        refused = tuple(
            _Once.apply(one, *[g for g in gradients if isinstance(g, Tensor)]) if isinstance(one, Tensor) else one
            for one in (given if several else (given,))
        )
        return refused if several else refused[0]

    return wrapped


class _Once(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *sources: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


class InplaceFunction(Function):
    """A function that may work in place; kept for older programs."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """Kept for older programs: results and arguments of nested structures are not supported."""

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Lumbre does not have functions of nested arguments; pass the tensors one by one")
