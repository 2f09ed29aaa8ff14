"""A mixture density network: torch.distributions in the loss, an averaged copy of the weights."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(13)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.optim.swa_utils import AveragedModel


class Mixture(nn.Module):
    def __init__(self, parts=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 24), nn.Softplus())
        self.logits, self.mean, self.scale = nn.Linear(24, parts), nn.Linear(24, parts), nn.Linear(24, parts)

    def forward(self, x):
        h = self.body(x)
        parts = Normal(self.mean(h), F.softplus(self.scale(h)) + 1e-2)
        return MixtureSameFamily(Categorical(logits=self.logits(h)), parts)


model = Mixture()
average = AveragedModel(model)
optimizer = torch.optim.RAdam(model.parameters(), lr=1e-2)
print("weights", fingerprint(model))
for step in range(100):
    x = torch.rand(64, 1) * 2 - 1
    y = x.squeeze(1) ** 2 * (torch.randint(0, 2, (64,)) * 2 - 1) + 0.05 * torch.randn(64)
    loss = -model(x).log_prob(y).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    average.update_parameters(model)
    print("loss", loss.item())
print("average", -average(torch.zeros(1, 1)).log_prob(torch.zeros(1)).item())
