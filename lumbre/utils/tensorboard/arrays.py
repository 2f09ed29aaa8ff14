"""What is written, as NumPy arrays: numbers, histograms, pictures."""

from __future__ import annotations

import numpy as np

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_np(value: Any) -> np.ndarray:
    """A number, array or tensor as an array. NotImplementedError for anything else."""
    if isinstance(value, np.ndarray):
        return value
    if np.isscalar(value):
        return np.array([value])
    if isinstance(value, _C.Tensor):
        value = value.detach()
        return (value.half() if value.dtype is _C.bfloat16 else value).numpy()
    raise NotImplementedError(f"Got {type(value)}, but numpy array or torch tensor are expected.")


def default_bins() -> list[float]:
    """Limits that grow by a tenth on both sides of zero, as TensorFlow's do."""
    positive = []
    limit = 1e-12
    while limit < 1e20:
        positive.append(limit)
        limit *= 1.1
    return [-each for each in reversed(positive)] + [0.0] + positive


def histogram_buckets(values: np.ndarray, bins: Any, max_bins: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Counts, and the upper limit of each; empty buckets at both ends are left out but for one."""
    counts, limits = np.histogram(values, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        together = len(counts) // max_bins
        rest = len(counts) % together
        if rest:
            counts = np.pad(counts, (0, together - rest))
        counts = counts.reshape(-1, together).sum(axis=-1)
        limits = np.append(limits[:-1:together], limits[-1])
    filled = np.flatnonzero(counts)
    first, last = filled[0], filled[-1] + 1
    kept = counts[first - 1 : last] if first > 0 else np.concatenate([[0], counts[:last]])
    return kept, limits[first : last + 1]


def grid(pictures: np.ndarray, columns: int = 8) -> np.ndarray:
    """Pictures (N, C, H, W) side by side as one (3, rows * H, columns * W)."""
    if pictures.shape[1] == 1:
        pictures = np.concatenate([pictures] * 3, 1)
    count, channels, height, width = pictures.shape
    columns = min(count, columns)
    rows = -(-count // columns)
    whole = np.zeros((channels, height * rows, width * columns), dtype=pictures.dtype)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        whole[:, row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return whole


def to_hwc(array: np.ndarray, layout: str) -> np.ndarray:
    """A picture (or several, put side by side) of any layout as height, width and three channels."""
    layout = layout.upper()
    if len(set(layout)) != len(layout):
        raise AssertionError(f"You can not use the same dimension shordhand twice.         input_format: {layout}")
    if array.ndim != len(layout):
        raise AssertionError(
            f"size of input tensor and input format are different.         tensor shape: {array.shape}, "
            f"input_format: {layout}"
        )
    if len(layout) == 4:
        return grid(array.transpose([layout.find(c) for c in "NCHW"])).transpose(1, 2, 0)
    if len(layout) == 3:
        picture = array.transpose([layout.find(c) for c in "HWC"])
        return np.concatenate([picture] * 3, 2) if picture.shape[2] == 1 else picture
    picture = array.transpose([layout.find(c) for c in "HW"])
    return np.stack([picture] * 3, 2)


def to_bytes(array: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 (or bytes already) as bytes."""
    if array.dtype == np.uint8:
        return array
    return (array.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)


def precision_recall(labels: np.ndarray, predictions: np.ndarray, count: int, weights: Any) -> np.ndarray:
    """Rows: true positives, false positives, true negatives, false negatives, precision, recall; by threshold."""
    weights = 1.0 if weights is None else weights
    buckets = np.int32(np.floor(predictions * (count - 1)))
    labels = labels.astype(float)
    limits: dict[str, Any] = {"bins": count, "range": (0, count - 1)}
    positives, _ = np.histogram(buckets, weights=labels * weights, **limits)
    negatives, _ = np.histogram(buckets, weights=(1.0 - labels) * weights, **limits)
    tp = np.cumsum(positives[::-1])[::-1]
    fp = np.cumsum(negatives[::-1])[::-1]
    tn, fn = fp[0] - fp, tp[0] - tp
    smallest = 1e-7
    return np.stack((tp, fp, tn, fn, tp / np.maximum(smallest, tp + fp), tp / np.maximum(smallest, tp + fn)))


def figure_picture(figures: Any, close: bool) -> np.ndarray:
    """Figures of matplotlib as pictures: (3, H, W), or (N, 3, H, W) for a list."""
    import matplotlib.pyplot as plt
    from matplotlib.backends import backend_agg

    def picture(figure: Any) -> np.ndarray:
        canvas = backend_agg.FigureCanvasAgg(figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[:, :, :3].transpose(2, 0, 1).copy()
        if close:
            plt.close(figure)
        return drawn

    return np.stack([picture(each) for each in figures]) if isinstance(figures, list) else picture(figures)
