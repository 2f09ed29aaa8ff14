"""A character model: the next letter from the last eight, through embeddings, and a text that it makes up."""

import torch
from torch import nn

TEXT = """En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía un hidalgo de los de
lanza en astillero, adarga antigua, rocín flaco y galgo corredor. Una olla de algo más vaca que carnero, salpicón las más
noches, duelos y quebrantos los sábados, lantejas los viernes, algún palomino de añadidura los domingos, consumían las tres
partes de su hacienda."""
WINDOW = 8

torch.manual_seed(0)
letters = sorted(set(TEXT))
codes = torch.tensor([letters.index(c) for c in TEXT])
windows = codes.unfold(0, WINDOW + 1, 1)


class Characters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(letters), 16)
        self.hidden = nn.Linear(WINDOW * 16, 96)
        self.norm = nn.LayerNorm(96)
        self.output = nn.Linear(96, len(letters))

    def forward(self, x):
        x = self.embedding(x).flatten(1)
        return self.output(self.norm(self.hidden(x)).relu())


net = Characters()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(300):
    batch = windows[torch.randint(0, len(windows), (32,))]
    loss = nn.functional.cross_entropy(net(batch[:, :-1]), batch[:, -1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3d}  loss {loss.item():.4f}")

written = codes[:WINDOW].tolist()
with torch.no_grad():
    for _ in range(60):
        chances = net(torch.tensor([written[-WINDOW:]])).softmax(1)
        written.append(torch.multinomial(chances, 1).item())
print("".join(letters[c] for c in written).replace("\n", " "))
