"""``torch.nn.utils.rnn``: sequences of several lengths, padded to one tensor or packed without the padding."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from lumbre import _C, arange, broadcast_shapes, cat, empty_like, full, int64, stack, tensor
from lumbre._conversions import as_tensor
from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

Tensor = _C.Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence_(NamedTuple):
    """The four fields of a PackedSequence."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


PackedSequence_.__annotations__ = {
    "data": Tensor,
    "batch_sizes": Tensor,
    "sorted_indices": Tensor | None,
    "unsorted_indices": Tensor | None,
}


class PackedSequence(PackedSequence_):
    """Sequences without padding: ``data`` holds all first steps, then all second ones, and so on.

    ``batch_sizes`` (int64, on the CPU) counts the sequences that are still running at each step; ``sorted_indices``
    is the order of decreasing length and ``unsorted_indices`` its inverse (None where the sequences came sorted).
    Made by ``pack_padded_sequence`` and ``pack_sequence``; taken and given by the recurrent modules.

    >>> packed = torch.nn.utils.rnn.pack_sequence([torch.tensor([1., 2.]), torch.tensor([3.])])
    >>> packed.data, packed.batch_sizes
    (tensor([1., 3., 2.]), tensor([2, 1]))
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        return super().__new__(cls, *_fields(data, batch_sizes, sorted_indices, unsorted_indices))

    def pin_memory(self) -> PackedSequence:
        """As ``Tensor.pin_memory``, which needs an accelerator."""
        return self._with(self.data.pin_memory(), self.batch_sizes.device)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """As ``Tensor.to`` on the data; the same object where nothing changes.

        >>> torch.nn.utils.rnn.pack_sequence([torch.ones(1)]).to(torch.float64).data
        tensor([1.], dtype=torch.float64)
        """
        if "copy" in kwargs:
            raise RuntimeError(".to() does not accept copy argument")
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._with(data, data.device)

    def _with(self, data: Tensor, device: Any) -> PackedSequence:
        moved = (None if index is None else index.to(device) for index in self[2:])
        return type(self)(data, self.batch_sizes, *moved)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Moves to a GPU; AssertionError, for there is none."""
        data = self.data.cuda(*args, **kwargs)
        return self if data is self.data else self._with(data, data.device)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequence on the CPU: itself."""
        return self.to(*args, device="cpu", **kwargs)

    def double(self) -> PackedSequence:
        """The data as float64."""
        return self.to(dtype=_C.float64)

    def float(self) -> PackedSequence:
        """The data as float32."""
        return self.to(dtype=_C.float32)

    def half(self) -> PackedSequence:
        """The data as float16."""
        return self.to(dtype=_C.float16)

    def long(self) -> PackedSequence:
        """The data as int64."""
        return self.to(dtype=int64)

    def int(self) -> PackedSequence:
        """The data as int32."""
        return self.to(dtype=_C.int32)

    def short(self) -> PackedSequence:
        """The data as int16."""
        return self.to(dtype=_C.int16)

    def char(self) -> PackedSequence:
        """The data as int8."""
        return self.to(dtype=_C.int8)

    def byte(self) -> PackedSequence:
        """The data as uint8."""
        return self.to(dtype=_C.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory."""
        return self.data.is_pinned()


def _fields(data: Any, batch_sizes: Any, sorted_indices: Any, unsorted_indices: Any) -> tuple:
    if batch_sizes is None:
        if not isinstance(data, (list, tuple)) or len(data) != 2:
            raise AssertionError("Expected data to be a list or tuple of length 2")
        data, batch_sizes = data
    elif batch_sizes.device.type != "cpu":
        raise ValueError(
            "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They "
            "should be instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. "
            "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
        )
    if unsorted_indices is None:
        unsorted_indices = invert_permutation(sorted_indices)
    return data, batch_sizes, sorted_indices, unsorted_indices


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes a permutation (1-D, int64); None stays None.

    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    result = empty_like(permutation, memory_format=_C.contiguous_format)
    return result.scatter_(0, permutation, arange(permutation.numel()))


