"""What an error in a network is told beside PyTorch's message: where it happened, what came in, what would have fitted.

The notes (PEP 678) are made when an error passes the call of a module, and at no other time.
"""

from __future__ import annotations

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lumbre.nn.modules.module import Module

Tensor = _C.Tensor
_EXPLAINED = (RuntimeError, ValueError, TypeError, IndexError)


def explain(module: Module, args: tuple, error: BaseException) -> None:
    """Adds the notes at the innermost module, and the way to it at each module around that."""
    if not isinstance(error, _EXPLAINED):
        return
    state = error.__dict__.get("_lumbre_where")
    if state is None:
        given = _described(args)
        advice = _advice(module, args)
        error.add_note(_place("", module, None, given))
        error.__dict__["_lumbre_where"] = (module, given, len(error.__notes__) - 1)
        if advice:
            error.add_note(advice)
        return
    inner, given, index = state
    for name, part in module.named_modules():
        if part is inner and name:
            error.__notes__[index] = _place(name, inner, module, given)
            return


def _place(name: str, inner: Module, outer: Module | None, given: str) -> str:
    kind = type(inner).__name__
    where = f"{name} ({kind})" if name else kind
    around = f" of {type(outer).__name__}" if outer is not None else ""
    return f"in {where}{around}, which was given {given}"


def _described(args: tuple) -> str:
    parts = [_tensor_text(each) if isinstance(each, Tensor) else f"a {type(each).__name__}" for each in args]
    return " and ".join(parts) if parts else "nothing by position"


def _tensor_text(tensor: Tensor) -> str:
    return f"{_dtype(tensor)} {_shape(tensor)}"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).rpartition(".")[2]


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _advice(module: Module, args: tuple) -> str | None:
    """One sentence on what was expected and a change that would work; None where nothing is known."""
    if not args or not isinstance(args[0], Tensor):
        return None
    for kind in type(module).__mro__:
        known = _KNOWN.get(kind.__name__)
        if known is None or not kind.__module__.rpartition(".")[0].endswith("nn.modules"):
            continue
        try:
            found = known(module, *args)
        except (AttributeError, TypeError, IndexError):  # a module of another making under a known name
            found = None
        return found or _dtype_advice(module, args[0])
    return None


def _dtype_advice(module: Module, x: Tensor) -> str | None:
    weight = next((each for each in module.parameters(recurse=False)), None)
    if weight is None or x.dtype is weight.dtype:
        return None
    name = _dtype(weight)
    change = f"x.to(torch.{name})" if not x.dtype.is_floating_point or name != "float32" else "x.float()"
    return f"its parameters are {name} and the input is {_dtype(x)}: give it {change}"


# --- layers -----------------------------------------------------------------------------------------------------------


def _linear(module: Any, x: Tensor, *rest: Any) -> str | None:
    wanted, out = module.in_features, module.out_features
    if x.dim() == 0 or x.shape[-1] == wanted:
        return None
    expected = f"Linear({wanted}, {out}) takes (*, {wanted})"
    if x.dim() > 2 and x[0].numel() == wanted:
        return f"{expected}: flatten the input first, with x.flatten(1) or nn.Flatten()"
    if x.numel() == wanted or (x.dim() == 2 and x.shape[0] == wanted):
        change = "x.T" if x.dim() == 2 and x.shape[0] == wanted else f"x.reshape({wanted})"
        return f"{expected}: give it {change}"
    return f"{expected}: make it Linear({x.shape[-1]}, {out})"


def _conv(module: Any, x: Tensor, *rest: Any) -> str | None:
    dims, channels = len(module.kernel_size), module.in_channels
    letters = "LHW"[0] if dims == 1 else "HW" if dims == 2 else "DHW"
    expected = f"{type(module).__name__} takes (N, {channels}, {', '.join(letters)})"
    if x.dim() not in (dims + 1, dims + 2):
        if x.dim() == dims and channels == 1:
            return f"{expected}: add the channel with x.unsqueeze(0)"
        return f"{expected}, or one sample without N; the input has {x.dim()} dimensions"
    place = x.dim() - dims - 1
    if x.shape[place] == channels:
        return None
    if x.shape[-1] == channels:
        order = [*range(place), x.dim() - 1, *range(place, x.dim() - 1)]
        return f"{expected}: the channels are last, move them with x.permute{tuple(order)}"
    if x.dim() == dims + 1 and channels == 1:
        return f"{expected}: add the channel with x.unsqueeze(1)"
    return f"{expected}: make it {type(module).__name__}({x.shape[place]}, {module.out_channels}, ...)"


