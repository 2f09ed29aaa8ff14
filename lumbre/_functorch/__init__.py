"""``torch._functorch``: where PyTorch keeps the parts of ``torch.func``."""
