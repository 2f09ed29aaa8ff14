"""The records of TensorBoard's file format, made from numbers, texts and pictures."""

from __future__ import annotations

import io
import json

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.mesh import metadata as mesh_metadata
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData

from lumbre import _C
from lumbre.utils.tensorboard import arrays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _plugin(name: str, content: bytes = b"") -> SummaryMetadata:
    return SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=name, content=content))


def _floats(array: np.ndarray) -> TensorProto:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in array.shape])
    return TensorProto(dtype="DT_FLOAT", float_val=array.reshape(-1).tolist(), tensor_shape=shape)


def scalar(tag: str, value: Any, new_style: bool, double_precision: bool) -> Summary:
    """One number."""
    array = arrays.make_np(value).squeeze()
    if array.ndim != 0:
        raise AssertionError(
            f"Tensor should contain one element (0 dimensions). Was given size: {array.size} and "
            f"{array.ndim} dimensions."
        )
    number = float(array)
    if not new_style:
        return Summary(value=[Summary.Value(tag=tag, simple_value=number)])
    if double_precision:
        proto = TensorProto(double_val=[number], dtype="DT_DOUBLE")
    else:
        proto = TensorProto(float_val=[number], dtype="DT_FLOAT")
    return Summary(value=[Summary.Value(tag=tag, tensor=proto, metadata=_plugin("scalars"))])


def tensor(tag: str, value: Any) -> Summary:
    """A tensor of floats."""
    return Summary(value=[Summary.Value(tag=tag, tensor=_floats(arrays.make_np(value)), metadata=_plugin("tensor"))])


def histogram(tag: str, values: Any, bins: Any, max_bins: int | None) -> Summary:
    """How many of the values lie where."""
    array = arrays.make_np(values).astype(float).reshape(-1)
    if array.size == 0:
        raise ValueError("The input has no element.")
    counts, limits = arrays.histogram_buckets(array, bins, max_bins)
    return histogram_raw(
        tag, array.min(), array.max(), len(array), array.sum(), array.dot(array), limits.tolist(), counts.tolist()
    )


def histogram_raw(
    tag: str, low: float, high: float, num: float, total: float, squares: float, limits: Any, counts: Any
) -> Summary:
    """A histogram that was counted elsewhere."""
    proto = HistogramProto(
        min=low, max=high, num=num, sum=total, sum_squares=squares, bucket_limit=limits, bucket=counts
    )
    return Summary(value=[Summary.Value(tag=tag, histo=proto)])


def _png(picture: np.ndarray) -> Summary.Image:
    from PIL import Image

    height, width, channels = picture.shape
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue())


def image(tag: str, value: Any, layout: str) -> Summary:
    """A picture, or several side by side."""
    picture = arrays.to_bytes(arrays.to_hwc(arrays.make_np(value), layout))
    return Summary(value=[Summary.Value(tag=tag, image=_png(picture))])


def image_with_boxes(tag: str, value: Any, boxes: Any, rescale: float, layout: str, labels: Any) -> Summary:
    """A picture with rectangles (left, top, right, bottom) on it."""
    from PIL import Image, ImageDraw

    drawn = Image.fromarray(arrays.to_bytes(arrays.to_hwc(arrays.make_np(value), layout)))
    pen = ImageDraw.Draw(drawn)
    for number, (left, top, right, bottom) in enumerate(arrays.make_np(boxes).reshape(-1, 4).tolist()):
        pen.line([(left, top), (left, bottom), (right, bottom), (right, top), (left, top)], width=2, fill="Red")
        if labels is not None:
            pen.text((left, bottom), str(labels[number]), fill="Red")
    drawn = drawn.resize((int(drawn.width * rescale), int(drawn.height * rescale)))
    return Summary(value=[Summary.Value(tag=tag, image=_png(np.asarray(drawn)))])


def audio(tag: str, value: Any, sample_rate: int) -> Summary:
    """A sound: one number per sample, from -1 to 1."""
    import wave

    samples = arrays.make_np(value).squeeze()
    if samples.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    if np.abs(samples).max() > 1:
        samples = samples.clip(-1, 1)
    data = (samples * np.iinfo(np.int16).max).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(data.tobytes())
    proto = Summary.Audio(
        sample_rate=sample_rate, num_channels=1, length_frames=data.shape[-1], encoded_audio_string=file.getvalue(),
        content_type="audio/wav",
    )  # fmt: skip
    return Summary(value=[Summary.Value(tag=tag, audio=proto)])


