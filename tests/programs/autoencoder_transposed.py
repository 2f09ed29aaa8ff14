"""A denoising autoencoder of convolutions and transposed convolutions, group normalisation between them."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(6)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


model = nn.Sequential(
    nn.Conv2d(1, 8, 4, stride=2, padding=1),
    nn.GroupNorm(2, 8),
    nn.LeakyReLU(0.1),
    nn.Conv2d(8, 4, 3, padding=1),
    nn.ELU(),
    nn.ConvTranspose2d(4, 8, 3, padding=1),
    nn.GroupNorm(4, 8),
    nn.PReLU(),
    nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
    nn.Sigmoid(),
)
x, y = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
centers, radii = torch.rand(48, 2, 1, 1) - 0.5, 0.2 + 0.4 * torch.rand(48, 1, 1)
pictures = ((x - centers[:, 0]) ** 2 + (y - centers[:, 1]) ** 2 < radii**2).float().unsqueeze(1)
optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3)
print("weights", fingerprint(model))
for step in range(100):
    noisy = (pictures + 0.3 * torch.randn_like(pictures)).clamp(0, 1)
    optimizer.zero_grad()
    loss = F.binary_cross_entropy(model(noisy), pictures)
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
