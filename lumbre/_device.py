"""``torch.device``: where tensors are. Only the CPU is here; other names may be spoken, and fail when used."""

from __future__ import annotations

from lumbre import _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KINDS = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, meta, hpu, mtia, "
    "privateuseone"
)
_KNOWN = frozenset(_KINDS.split(", "))


class device:
    """A device by name and index: ``device("cpu")``, ``device("cuda", 0)``, ``device("cuda:1")``.

    Naming a device that this machine does not have is allowed; making a tensor there raises an error.

    >>> torch.device("cuda:1").index
    1
    """

    __slots__ = ("_outer", "index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any = None, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index if index is None else index
            return
        if isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}")
        name, separator, number = type.partition(":")
        if separator:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            if not number.isdigit() or (len(number) > 1 and number[0] == "0"):
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if name not in _KNOWN:
            raise RuntimeError(f"Expected one of {_KINDS} device type at start of device string: {name}")
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type={self.type!r})"
        return f"device(type={self.type!r}, index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple:
        return (device, (self.type,) if self.index is None else (self.type, self.index))

    def __enter__(self) -> device:
        check(self)
        return self

    def __exit__(self, *exc: object) -> None:
        return None


device.__module__ = __name__.rpartition(".")[0]  # where users find it

cpu = device("cpu")


def check(wanted: Any) -> None:
    """Raises unless ``wanted`` names the CPU."""
    if not isinstance(wanted, device):
        wanted = device(wanted)
    if wanted.type == "cpu":
        return
    if wanted.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled: Lumbre computes on the CPU; use device='cpu'")
    raise RuntimeError(
        f"{_identity.printed_name} has no device '{wanted}': Lumbre computes on the CPU; use device='cpu'"
    )
