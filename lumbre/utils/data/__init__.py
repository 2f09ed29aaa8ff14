"""``torch.utils.data``: data sets, samplers and loaders.

>>> data = torch.utils.data.TensorDataset(torch.arange(4))
>>> [batch[0].tolist() for batch in torch.utils.data.DataLoader(data, batch_size=2)]
[[0, 1], [2, 3]]
"""

from __future__ import annotations

from lumbre.utils.data._collate import default_collate, default_convert
from lumbre.utils.data._workers import get_worker_info
from lumbre.utils.data.dataloader import DataLoader
from lumbre.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from lumbre.utils.data.distributed import DistributedSampler
from lumbre.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "DistributedSampler", "IterableDataset",
    "RandomSampler", "Sampler", "SequentialSampler", "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset",
    "WeightedRandomSampler", "default_collate", "default_convert", "get_worker_info", "random_split",
]  # fmt: skip