@operator("_pack_padded_sequence(input, lengths, batch_first)", method=False)
def _pack_padded_sequence(input: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """The data and batch sizes of sequences padded to (T, B, *), with int64 lengths in decreasing order."""
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.dim() != 1 or lengths.dtype is not int64:
        kind = str(lengths.dtype).rpartition(".")[2]
        kind = {"int64": "Long", "int32": "Int", "float32": "Float", "float64": "Double"}.get(kind, kind.title())
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, "
            f"but got {lengths.dim()}D {lengths.device.type} {kind} tensor"
        )
    steps = input.transpose(0, 1) if batch_first else input
    batch, counts = steps.size(1), lengths.tolist()
    if len(counts) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={batch})"
        )
    if counts[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(early < late for early, late in pairwise(counts)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence "
            "to sidestep this requirement if you do not need ONNX exportability."
        )
    sizes = _running(counts)
    rows = [step * batch + row for step in range(min(len(sizes), steps.size(0))) for row in range(sizes[step])]
    data = steps.reshape(-1, *steps.shape[2:]).index_select(0, tensor(rows, dtype=int64))
    return data, tensor(sizes, dtype=int64)


def _running(lengths: list[int]) -> list[int]:
    """How many of the sequences, whose lengths decrease, run at each step."""
    sizes, running = [], len(lengths)
    for step in range(lengths[0]):
        while lengths[running - 1] <= step:
            running -= 1
        sizes.append(running)
    return sizes


@operator("_pad_packed_sequence(data, batch_sizes, batch_first, padding_value, total_length)", method=False)
def _pad_packed_sequence(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    """Packed data as a padded tensor (T, B, *) or (B, T, *), and the lengths (int64)."""
    sizes = batch_sizes.tolist()
    steps, batch = len(sizes), sizes[0]
    if total_length > 0:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    if any(size > batch for size in sizes):
        raise RuntimeError(f"batch_sizes may not grow: the first is {batch}, but another is {max(sizes)}")
    rows = tensor([step * batch + row for step, size in enumerate(sizes) for row in range(size)], dtype=int64)
    padded = full((steps * batch, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = padded.index_copy(0, rows, data).view(steps, batch, *data.shape[1:])
    lengths = [0] * batch
    for size in sizes:
        for row in range(size):
            lengths[row] += 1
    return padded.transpose(0, 1) if batch_first else padded, tensor(lengths, dtype=int64)


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs sequences that are padded to one tensor (T, B, *), or (B, T, *) with ``batch_first``.

    ``lengths`` (B of them, at least 1 each) must decrease unless ``enforce_sorted`` is False. RuntimeError where they
    do not fit.

    >>> padded = torch.tensor([[1, 3], [2, 0]])
    >>> torch.nn.utils.rnn.pack_padded_sequence(padded, [2, 1]).data
    tensor([1, 3, 2])
    """
    lengths = as_tensor(lengths, dtype=int64)
    if enforce_sorted:
        order = None
    else:
        lengths, order = lengths.sort(descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    data, sizes = _pack_padded_sequence(input, lengths, batch_first)
    return PackedSequence(data, sizes, order, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The sequences padded to one tensor (T, B, *), or (B, T, *) with ``batch_first``, and their lengths.

    T is the greatest length or ``total_length``; ValueError where that is less.

    >>> packed = torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    >>> torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    steps = sequence.batch_sizes.size(0)
    if total_length is not None and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    padded, lengths = _pad_packed_sequence(
        sequence.data, sequence.batch_sizes, batch_first, padding_value, -1 if total_length is None else total_length
    )
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths.index_select(0, order)


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stacks sequences (L, *) of several lengths, padded to the longest, as (T, B, *) or (B, T, *).

    RuntimeError for no sequences, unequal trailing dimensions or a ``padding_side`` other than left and right.

    >>> torch.nn.utils.rnn.pad_sequence([torch.tensor([1, 2]), torch.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    first = sequences[0]
    longest = max(each.size(0) for each in sequences)
    shape = (longest, *first.shape[1:])
    rows = [_padded(each, shape, padding_value, padding_side, first) for each in sequences]
    return stack(rows, 0 if batch_first else 1)


def _padded(sequence: Tensor, shape: tuple, value: float, side: str, first: Tensor) -> Tensor:
    count, missing = sequence.size(0), shape[0] - sequence.size(0)
    target = (count, *shape[1:])
    sequence = sequence.to(first.dtype)
    if sequence.shape != target:
        try:
            sequence = sequence.expand(target)
        except RuntimeError:
            wide = list(broadcast_shapes(sequence.shape, target))
            raise RuntimeError(f"output with shape {list(target)} doesn't match the broadcast shape {wide}") from None
    if missing == 0:
        return sequence
    rest = full((missing, *shape[1:]), value, dtype=first.dtype)
    return cat((sequence, rest) if side == "right" else (rest, sequence))


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded tensor (T, B, *), each cut to its length.

    As in PyTorch the given tensor is left transposed to (B, T, *) unless it came so with ``batch_first``.

    >>> torch.nn.utils.rnn.unpad_sequence(torch.tensor([[1, 3], [2, 0]]), torch.tensor([2, 1]))
    [tensor([1, 2]), tensor([3])]
    """
    if not batch_first:
        padded_sequences.transpose_(0, 1)
    longest = padded_sequences.size(1)
    return [
        each[: min(max(int(length), 0), longest)]
        for each, length in zip(padded_sequences, lengths.tolist(), strict=True)
    ]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs a list of sequences (L, *), which must come in decreasing length unless ``enforce_sorted`` is False.

    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = tensor([each.size(0) for each in sequences], dtype=int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The list of sequences that was packed.

    >>> torch.nn.utils.rnn.unpack_sequence(torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2])]))
    [tensor([1, 2])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
