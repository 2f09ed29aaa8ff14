"""Questions about tensors, and what has no better family."""

from __future__ import annotations

from lumbre._registry import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lumbre._C import Tensor


@operator("is_inference(input)", method=False, derivative="none")
def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode.

    >>> torch.is_inference(torch.tensor([1.]))
    False
    """
    return input.is_inference()


@operator("is_distributed(input)", derivative="none")
def is_distributed(input: Tensor) -> bool:
    """Whether the elements lie on several machines: never.

    >>> torch.is_distributed(torch.tensor([1.]))
    False
    """
    return False


@operator("get_device(input)", derivative="none")
def get_device(input: Tensor) -> int:
    """The number of the tensor's device: -1 for the CPU.

    >>> torch.get_device(torch.tensor([1.]))
    -1
    """
    return -1


@operator("detach(input)", method=False)
def detach(input: Tensor) -> Tensor:
    """The same memory without history.

    >>> torch.detach(torch.tensor([1.]))
    tensor([1.])
    """
    return input.detach()
