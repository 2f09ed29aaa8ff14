"""Texts as bags of words: EmbeddingBag with offsets, Adagrad, a class-weighted loss."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(8)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


vocabulary = 60


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(vocabulary, 16, mode="mean")
        self.head = nn.Linear(16, 3)

    def forward(self, words, offsets):
        return self.head(self.words(words, offsets))


model = Classifier()
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
weight = torch.tensor([1.0, 2.0, 0.5])
print("weights", fingerprint(model))
for step in range(100):
    lengths = torch.randint(2, 9, (24,))
    labels = torch.randint(0, 3, (24,))
    offsets = torch.cat((torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]))
    words = torch.randint(0, vocabulary // 3, (int(lengths.sum()),)) + labels.repeat_interleave(lengths) * (
        vocabulary // 4
    )
    optimizer.zero_grad()
    loss = F.cross_entropy(model(words, offsets), labels, weight=weight)
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