def text(tag: str, content: str) -> Summary:
    """A text, which TensorBoard shows as Markdown."""
    proto = TensorProto(
        dtype="DT_STRING",
        string_val=[content.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    metadata = _plugin("text", TextPluginData(version=0).SerializeToString())
    return Summary(value=[Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=proto)])


def pr_curve(tag: str, rows: np.ndarray, thresholds: int) -> Summary:
    """Precision and recall by threshold."""
    content = PrCurvePluginData(version=0, num_thresholds=thresholds).SerializeToString()
    return Summary(value=[Summary.Value(tag=tag, metadata=_plugin("pr_curves", content), tensor=_floats(rows))])


def custom_scalars(layout: dict[str, dict[str, Any]]) -> Summary:
    """Which numbers are drawn in one chart."""
    categories = []
    for category, charts in layout.items():
        made = []
        for title, (kind, tags) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError(f"Expected exactly 3 tags for a margin chart, but got {len(tags)}.")
                series = layout_pb2.MarginChartContent.Series(value=tags[0], lower=tags[1], upper=tags[2])
                made.append(layout_pb2.Chart(title=title, margin=layout_pb2.MarginChartContent(series=[series])))
            else:
                made.append(layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=tags)))
        categories.append(layout_pb2.Category(title=category, chart=made))
    content = layout_pb2.Layout(category=categories).SerializeToString()
    proto = TensorProto(dtype="DT_STRING", string_val=[content], tensor_shape=TensorShapeProto())
    value = Summary.Value(tag="custom_scalars__config__", tensor=proto, metadata=_plugin("custom_scalars"))
    return Summary(value=[value])


def mesh(tag: str, vertices: Any, colors: Any, faces: Any, config: Any) -> Summary:
    """Points in space, and what joins them."""
    parts = [
        (vertices, MeshPluginData.VERTEX), (faces, MeshPluginData.FACE), (colors, MeshPluginData.COLOR),
    ]  # fmt: skip
    given = [(arrays.make_np(each), kind) for each, kind in parts if each is not None]
    components = mesh_metadata.get_components_bitmask([kind for _, kind in given])
    values = []
    for array, kind in given:
        metadata = mesh_metadata.create_summary_metadata(
            tag, "", kind, components, list(array.shape), json_config=json.dumps(config or {}, sort_keys=True)
        )
        name = mesh_metadata.get_instance_name(tag, kind)
        values.append(Summary.Value(tag=name, tensor=_floats(array), metadata=metadata))
    return Summary(value=values)


def _hparams_record(tag: str, data: plugin_data_pb2.HParamsPluginData) -> Summary:
    data.version = hparams_metadata.PLUGIN_DATA_VERSION
    metadata = _plugin(hparams_metadata.PLUGIN_NAME, data.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata)])


def hparams(
    hparam_dict: dict[str, Any], metric_dict: dict[str, Any], domains: dict[str, list] | None
) -> tuple[Summary, Summary, Summary]:
    """An experiment's settings and results: what there is, the session's beginning and its end."""
    if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
        raise TypeError("hparam_dict and metric_dict should be dictionary.")
    domains = domains or {}
    start = plugin_data_pb2.SessionStartInfo()
    infos = []
    for key, value in hparam_dict.items():
        if value is None:
            continue
        info = api_pb2.HParamInfo(name=key)
        if isinstance(value, _C.Tensor):
            value = arrays.make_np(value).reshape(-1)[0].item()
        if isinstance(value, (int, float)):
            start.hparams[key].number_value = value
            info.type = api_pb2.DataType.Value("DATA_TYPE_FLOAT64")
        elif isinstance(value, str):
            start.hparams[key].string_value = value
            info.type = api_pb2.DataType.Value("DATA_TYPE_STRING")
        else:
            raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
        if key in domains:
            info.domain_discrete.extend(domains[key])
        infos.append(info)
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metric_dict]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value("STATUS_SUCCESS"))
    data = plugin_data_pb2.HParamsPluginData
    return (
        _hparams_record(hparams_metadata.EXPERIMENT_TAG, data(experiment=experiment)),
        _hparams_record(hparams_metadata.SESSION_START_INFO_TAG, data(session_start_info=start)),
        _hparams_record(hparams_metadata.SESSION_END_INFO_TAG, data(session_end_info=end)),
    )
