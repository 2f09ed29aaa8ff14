"""``torch.fx.experimental``: the questions that programs ask of it."""
