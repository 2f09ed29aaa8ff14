"""PyTorch's tensors made light: ``import lumbre as torch``.

Names, numbers and printed text are those of PyTorch 2.13 on a CPU. Submodules and rarely used functions load when they
are first touched.
"""

from __future__ import annotations

from math import e, inf, nan, pi

from lumbre import _C, _device, _identity

_C._set_device(_device.cpu, _device.check)

from lumbre import _blas
from lumbre._C import (
    Generator,
    Size,
    Tensor,
    autocast_decrement_nesting,
    autocast_increment_nesting,
    can_cast,
    clear_autocast_cache,
    default_generator,
    dtype,
    from_numpy,
    get_default_dtype,
    get_num_threads,
    is_autocast_cache_enabled,
    layout,
    memory_format,
    promote_types,
    result_type,
    set_autocast_cache_enabled,
    set_num_threads,
    tensor,
)
from lumbre._device import device

_C._set_blas_resolver(_blas.library_path)

__version__ = "2.13.0+lumbre0.1.0"
newaxis = None

_DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "strided",
    "uint16", "uint32", "uint64", "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e4m3fnuz",
    "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "qint8", "quint8", "qint32", "quint4x2",
    "quint2x4", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d",
)  # fmt: skip
_DTYPE_ALIASES = {
    "half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32", "long": "int64",
    "chalf": "complex32", "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip
_names = globals()
for _name in _DTYPES:
    _names[_name] = getattr(_C, _name)
for _name, _meaning in _DTYPE_ALIASES.items():
    _names[_name] = _names[_meaning]
_operator_names = [_name for _name in _C._functions if "." not in _name]
for _name in _operator_names:
    _names[_name] = _C._functions[_name]

from lumbre import _composed, _controls, _conversions, _engine_parts, _random, _registry, _tensor

_public = []
for _module in (_controls, _conversions, _random, _tensor):
    for _name in _module.__all__:
        _names[_name] = getattr(_module, _name)
    _public += _module.__all__
_composed.load()
_engine_parts.attach()
_composed_names = [_name for _name in _registry.functions if "." not in _name]
for _name in _composed_names:
    _names[_name] = _registry.functions[_name]

# Names that come from a module that is loaded at the first use of one of them.
_LAZY_NAMES = {
    "compile": "_compiling",
    "autocast": "amp",
    **dict.fromkeys(
        ("get_autocast_dtype", "is_autocast_enabled", "set_autocast_dtype", "set_autocast_enabled"),
        "amp.autocast_mode",
    ),
    **{f"is_autocast_{kind}_enabled": "amp.older" for kind in ("cpu", "ipu", "xla")},
    **{f"set_autocast_{kind}_enabled": "amp.older" for kind in ("cpu", "ipu", "xla")},
    **{f"get_autocast_{kind}_dtype": "amp.older" for kind in ("cpu", "gpu", "ipu", "xla")},
    **{f"set_autocast_{kind}_dtype": "amp.older" for kind in ("cpu", "gpu", "ipu", "xla")},
    "finfo": "_numeric_info",
    "iinfo": "_numeric_info",
    "set_printoptions": "_printing",
    "get_printoptions": "_printing",
    "save": "serialization",
    "load": "serialization",
    "vmap": "_vmap",
    **{f"{kind}_window": "_windows" for kind in ("bartlett", "blackman", "hamming", "hann", "kaiser")},
    "UntypedStorage": "storage",
    "TypedStorage": "storage",
    "from_dlpack": "utils.dlpack",
    "to_dlpack": "utils.dlpack",
    **dict.fromkeys(
        ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"),
        "nn.functional_rnn",
    ),
    **dict.fromkeys(
        ("batch_norm", "instance_norm", "layer_norm", "native_layer_norm", "group_norm"),
        "nn.functional_normalization",
    ),
    **dict.fromkeys(
        (
            "dropout",
            "dropout_",
            "alpha_dropout",
            "alpha_dropout_",
            "feature_dropout",
            "feature_dropout_",
            "feature_alpha_dropout",
            "feature_alpha_dropout_",
            "native_dropout",
            "rrelu",
            "max_pool1d",
            "max_pool2d",
            "max_pool3d",
            "max_pool1d_with_indices",
            "adaptive_max_pool1d",
            "grid_sampler",
            "grid_sampler_2d",
            "grid_sampler_3d",
            "affine_grid_generator",
            "native_group_norm",
            "native_batch_norm",
            "_native_batch_norm_legit",
            "norm_except_dim",
            "_softmax_backward_data",
            "_log_softmax_backward_data",
            "binary_cross_entropy_with_logits",
            "cosine_embedding_loss",
            "hinge_embedding_loss",
            "kl_div",
            "margin_ranking_loss",
            "poisson_nll_loss",
            "triplet_margin_loss",
            "ctc_loss",
        ),
        "nn.functional_native",
    ),
    **dict.fromkeys(("avg_pool1d", "adaptive_avg_pool1d"), "nn.functional_pooling"),
    **dict.fromkeys(("bilinear", "pdist"), "nn.functional_dropout"),
    **dict.fromkeys(
        (
            "SymBool",
            "SymFloat",
            "SymInt",
            "DeviceObjType",
            "FloatType",
            "IntType",
            "ListType",
            "ScriptModule",
            "PyTorchFileReader",
            "TensorType",
            "Event",
            "Stream",
            "ScriptFunction",
            "Future",
            "OutOfMemoryError",
            "AcceleratorError",
            "_assert",
            "_assert_async",
            "_check",
            "_check_index",
            "_check_is_size",
            "_check_not_implemented",
            "_check_tensor_all",
            "_check_tensor_all_with",
            "_check_type",
            "_check_value",
            "_check_with",
            "_shape_as_tensor",
            "get_device_module",
            "sym_float",
            "sym_int",
            "sym_ite",
            "sym_max",
            "sym_min",
            "sym_not",
            "sym_sqrt",
            "sym_sum",
        ),
        "_checks",
    ),
    "_pack_padded_sequence": "nn.utils.rnn",
    "_pad_packed_sequence": "nn.utils.rnn",
    **{
        kind + suffix: where
        for kind in ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double")
        for suffix, where in (("Tensor", "_legacy"), ("Storage", "storage"))
    },
}

__all__ = [
    "Generator", "Size", "Tensor", "autocast_decrement_nesting", "autocast_increment_nesting", "can_cast",
    "clear_autocast_cache", "default_generator", "device", "dtype", "e", "from_numpy", "get_default_dtype",
    "get_num_threads", "inf", "is_autocast_cache_enabled", "layout", "memory_format", "nan", "newaxis", "pi",
    "promote_types", "result_type", "set_autocast_cache_enabled", "set_num_threads", "tensor",
    *_DTYPES, *_DTYPE_ALIASES, *_operator_names, *_public, *_composed_names, *_LAZY_NAMES,
]  # fmt: skip
__all__ = [_name for _name in dict.fromkeys(__all__) if not _name.startswith("_")]
del _name, _meaning, _module, _names, _operator_names, _composed_names, _public


def __getattr__(name: str) -> object:
    """Loads submodules and rarely used names when they are first asked for."""
    if not name.startswith("__") or name == "__config__":
        from importlib import import_module

        where = "_foreach" if name.startswith("_foreach_") else _LAZY_NAMES.get(name, name)
        full = f"{__name__}.{where}"
        try:
            module = import_module(full)
        except ModuleNotFoundError as error:
            # Only the absence of the module itself means that the name does not exist.
            if error.name is None or not f"{full}.".startswith(f"{error.name}."):
                raise
        else:
            value = globals()[name] = module if where == name else getattr(module, name)
            return value
    error = AttributeError(f"module '{_identity.printed_name}' has no attribute '{name}'")
    from lumbre import _absent

    if why := _absent.reason(name):
        error.add_note(why)
    raise error


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_NAMES})
