"""A multi-layer perceptron on noisy spirals: SGD with Nesterov momentum and a step schedule."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


turn = torch.rand(400) * 6
kind = torch.randint(0, 2, (400,))
x = torch.stack((turn * torch.cos(turn + kind * 3.14), turn * torch.sin(turn + kind * 3.14)), 1) / 6
x = x + 0.02 * torch.randn_like(x)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 30, gamma=0.5)
print("weights", fingerprint(model))
for step in range(100):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), kind)
    loss.backward()
    optimizer.step()
    schedule.step()
    print("loss", loss.item())
