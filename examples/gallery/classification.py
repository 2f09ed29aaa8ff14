"""Two spirals told apart, with a held-out set, a scheduler and gradients clipped."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
turn = torch.rand(600) * 3 * math.pi
which = torch.randint(0, 2, (600,))
angle = turn + math.pi * which
points = torch.stack([turn * angle.cos(), turn * angle.sin()], 1) / 10 + 0.02 * torch.randn(600, 2)

train, test = random_split(TensorDataset(points, which), [450, 150])
net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
for epoch in range(40):
    total = 0.0
    for batch, labels in DataLoader(train, batch_size=50, shuffle=True):
        loss = nn.functional.cross_entropy(net(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    schedule.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d}  loss {total / 9:.4f}  rate {schedule.get_last_lr()[0]:.5f}")
net.eval()
with torch.no_grad():
    inputs, labels = zip(*[test[i] for i in range(len(test))], strict=True)
    right = (net(torch.stack(inputs)).argmax(1) == torch.stack(labels)).float().mean()
print(f"held-out points told apart: {right.item():.1%}")