def _features(module: Any, x: Tensor, *rest: Any) -> str | None:
    if x.dim() < 2 or x.shape[1] == module.num_features:
        return None
    name = type(module).__name__
    return f"{name} takes {module.num_features} channels in dimension 1: make it {name}({x.shape[1]})"


def _layer_norm(module: Any, x: Tensor, *rest: Any) -> str | None:
    shape = tuple(module.normalized_shape)
    last = tuple(x.shape[-len(shape) :])
    if last == shape:
        return None
    return f"LayerNorm takes inputs whose last dimensions are {shape}: make it LayerNorm({last if len(last) > 1 else last[0]})"


def _group_norm(module: Any, x: Tensor, *rest: Any) -> str | None:
    if x.dim() < 2 or x.shape[1] == module.num_channels:
        return None
    return f"GroupNorm takes {module.num_channels} channels in dimension 1: make it GroupNorm({module.num_groups}, {x.shape[1]})"


def _embedding(module: Any, x: Tensor, *rest: Any) -> str | None:
    if x.dtype.is_floating_point:
        return f"indices are integers and the input is {_dtype(x)}: give it x.long()"
    if x.numel() == 0:
        return None
    low, high, rows = int(x.min()), int(x.max()), module.num_embeddings
    if low >= 0 and high < rows:
        return None
    return f"its rows are 0 to {rows - 1} and the indices run from {low} to {high}" + (
        f": make it Embedding({high + 1}, {module.embedding_dim})" if low >= 0 else ""
    )


def _recurrent(module: Any, x: Tensor, *rest: Any) -> str | None:
    if x.dim() == 0 or x.shape[-1] == module.input_size:
        return None
    name = type(module).__name__
    order = "(N, L, {0})" if getattr(module, "batch_first", False) else "(L, N, {0})"
    expected = f"{name} takes {(order if hasattr(module, 'num_layers') else '(N, {0})').format(module.input_size)}"
    return f"{expected}: make it {name}({x.shape[-1]}, {module.hidden_size})"


def _attention(module: Any, query: Tensor, *rest: Any) -> str | None:
    if query.shape[-1] == module.embed_dim:
        return None
    return f"MultiheadAttention takes queries whose last dimension is {module.embed_dim}, not {query.shape[-1]}"


# --- losses -----------------------------------------------------------------------------------------------------------


def _class_loss(module: Any, x: Tensor, target: Any = None, *rest: Any) -> str | None:
    if not isinstance(target, Tensor):
        return None
    classes = x.shape[1] if x.dim() > 1 else x.shape[0] if x.dim() else 0
    if target.shape != x.shape and target.dtype.is_floating_point:
        return (
            f"targets are numbers of classes, as integers: give it target.long(), or probabilities of shape {_shape(x)}"
        )
    if target.dim() == x.dim() and target.dim() > 1 and target.shape[1] == 1:
        return f"targets are numbers of classes, of shape {(x.shape[0], *x.shape[2:])}: give it target.squeeze(1)"
    if target.numel() and not target.dtype.is_floating_point:
        low, high = int(target.min()), int(target.max())
        if low < 0 or high >= classes:
            return f"there are {classes} classes, 0 to {classes - 1}, and the targets run from {low} to {high}"
        if target.dtype is not _C.int64:
            return "targets are numbers of classes in int64: give it target.long()"
    return None


def _even_loss(module: Any, x: Tensor, target: Any = None, *rest: Any) -> str | None:
    if not isinstance(target, Tensor):
        return None
    if x.shape != target.shape:
        if x.numel() == target.numel():
            return f"input and target must have one shape: give it target.reshape({_shape(x)})"
        return f"input and target must have one shape, and have {_shape(x)} and {_shape(target)}"
    if not target.dtype.is_floating_point:
        return f"targets are of the input's dtype and these are {_dtype(target)}: give it target.float()"
    return None


_KNOWN: dict[str, Callable[..., str | None]] = {
    "Linear": _linear,
    "_ConvNd": _conv,
    "_NormBase": _features,
    "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "Embedding": _embedding,
    "RNNBase": _recurrent,
    "RNNCellBase": _recurrent,
    "MultiheadAttention": _attention,
    "CrossEntropyLoss": _class_loss,
    "NLLLoss": _class_loss,
    "BCELoss": _even_loss,
    "BCEWithLogitsLoss": _even_loss,
    "MSELoss": _even_loss,
    "L1Loss": _even_loss,
    "SmoothL1Loss": _even_loss,
    "HuberLoss": _even_loss,
}
