"""An actor-critic agent on a line: sampled actions, entropy, returns; an OneCycle schedule."""

import hashlib

import torch
import torch.nn as nn

torch.manual_seed(14)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


from torch.distributions import Categorical

body = nn.Sequential(nn.Linear(3, 32), nn.Tanh())
actor, critic = nn.Linear(32, 3), nn.Linear(32, 1)
model = nn.ModuleDict({"body": body, "actor": actor, "critic": critic})
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=100)
print("weights", fingerprint(model))
for episode in range(100):
    place, goal = torch.zeros(()), torch.rand(()) * 2 - 1
    terms = []
    for turn in range(10):
        hidden = body(torch.stack((place, goal, goal - place)))
        policy = Categorical(logits=actor(hidden))
        action = policy.sample()
        place = place + (action - 1) * 0.2
        terms.append((policy.log_prob(action), critic(hidden)[0], policy.entropy(), -(goal - place).abs()))
    logs, values, entropies, rewards = (torch.stack(t) for t in zip(*terms))
    returns = rewards.flip(0).cumsum(0).flip(0)
    advantage = returns - values
    loss = -(logs * advantage.detach()).mean() + 0.5 * advantage.pow(2).mean() - 0.01 * entropies.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    print("loss", loss.item())
