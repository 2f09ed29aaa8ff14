"""A two-layer bidirectional LSTM over packed sequences of different lengths."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(3)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

lengths = torch.randint(3, 15, (64,))
sequences = [torch.randn(int(n), 4) for n in lengths]
targets = torch.stack([s[:, 0].cumsum(0)[-1].tanh() for s in sequences])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, sizes = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        mask = torch.arange(out.shape[1]) < sizes.unsqueeze(1)
        pooled = (out * mask.unsqueeze(2)).sum(1) / sizes.unsqueeze(1)
        return self.head(pooled).squeeze(1)


model = Reader()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3, alpha=0.95)
batch = pad_sequence(sequences, batch_first=True)
print("weights", fingerprint(model))
for step in range(100):
    optimizer.zero_grad()
    loss = F.mse_loss(model(batch, lengths), targets)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
    print("loss", loss.item())
