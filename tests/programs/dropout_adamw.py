"""Dropout and layer normalisation on tabular data in shuffled batches: AdamW, cosine schedule, clipped gradients."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


from torch.utils.data import DataLoader, TensorDataset, random_split

x = torch.randn(500, 12)
y = (x[:, :3].prod(1) + x[:, 3:6].sum(1) + 0.1 * torch.randn(500)).unsqueeze(1)
train, held_out = random_split(TensorDataset(x, y), [400, 100])
loader = DataLoader(train, batch_size=40, shuffle=True, drop_last=True)
model = nn.Sequential(
    nn.Linear(12, 48),
    nn.LayerNorm(48),
    nn.GELU(),
    nn.Dropout(0.2),
    nn.Linear(48, 48),
    nn.SiLU(),
    nn.Dropout(0.1),
    nn.Linear(48, 1),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
print("weights", fingerprint(model))
for epoch in range(10):
    model.train()
    for a, b in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = F.smooth_l1_loss(model(a), b)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print("loss", loss.item(), "norm", norm.item())
    schedule.step()
    model.eval()
    with torch.no_grad():
        print("held out", sum(F.mse_loss(model(a), b).item() for a, b in DataLoader(held_out, 50)))
