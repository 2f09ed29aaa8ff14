"""A small transformer learns to reverse sequences of digits."""

import torch
from torch import nn

torch.manual_seed(0)
LENGTH, WIDTH = 6, 32


class Reverser(nn.Module):
    def __init__(self):
        super().__init__()
        self.digits = nn.Embedding(10, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = nn.Linear(WIDTH, 10)

    def forward(self, x):
        return self.output(self.encoder(self.digits(x) + self.places))


net = Reverser()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(150):
    x = torch.randint(0, 10, (32, LENGTH))
    loss = nn.functional.cross_entropy(net(x).flatten(0, 1), x.flip(1).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(f"step {step:3d}  loss {loss.item():.3f}")
net.eval()
with torch.no_grad():
    x = torch.randint(0, 10, (200, LENGTH))
    print(f"digits in their place: {(net(x).argmax(2) == x.flip(1)).float().mean().item():.0%}")
