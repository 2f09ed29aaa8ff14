"""The switches of recording, under the module that PyTorch keeps them in."""

from lumbre._controls import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]
