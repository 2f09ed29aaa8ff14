"""A policy learns to balance a pole on a cart by REINFORCE (Williams 1992); the cart is written out below."""

import math

import torch
from torch import nn


class CartPole:
    """A cart of 1 kg on a rail, a pole of 0.1 kg and 1 m on it, a push of 10 N left or right 50 times a second."""

    def reset(self):
        self.state = (torch.rand(4) * 0.1 - 0.05).tolist()
        return self.state

    def step(self, right):
        x, v, angle, spin = self.state
        push = 10.0 if right else -10.0
        sine, cosine = math.sin(angle), math.cos(angle)
        pull = (push + 0.05 * spin * spin * sine) / 1.1
        turning = (9.8 * sine - cosine * pull) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        sliding = pull - 0.05 * turning * cosine / 1.1
        self.state = [x + 0.02 * v, v + 0.02 * sliding, angle + 0.02 * spin, spin + 0.02 * turning]
        return self.state, abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21


torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
cart = CartPole()
lengths = []
for episode in range(60):
    state, done, logs = cart.reset(), False, []
    while not done and len(logs) < 200:
        choices = torch.distributions.Categorical(logits=policy(torch.tensor(state)))
        action = choices.sample()
        logs.append(choices.log_prob(action))
        state, done = cart.step(action.item())
    lengths.append(len(logs))
    returns = torch.arange(len(logs), 0, -1.0)
    weights = (returns - returns.mean()) / (returns.std() + 1e-6) if len(logs) > 1 else returns
    loss = -(torch.stack(logs) * weights).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 10 == 9:
        print(f"episode {episode + 1:2d}  steps upright {sum(lengths[-10:]) / 10:.1f}  loss {loss.item():.4f}")
