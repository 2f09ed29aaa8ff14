"""Metric learning: a siamese network with normalised embeddings, triplet and cosine losses, weight normalisation."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(9)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


from torch.nn.utils import weight_norm

model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 8))
print("weights", fingerprint(model))
for layer in (model[0], model[2]):
    weight_norm(layer)
optimizer = torch.optim.Adamax(model.parameters(), lr=1e-2)
centers = torch.randn(5, 6)
for step in range(100):
    kind = torch.randint(0, 5, (32,))
    other = (kind + torch.randint(1, 5, (32,))) % 5
    anchor, same, different = (
        F.normalize(model(centers[k] + 0.5 * torch.randn(32, 6)), dim=1) for k in (kind, kind, other)
    )
    loss = F.triplet_margin_loss(anchor, same, different, margin=0.4)
    loss = loss + 0.1 * F.cosine_embedding_loss(anchor, different, -torch.ones(32), margin=0.2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
