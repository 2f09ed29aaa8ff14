"""``SummaryWriter``: a folder of files that TensorBoard reads."""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto import event_pb2
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lumbre.utils.tensorboard import arrays, summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self

__all__ = ["FileWriter", "SummaryWriter"]


class FileWriter:
    """Writes records to one file of a folder, from a thread of its own."""

    def __init__(self, log_dir: Any, max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = "") -> None:
        self.event_writer = EventFileWriter(str(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self) -> str:
        """The folder."""
        return self.event_writer.get_logdir()

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        """Writes a record, marked with its step and time."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(self, summary: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """Writes a summary."""
        self.add_event(event_pb2.Event(summary=summary), global_step, walltime)

    def flush(self) -> None:
        """Waits until everything is in the file."""
        self.event_writer.flush()

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self.event_writer.close()

    def reopen(self) -> None:
        """PyTorch's does nothing after ``close``; neither does this."""


def _file_name(tag: str) -> str:
    for character in "%/\\":
        tag = tag.replace(character, f"%{ord(character):02x}")
    return tag


class SummaryWriter:
    """Writes scalars, histograms, pictures, texts and more to ``log_dir`` ("runs/DATE_HOST" when none is given).

    Each ``add_...`` takes the tag under which TensorBoard shows it, the step, and the time unless that is now.
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10,
        flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        if not log_dir:
            import socket
            from datetime import datetime

            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None
        self._projector_config: Any = None
        self._get_file_writer()
        self.default_bins = arrays.default_bins()

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None or self.all_writers is None:
            self.file_writer = self._open(self.log_dir)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:
                step = self.purge_step
                self.file_writer.add_event(Event(step=step, file_version="brain.Event:2"))
                self.file_writer.add_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
                self.purge_step = None
        return self.file_writer

    def _open(self, folder: Any) -> FileWriter:
        return FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)

    def _add(self, record: Any, step: Any, walltime: float | None) -> None:
        self._get_file_writer().add_summary(record, step, walltime)

    def get_logdir(self) -> Any:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """One number."""
        self._add(summary.scalar(tag, scalar_value, new_style, double_precision), global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Several numbers in one chart: each goes to a file of its own in a folder beside this one."""
        walltime = time.time() if walltime is None else walltime
        folder = self._get_file_writer().get_logdir()
        assert self.all_writers is not None
        for tag, value in tag_scalar_dict.items():
            name = f"{folder}/{main_tag.replace('/', '_')}_{tag}"
            if name not in self.all_writers:
                self.all_writers[name] = self._open(name)
            self.all_writers[name].add_summary(summary.scalar(main_tag, value, False, False), global_step, walltime)

    def add_tensor(self, tag: str, tensor: Any, global_step: int | None = None, walltime: float | None = None) -> None:
        """A tensor of floats."""
        self._add(summary.tensor(tag, tensor), global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: int | None = None, bins: Any = "tensorflow",
        walltime: float | None = None, max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How values are spread; ``bins`` as for ``numpy.histogram``, or "tensorflow" for its growing limits."""
        limits = self.default_bins if isinstance(bins, str) and bins == "tensorflow" else bins
        self._add(summary.histogram(tag, values, limits, max_bins), global_step, walltime)

    def add_histogram_raw(
        self, tag: str, min: float, max: float, num: float, sum: float, sum_squares: float, bucket_limits: Any,
        bucket_counts: Any, global_step: int | None = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A histogram that was counted already."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        record = summary.histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self._add(record, global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """A picture of numbers from 0 to 1, or of bytes; ``dataformats`` names its dimensions."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Pictures, side by side."""
        if isinstance(img_tensor, list):
            img_tensor = arrays.np.stack([arrays.make_np(each) for each in img_tensor])
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_image_with_boxes(
        self, tag: str, img_tensor: Any, box_tensor: Any, global_step: int | None = None, walltime: float | None = None,
        rescale: float = 1, dataformats: str = "CHW", labels: Any = None,
    ) -> None:  # fmt: skip
        """A picture with rectangles (left, top, right, bottom) on it."""
        labels = [labels] if isinstance(labels, str) else labels
        if labels is not None and len(labels) != arrays.make_np(box_tensor).shape[0]:
            labels = None
        record = summary.image_with_boxes(tag, img_tensor, box_tensor, rescale, dataformats, labels)
        self._add(record, global_step, walltime)

    def add_figure(
        self, tag: str, figure: Any, global_step: int | None = None, close: bool = True, walltime: float | None = None
    ) -> None:
        """A figure of matplotlib, or a list of them, as pictures."""
        layout = "NCHW" if isinstance(figure, list) else "CHW"
        self._add(summary.image(tag, arrays.figure_picture(figure, close), layout), global_step, walltime)

    def add_video(self, tag: str, vid_tensor: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """NotImplementedError: Lumbre does not encode videos."""
        raise NotImplementedError("Lumbre's SummaryWriter does not write videos; add_images writes their pictures")

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: int | None = None, sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A sound: one number per sample, from -1 to 1."""
        self._add(summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """A text, shown as Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True
    ) -> NoReturn:
        """NotImplementedError: a graph comes from TorchScript's tracer, which Lumbre does not have."""
        raise NotImplementedError(
            "add_graph needs TorchScript's tracer, which Lumbre does not have: leave the call out"
        )

    def add_onnx_graph(self, prototxt: Any) -> NoReturn:
        """NotImplementedError: Lumbre does not read ONNX."""
        raise NotImplementedError("Lumbre does not read ONNX files")

    def add_pr_curve(
        self, tag: str, labels: Any, predictions: Any, global_step: int | None = None, num_thresholds: int = 127,
        weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Precision and recall of scores (0 to 1) for labels (0 or 1), by threshold."""
        count = min(num_thresholds, 127)
        rows = arrays.precision_recall(arrays.make_np(labels), arrays.make_np(predictions), count, weights)
        self._add(summary.pr_curve(tag, rows, count), global_step, walltime)

    def add_pr_curve_raw(
        self, tag: str, true_positive_counts: Any, false_positive_counts: Any, true_negative_counts: Any,
        false_negative_counts: Any, precision: Any, recall: Any, global_step: int | None = None,
        num_thresholds: int = 127, weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A curve that was counted already."""
        parts = (
            true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision, recall,
        )  # fmt: skip
        rows = arrays.np.stack([arrays.make_np(part) for part in parts])
        self._add(summary.pr_curve(tag, rows, min(num_thresholds, 127)), global_step, walltime)

    def add_custom_scalars(self, layout: dict[str, dict[str, Any]]) -> None:
        """Charts of several tags: ``{category: {title: ["Multiline" or "Margin", tags]}}``."""
        self._add(summary.custom_scalars(layout), None, None)

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One chart of several lines."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One chart of a line between two others."""
        if len(tags) != 3:
            raise AssertionError(f"Expected exactly 3 tags for a margin chart, but got {len(tags)}.")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_mesh(
        self, tag: str, vertices: Any, colors: Any = None, faces: Any = None, config_dict: Any = None,
        global_step: int | None = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Points in space (1, N, 3), their colours and the triangles between them."""
        self._add(summary.mesh(tag, vertices, colors, faces, config_dict), global_step, walltime)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list] | None = None, run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:  # fmt: skip
        """The settings of a run and what came of them, in a folder of their own."""
        records = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(log_dir=folder) as writer:
            for record in records:
                writer._add(record, global_step, None)
            for key, value in metric_dict.items():
                writer.add_scalar(key, value, global_step)

    def add_embedding(
        self, mat: Any, metadata: Any = None, label_img: Any = None, global_step: int | None = None, tag: str = "default",
        metadata_header: Any = None,
    ) -> None:  # fmt: skip
        """Points (N, D) with labels and pictures for the projector."""
        from google.protobuf import text_format

        points = arrays.make_np(mat)
        if points.ndim != 2:
            raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
        number = str(0 if global_step is None else global_step).zfill(5)
        place = f"{number}/{_file_name(tag)}"
        root = self._get_file_writer().get_logdir()
        folder = os.path.join(root, place)
        if os.path.exists(folder):
            print("warning: Embedding dir exists, did you set global_step for add_embedding()?")
        os.makedirs(folder, exist_ok=True)
        if self._projector_config is None:
            self._projector_config = ProjectorConfig()
        entry = self._projector_config.embeddings.add(tensor_name=f"{tag}:{number}")
        if metadata is not None:
            if points.shape[0] != len(metadata):
                raise AssertionError("#labels should equal with #data points")
            _write_rows(folder, "metadata.tsv", ([metadata_header] if metadata_header else []) + list(metadata))
            entry.metadata_path = f"{place}/metadata.tsv"
        if label_img is not None:
            size = _write_sprite(folder, arrays.make_np(label_img), points.shape[0])
            entry.sprite.image_path = f"{place}/sprite.png"
            entry.sprite.single_image_dim.extend([size, size])
        _write_rows(folder, "tensors.tsv", points.tolist())
        entry.tensor_path = f"{place}/tensors.tsv"
        with open(os.path.join(root, "projector_config.pbtxt"), "w") as file:
            file.write(text_format.MessageToString(self._projector_config))

    def flush(self) -> None:
        """Waits until everything is in the files."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Writes what is left and closes the files; adding more opens new ones."""
        for writer in (self.all_writers or {}).values():
            writer.flush()
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _write_rows(folder: str, name: str, rows: list) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf8") as file:
        for row in rows:
            cells = row if isinstance(row, (list, tuple)) else [row]
            file.write("\t".join(str(cell) for cell in cells) + "\n")


def _write_sprite(folder: str, pictures: Any, count: int) -> int:
    """All pictures (N, C, S, S) in one square; gives S."""
    from PIL import Image

    if pictures.shape[0] != count:
        raise AssertionError("#images should equal with #data points")
    if pictures.shape[2] != pictures.shape[3]:
        raise AssertionError("Image should be square, see tensorflow/tensorboard#670")
    side = int(arrays.np.ceil(count**0.5))
    filled = arrays.np.zeros((side * side, *pictures.shape[1:]), dtype=pictures.dtype)
    filled[:count] = pictures
    whole = arrays.to_bytes(arrays.grid(filled, side).transpose(1, 2, 0))
    Image.fromarray(whole).save(os.path.join(folder, "sprite.png"))
    return pictures.shape[2]
