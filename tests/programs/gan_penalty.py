"""A Wasserstein GAN on a ring, with a gradient penalty: derivatives of derivatives."""

import hashlib

import torch
import torch.nn as nn

torch.manual_seed(10)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


generator = nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
c_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
print("weights", fingerprint(generator, critic))
for step in range(100):
    angle = torch.rand(64) * 6.2832
    real = torch.stack((angle.cos(), angle.sin()), 1)
    fake = generator(torch.randn(64, 4)).detach()
    mixed = torch.lerp(real, fake, torch.rand(64, 1)).requires_grad_()
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    c_loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
    c_optimizer.zero_grad()
    c_loss.backward()
    c_optimizer.step()
    g_loss = -critic(generator(torch.randn(64, 4))).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    print("loss", c_loss.item(), g_loss.item())
