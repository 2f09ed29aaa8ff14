"""A small causal transformer with tied embeddings on arithmetic sequences."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


class LanguageModel(nn.Module):
    def __init__(self, symbols=16, width=32, length=12):
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        hidden = self.body(self.embed(x) + self.place[: x.shape[1]], mask=mask, is_causal=True)
        return self.head(self.norm(hidden))


model = LanguageModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20))
print("weights", fingerprint(model))
for step in range(100):
    start, stride = torch.randint(0, 16, (16, 1)), torch.randint(1, 4, (16, 1))
    text = (start + stride * torch.arange(12)) % 16
    optimizer.zero_grad()
    loss = F.cross_entropy(model(text[:, :-1]).reshape(-1, 16), text[:, 1:].reshape(-1))
    loss.backward()
    optimizer.step()
    warm_up.step()
    print("loss", loss.item())
