"""A physics-informed network solves u'' = -u with u(0) = 0, u'(0) = 1, from second derivatives alone."""

import hashlib

import torch
import torch.nn as nn

torch.manual_seed(11)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)).double()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, amsgrad=True)
print("weights", fingerprint(model))
for step in range(100):
    t = (torch.rand(40, 1, dtype=torch.float64) * 3).requires_grad_()
    u = model(t)
    du = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    d2u = torch.autograd.grad(du, t, torch.ones_like(du), create_graph=True)[0]
    zero = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    start = model(zero)
    slope = torch.autograd.grad(start.sum(), zero, create_graph=True)[0]
    loss = (d2u + u).pow(2).mean() + start.pow(2).sum() + (slope - 1).pow(2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
