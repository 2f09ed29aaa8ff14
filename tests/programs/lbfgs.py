"""Logistic regression by L-BFGS with a strong Wolfe line search, in float64."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(12)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


x = torch.randn(120, 5, dtype=torch.float64)
y = (
    x @ torch.tensor([1.0, -2.0, 0.5, 0.0, 1.5], dtype=torch.float64) + 0.3 * torch.randn(120, dtype=torch.float64) > 0
).double()
model = nn.Linear(5, 1).double()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")
print("weights", fingerprint(model))


def closure():
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(model(x).squeeze(1), y) + 1e-2 * model.weight.square().sum()
    loss.backward()
    return loss


for step in range(25):
    print("loss", optimizer.step(closure).item())
