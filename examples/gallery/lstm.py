"""An LSTM learns to go on with a sum of two waves."""

import torch
from torch import nn

torch.manual_seed(0)
time = torch.arange(0, 60, 0.2)
wave = torch.sin(time) + 0.5 * torch.sin(2.7 * time)
windows = wave.unfold(0, 31, 1)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, num_layers=2, dropout=0.1, batch_first=True)
        self.output = nn.Linear(24, 1)

    def forward(self, x):
        states, _ = self.lstm(x.unsqueeze(2))
        return self.output(states).squeeze(2)


net = Forecast()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(100):
    batch = windows[torch.randint(0, len(windows), (16,))]
    loss = nn.functional.smooth_l1_loss(net(batch[:, :-1]), batch[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(net.parameters(), 0.5)
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:2d}  loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    ahead = net(windows[:, :-1])[:, -1]
print(f"mean error one step ahead: {(ahead - windows[:, -1]).abs().mean().item():.3f}")
