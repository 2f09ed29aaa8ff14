"""A variational autoencoder of rings: points around a circle, through two numbers and back (Kingma and Welling 2013)."""

import math

import torch
from torch import nn

torch.manual_seed(0)
angle = 2 * math.pi * torch.rand(512)
bases = torch.randn(2, 12)
data = torch.stack([angle.cos(), angle.sin()], 1) @ bases + 0.05 * torch.randn(512, 12)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 32), nn.GELU(), nn.Linear(32, 12))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(code), mean, log_variance


net = VAE()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
for step in range(200):
    x = data[torch.randperm(512)[:64]]
    rebuilt, mean, log_variance = net(x)
    rebuilding = (rebuilt - x).pow(2).sum(1).mean()
    divergence = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(1).mean()
    loss = rebuilding + 0.1 * divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(f"step {step:3d}  rebuilding {rebuilding.item():.3f}  divergence {divergence.item():.3f}")
print(f"a new point: {net.decoder(torch.zeros(1, 2)).norm().item():.2f}")
