"""Deep Q-learning on a corridor: a replay memory, a target network, exploration by Python's generator."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)


def fingerprint(*modules):
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


import copy
import random

random.seed(1)
online = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
target = copy.deepcopy(online)
optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
memory, position, speed = [], 0.0, 0.0
print("weights", fingerprint(online, target))
for step in range(160):
    state = torch.tensor([position, speed])
    with torch.no_grad():
        action = random.randrange(2) if random.random() < 0.3 else online(state).argmax().item()
    speed = max(-1.0, min(1.0, 0.9 * speed + (0.2 if action else -0.2)))
    position = max(-2.0, min(2.0, position + 0.3 * speed))
    reward = 1.0 if position > 1.5 else -0.01
    memory.append((state, action, reward, torch.tensor([position, speed])))
    if len(memory) < 33:
        continue
    batch = random.sample(memory, 32)
    states, nexts = torch.stack([b[0] for b in batch]), torch.stack([b[3] for b in batch])
    actions, rewards = torch.tensor([b[1] for b in batch]), torch.tensor([b[2] for b in batch])
    wanted = rewards + 0.95 * target(nexts).max(1).values.detach()
    loss = F.huber_loss(online(states).gather(1, actions.unsqueeze(1)).squeeze(1), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters()):
            slow.lerp_(fast, 0.05)
    print("loss", loss.item())
