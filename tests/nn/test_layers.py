"""The layers held against PyTorch: first weights to the bit, printed forms, results, recorded statistics, refusals."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import lumbre

torch = pytest.importorskip("torch")

nn = lumbre.nn


def to_lumbre(value):
    if isinstance(value, torch.Tensor):
        return lumbre.tensor(value.detach().numpy().copy())
    if isinstance(value, (tuple, list)):
        return type(value)(to_lumbre(each) for each in value)
    if isinstance(value, dict):
        return {name: to_lumbre(each) for name, each in value.items()}
    return value


def assert_close(actual, expected):
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)
    elif expected is None:
        assert actual is None
    else:
        assert tuple(actual.shape) == tuple(expected.shape)
        np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), atol=2e-5, rtol=1e-4)


def pair(name, arguments, options):
    """The module under both libraries, from the same seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        expected = getattr(torch.nn, name)(*arguments, **options)
        lumbre.manual_seed(0)
        return expected, getattr(nn, name)(*arguments, **options)


def same_state(actual, expected):
    theirs, ours = expected.state_dict(), actual.state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key].detach().numpy(), value.numpy(), err_msg=key)


def check(name, arguments, options, shapes, call=None):
    """From one seed: the same weights and printed form, and the same results in training and evaluation."""
    generator = np.random.default_rng(0)
    inputs = [
        torch.tensor(generator.standard_normal(each).astype("float32")) if isinstance(each, tuple) else each
        for each in shapes
    ]
    call = call or {}
    expected, actual = pair(name, arguments, options)
    assert repr(actual) == repr(expected)
    same_state(actual, expected)
    for training in (True, False):
        expected.train(training)
        actual.train(training)
        torch.manual_seed(1)
        wanted = expected(*inputs, **call)
        lumbre.manual_seed(1)
        assert_close(actual(*to_lumbre(inputs), **to_lumbre(call)), wanted)
        for key, value in expected.state_dict().items():
            assert_close(actual.state_dict()[key], value)


SIMPLE = [
    ("Conv1d", (4, 6, 3), {}, (2, 4, 9)),
    ("Conv1d", (4, 6, 3), {"padding": "valid", "stride": 2}, (4, 9)),
    ("Conv2d", (4, 6, 3), {"groups": 2, "stride": 2, "padding": 1}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, (3, 4)), {"padding": "same", "dilation": 2}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": 2, "padding_mode": "reflect"}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "padding_mode": "circular", "bias": False}, (2, 4, 9, 8)),
    ("Conv3d", (2, 3, 2), {}, (2, 2, 4, 4, 4)),
    ("Conv3d", (2, 3, 2), {"padding": 1, "padding_mode": "replicate"}, (2, 4, 4, 4)),
    ("ConvTranspose1d", (4, 6, 3), {}, (2, 4, 9)),
    ("ConvTranspose2d", (4, 6, 3), {"groups": 2, "stride": 2, "output_padding": 1, "dilation": 2}, (2, 4, 9, 8)),
    ("ConvTranspose3d", (2, 3, 2), {"bias": False}, (2, 2, 4, 4, 4)),
    ("ZeroPad1d", (1,), {}, (2, 3, 4)),
    ("ZeroPad2d", (1,), {}, (2, 3, 4)),
    ("ZeroPad3d", (1,), {}, (2, 3, 4)),
    ("ConstantPad1d", ((1, 2), 2.5), {}, (2, 3, 4)),
    ("ConstantPad2d", (1, 2.5), {}, (2, 3, 4)),
    ("ConstantPad3d", (1, 2.5), {}, (2, 3, 4)),
    ("ReflectionPad1d", (1,), {}, (2, 3, 4)),
    ("ReflectionPad2d", (1,), {}, (2, 3, 4)),
    ("ReflectionPad3d", (1,), {}, (2, 3, 4, 4)),
    ("ReplicationPad1d", (2,), {}, (2, 3, 4)),
    ("ReplicationPad2d", ((1, 2, 0, 1),), {}, (2, 3, 4)),
    ("ReplicationPad3d", (1,), {}, (2, 3, 4, 4)),
    ("CircularPad1d", (1,), {}, (2, 3, 4)),
    ("CircularPad2d", (1,), {}, (2, 3, 4)),
    ("CircularPad3d", (1,), {}, (2, 3, 4, 4)),
    ("MaxPool1d", (2,), {}, (2, 3, 5)),
    ("MaxPool2d", (2,), {"return_indices": True}, (2, 3, 4, 5)),
    ("MaxPool2d", ((2, 3),), {"stride": 1, "padding": 1, "ceil_mode": True}, (3, 4, 5)),
    ("MaxPool3d", (2,), {"dilation": 2}, (2, 3, 5, 5, 5)),
    ("AvgPool1d", (2,), {"ceil_mode": True}, (2, 3, 5)),
    ("AvgPool2d", (2,), {"divisor_override": 3}, (2, 3, 4, 5)),
    ("AvgPool3d", (2,), {"padding": 1, "count_include_pad": False}, (2, 3, 4, 5, 4)),
    ("LPPool1d", (2, 2), {}, (2, 3, 4)),
    ("LPPool2d", (3, 2), {"stride": 1}, (2, 3, 4, 5)),
    ("LPPool3d", (2, 2), {}, (2, 3, 4, 5, 4)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 4)),
    ("AdaptiveAvgPool2d", ((2, None),), {}, (2, 3, 4, 5)),
    ("AdaptiveAvgPool3d", (2,), {}, (2, 3, 4, 5, 4)),
    ("AdaptiveMaxPool1d", (2,), {}, (2, 3, 4)),
    ("AdaptiveMaxPool2d", ((None, 2),), {"return_indices": True}, (2, 3, 4, 5)),
    ("AdaptiveMaxPool3d", (2,), {}, (2, 3, 4, 5, 4)),
    ("FractionalMaxPool2d", (2,), {"output_size": 2}, (2, 3, 6, 5)),
    ("FractionalMaxPool3d", (2,), {"output_ratio": 0.5, "return_indices": True}, (2, 3, 6, 5, 6)),
    ("BatchNorm1d", (3,), {}, (4, 3)),
    ("BatchNorm1d", (3,), {"track_running_stats": False}, (4, 3)),
    ("BatchNorm1d", (3,), {"bias": False}, (4, 3, 2)),
    ("BatchNorm2d", (3,), {"momentum": None}, (4, 3, 2, 2)),
    ("BatchNorm3d", (3,), {"affine": False}, (4, 3, 2, 2, 2)),
    ("SyncBatchNorm", (3,), {}, (4, 3)),
    ("InstanceNorm1d", (3,), {}, (4, 3, 5)),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}, (4, 3, 5, 5)),
    ("InstanceNorm2d", (3,), {}, (3, 5, 5)),
    ("InstanceNorm3d", (3,), {"affine": True}, (2, 3, 5, 5, 2)),
    ("LayerNorm", (4,), {}, (2, 4)),
    ("LayerNorm", ((3, 4),), {"bias": False}, (2, 3, 4)),
    ("LayerNorm", ([3, 4],), {"elementwise_affine": False}, (2, 3, 4)),
    ("GroupNorm", (2, 4), {}, (2, 4, 3)),
    ("GroupNorm", (2, 4), {"affine": False}, (2, 4, 3)),
    ("RMSNorm", (4,), {}, (2, 4)),
    ("RMSNorm", ((3, 4),), {"eps": 0.1, "elementwise_affine": False}, (2, 3, 4)),
    ("LocalResponseNorm", (2,), {}, (2, 4, 3)),
    ("CrossMapLRN2d", (3,), {}, (2, 4, 3, 3)),
    ("CrossMapLRN2d", (2, 0.5, 0.6, 2.0), {}, (2, 4, 3, 3)),
    ("CrossMapLRN2d", (5, 0.5, 0.6, 2.0), {}, (2, 4, 3, 3)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 4)),
    ("Upsample", ((5, 7),), {"mode": "bilinear", "align_corners": False}, (2, 3, 4, 4)),
    ("UpsamplingNearest2d", (), {"scale_factor": (2, 3)}, (2, 3, 4, 4)),
    ("UpsamplingBilinear2d", (5,), {}, (2, 3, 4, 4)),
    ("Fold", (4, 2), {}, (2, 8, 9)),
    ("Unfold", (2,), {"padding": 1, "stride": (1, 2)}, (2, 3, 4, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "options", "shape"), SIMPLE, ids=lambda value: str(value)[:40])
def test_layer(name, arguments, options, shape):
    check(name, arguments, options, [shape])


@pytest.mark.parametrize(
    ("name", "arguments", "options", "shape"),
    [
        ("LazyConv1d", (6, 3), {}, (2, 4, 9)),
        ("LazyConv2d", (6, 3), {"groups": 2, "bias": False}, (4, 9, 8)),
        ("LazyConv3d", (6, 2), {}, (2, 4, 3, 3, 3)),
        ("LazyConvTranspose1d", (6, 3), {}, (2, 4, 9)),
        ("LazyConvTranspose2d", (6, 3), {"groups": 2}, (2, 4, 9, 8)),
        ("LazyConvTranspose3d", (6, 2), {}, (2, 4, 3, 3, 3)),
        ("LazyBatchNorm1d", (), {}, (4, 3)),
        ("LazyBatchNorm2d", (), {"affine": False}, (4, 3, 2, 2)),
        ("LazyBatchNorm3d", (), {"track_running_stats": False}, (4, 3, 2, 2, 2)),
        ("LazyInstanceNorm1d", (), {}, (4, 3, 5)),
        ("LazyInstanceNorm2d", (), {}, (4, 3, 5, 2)),
        ("LazyInstanceNorm3d", (), {"affine": True}, (4, 3, 5, 2, 2)),
    ],
)
def test_lazy_layer(name, arguments, options, shape):
    torch.manual_seed(3)
    x = torch.randn(shape)
    expected, actual = pair(name, arguments, options)
    assert repr(actual) == repr(expected)
    torch.manual_seed(1)
    wanted = expected(x)
    lumbre.manual_seed(1)
    assert_close(actual(to_lumbre(x)), wanted)
    assert repr(actual) == repr(expected)
    assert type(actual).__name__ == type(expected).__name__ == name.removeprefix("Lazy")
    for key, value in expected.state_dict().items():
        assert_close(actual.state_dict()[key], value)


RECURRENT = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("GRU", {}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"bidirectional": True, "num_layers": 2, "dropout": 0.3}),
    ("GRU", {"num_layers": 3, "dropout": 0.5}),
    ("LSTM", {"num_layers": 2, "dropout": 0.3, "batch_first": True}),
    ("GRU", {"bias": False, "batch_first": True, "bidirectional": True}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("name", "options"), RECURRENT, ids=str)
@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3)], ids=str)
def test_recurrent(name, options, shape):
    check(name, (3, 5), options, [shape])


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("name", "options"), RECURRENT, ids=str)
def test_recurrent_with_packed_input_and_state(name, options):
    torch.manual_seed(4)
    expected, actual = pair(name, (3, 5), options)
    pieces = [torch.randn(2, 3), torch.randn(5, 3), torch.randn(4, 3)]
    groups = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    hidden, cell = torch.randn(groups, 3, options.get("proj_size", 5)), torch.randn(groups, 3, 5)
    state = (hidden, cell) if name == "LSTM" else hidden
    packed = torch.nn.utils.rnn.pack_sequence(pieces, enforce_sorted=False)
    ours = nn.utils.rnn.pack_sequence(to_lumbre(pieces), enforce_sorted=False)
    torch.manual_seed(1)
    wanted = expected(packed, state)
    lumbre.manual_seed(1)
    output, final = actual(ours, to_lumbre(state))
    assert isinstance(output, nn.utils.rnn.PackedSequence)
    assert_close(tuple(output), tuple(wanted[0]))
    assert_close(final, wanted[1])


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_cell(name, bias, batch):
    check(name, (3, 5), {"bias": bias}, [(*batch, 3)])
    if name != "LSTMCell":
        check(name, (3, 5), {"bias": bias}, [(*batch, 3), (*batch, 5)])


def test_recurrent_weights():
    expected, actual = pair("LSTM", (3, 5, 2), {"bidirectional": True, "proj_size": 2})
    shapes = [[tuple(each.shape) for each in group] for group in actual.all_weights]
    assert shapes == [[tuple(each.shape) for each in group] for group in expected.all_weights]
    assert actual._flat_weights_names == expected._flat_weights_names
    assert actual.flatten_parameters() is None
    assert actual.double()._flat_weights[0].dtype is lumbre.float64
    x = lumbre.ones(4, 2, 3, dtype=lumbre.float64)
    for copied in (copy.deepcopy(actual), pickle.loads(pickle.dumps(actual))):
        assert lumbre.equal(copied(x)[0], actual(x)[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"dropout": 0.3},
        {"batch_first": True},
        {"kdim": 3, "vdim": 6},
    ],
    ids=str,
)
def test_attention(options):
    sizes = (4, options.get("kdim", 4), options.get("vdim", 4))
    check("MultiheadAttention", (4, 2), options, [(5, 2, size) for size in sizes])
    check("MultiheadAttention", (4, 2), options, [(5, 2, size) for size in sizes], {"need_weights": False})
    unbatched = [(5, sizes[0]), (6, sizes[1]), (6, sizes[2])]
    check("MultiheadAttention", (4, 2), options, unbatched, {"average_attn_weights": False})


MASK = torch.nn.Transformer.generate_square_subsequent_mask(5)
LAYER_OPTIONS = [
    {},
    {"norm_first": True},
    {"activation": "gelu"},
    {"bias": False},
    {"batch_first": True},
    {"dropout": 0.0},
]


@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_transformer_layers(options):
    padding = torch.arange(5) > torch.tensor([3, 4, 2, 5, 3]).unsqueeze(1)
    for call in ({}, {"src_mask": MASK, "is_causal": True}, {"src_key_padding_mask": padding}):
        check("TransformerEncoderLayer", (4, 2, 8), options, [(5, 5, 4)], call)
    check("TransformerEncoderLayer", (4, 2, 8), options, [(5, 4)])
    check("TransformerDecoderLayer", (4, 2, 8), options, [(5, 5, 4), (5, 5, 4)])
    check("TransformerDecoderLayer", (4, 2, 8), options, [(5, 4), (3, 4)])


@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_transformer(options):
    inputs = [(5, 5, 4), (5, 5, 4)]
    check("Transformer", (4, 2, 1, 2, 8), options, inputs)
    call = {"tgt_mask": MASK, "tgt_is_causal": True, "src_mask": MASK}
    check("Transformer", (4, 2, 2, 1, 8), options, inputs, call)


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("lengths", [(3, 2, 4), (3, 0, 4), (1, 1, 1)])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_encoder_cuts_padding_out_in_evaluation(normed, lengths):
    results = []
    x = np.random.default_rng(0).standard_normal((3, 4, 4)).astype("float32")
    shut = np.arange(4) >= np.array(lengths)[:, None]
    for library in (torch, lumbre):
        library.manual_seed(0)
        layer = library.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        norm = library.nn.LayerNorm(4) if normed else None
        encoder = library.nn.TransformerEncoder(layer, 2, norm).eval()
        with library.no_grad():
            results.append(encoder(library.tensor(x), src_key_padding_mask=library.tensor(shut)))
    assert_close(results[1], results[0])


def test_adaptive_softmax():
    targets = torch.tensor([0, 2, 4, 7, 9, 3])
    check("AdaptiveLogSoftmaxWithLoss", (8, 10, [3, 6]), {"div_value": 2.0, "head_bias": True}, [(6, 8), targets])
    check("AdaptiveLogSoftmaxWithLoss", (8, 10, [3, 6]), {"div_value": 2.0}, [(8,), torch.tensor(4)])
    expected, actual = pair("AdaptiveLogSoftmaxWithLoss", (8, 10, [3, 6]), {"div_value": 2.0})
    x = torch.randn(30, 8)
    assert_close(actual.log_prob(to_lumbre(x)), expected.log_prob(x))
    assert_close(actual.predict(to_lumbre(x)), expected.predict(x))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_unpool(dims):
    torch.manual_seed(0)
    x = torch.randn(2, 3, *[4] * dims)
    pooled, places = getattr(torch.nn, f"MaxPool{dims}d")(2, return_indices=True)(x)
    expected, actual = pair(f"MaxUnpool{dims}d", (2,), {})
    assert repr(actual) == repr(expected)
    assert_close(actual(to_lumbre(pooled), to_lumbre(places)), expected(pooled, places))


def test_old_states_load():
    # Before version 2 there was no count of batches.
    state = nn.BatchNorm1d(3).state_dict()
    del state["num_batches_tracked"]
    state._metadata[""].pop("version")
    module = nn.BatchNorm1d(3)
    module.load_state_dict(state)
    assert module.num_batches_tracked.item() == 0
    messages = []
    for library in (torch, lumbre):
        state = library.nn.InstanceNorm1d(3, track_running_stats=True).state_dict()
        state._metadata[""].pop("version")
        with pytest.raises(RuntimeError) as caught:
            library.nn.InstanceNorm1d(3).load_state_dict(state)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def outcome(library, expression):
    """What an expression gives: its printed form or its exception, and its warnings."""
    names = {"nn": library.nn, "torch": library, "z": library.zeros}
    names["P"] = library.nn.utils.rnn.pack_sequence([library.zeros(3, 3), library.zeros(2, 3)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = repr(eval(expression, names))
        except Exception as error:
            result = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    told = [(each.category.__name__, str(each.message)) for each in caught]
    return result.replace("lumbre.", "torch."), told


EXPRESSIONS = """
nn.Conv1d(4,8,3,padding='same',stride=2)
nn.Conv1d(3,8,3,groups=2)
nn.Conv1d(4,7,3,groups=2)
nn.Conv1d(4,8,3,groups=0)
nn.Conv1d(0,8,3)
nn.Conv2d(4,4,3,padding='same')._reversed_padding_repeated_twice
nn.Conv2d(4,4,(3,4),padding='same',dilation=3)._reversed_padding_repeated_twice
nn.Conv2d(4,4,3,padding=(1,2))._reversed_padding_repeated_twice
nn.ConvTranspose2d(4,8,3,padding_mode='reflect')
nn.ConvTranspose2d(4,8,3,padding='same')
nn.ConvTranspose2d(4,8,3,stride=2)(z(1,4,5,5),output_size=(12,13)).shape
nn.ConvTranspose2d(4,8,3,stride=2)(z(1,4,5,5),output_size=(1,8,12,12)).shape
nn.ConvTranspose2d(4,8,3,stride=2)(z(4,5,5),output_size=(12,12)).shape
nn.ConvTranspose2d(4,8,3,stride=2)(z(4,5,5),output_size=(12,13)).shape
nn.ConvTranspose2d(4,8,3,stride=2)(z(1,4,5,5),output_size=(12,)).shape
nn.LazyConv2d(8,3)(z(4,5))
nn.LazyConv2d(8,3,groups=3)(z(1,4,5,5)).shape
nn.Conv2d(3,8,3)(z(3,5))
nn.Conv2d(3,8,3)(z(1,4,5,5))
nn.FractionalMaxPool2d(3)
nn.FractionalMaxPool2d(3,output_size=2,output_ratio=.5)
nn.FractionalMaxPool2d(3,output_ratio=1.5)
nn.FractionalMaxPool3d(3,output_ratio=(.5,.5,0))
nn.FractionalMaxPool3d(0,output_ratio=.5)
nn.BatchNorm2d(3)(z(2,3))
nn.BatchNorm1d(3)(z(2,3,4,5))
nn.BatchNorm3d(3)(z(2,3))
nn.BatchNorm1d(3)(z(1,3))
nn.BatchNorm1d(3)(z(2,4))
nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3,bias=False)))
nn.SyncBatchNorm(3)(z(2))
nn.SyncBatchNorm(3)(z(2,0))
nn.InstanceNorm1d(3)(z(2,3))
nn.InstanceNorm1d(3)(z(2,3,4,5))
nn.InstanceNorm1d(3)(z(2,5,4)).shape
nn.InstanceNorm1d(3,affine=True)(z(2,5,4))
nn.InstanceNorm2d(3)(z(2,3))
nn.InstanceNorm1d(3)(z(1,3,1))
nn.LayerNorm(3)(z(2,4))
nn.GroupNorm(3,4)
nn.CrossMapLRN2d(2)(z(2,3))
nn.CircularPad1d(1)(z(3))
nn.CircularPad2d(1)(z(3,3))
nn.CircularPad3d(1)(z(3,3))
nn.ConstantPad1d((1,2,3),0.)
nn.Upsample(scale_factor=(2,3),mode='bilinear',align_corners=True)
nn.Upsample(size=3,scale_factor=2)(z(1,1,2,2)).shape
nn.Upsample()(z(1,1,2,2)).shape
nn.Upsample(size=3,mode='foo')(z(1,1,4))
nn.Upsample(size=3,mode='bicubic')(z(1,1,4))
nn.Upsample(size=3,mode='linear')(z(1,1,4,4))
nn.Upsample(size=3)(z(1,4))
nn.Upsample(size=0)(z(1,1,4))
nn.Upsample(size=2)(z(1,1,0,3))
nn.Upsample(size=2)(z(1,0,3))
nn.Upsample(size=3)(z(1,1,4).long())
nn.Upsample(size=3,mode='linear')(z(1,1,4).long())
nn.functional.interpolate(z(1,1,4),size=3,antialias=True)
nn.AdaptiveLogSoftmaxWithLoss(4,10,[5,2])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[2,2])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[10])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[0])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[1.5])
nn.AdaptiveLogSoftmaxWithLoss(4,10,[5])(z(2,4),torch.tensor([1,10]))
nn.AdaptiveLogSoftmaxWithLoss(4,10,[5])(z(2,4),torch.tensor([1,2,3]))
nn.AdaptiveLogSoftmaxWithLoss(4,10,[5])(z(2,4),torch.tensor(1))
nn.AdaptiveLogSoftmaxWithLoss(4,10,[5])(z(2,4),torch.tensor([[1,1]]))
nn.RNN(3,5,2,'relu')
nn.RNN(3,5,nonlinearity='foo')
nn.RNN(3,5,proj_size=2)
nn.GRU(3,5,proj_size=2)
nn.LSTM(3,5,proj_size=5)
nn.LSTM(3,5,proj_size=-1)
nn.LSTM(3,5,dropout=1.5)
nn.LSTM(3,5,dropout=True)
nn.LSTM(3,5,dropout='a')
nn.LSTM(3,5,dropout=.5)
nn.LSTM(3,5.,1)
nn.LSTM(3.,5,1)
nn.LSTM(3,0)
nn.LSTM(0,5)
nn.LSTM(3,5,0)
nn.LSTM(3)
nn.modules.rnn.RNNBase('foo',3,5)
nn.LSTM(3,5)(z(3))
nn.GRU(3,5)(z(3))
nn.RNN(3,5)(z(3))
nn.LSTM(3,5)(z(0,2,3))
nn.LSTM(3,5)(z(2,0,3))[0].shape
nn.LSTM(3,5)(z(2,2,3).double())
nn.LSTM(3,5)(z(2,2,3),z(1,2,5))
nn.LSTM(3,5)(z(2,2,3),(z(1,2,5),z(2,2,5)))
nn.LSTM(3,5)(z(2,2,3),(z(1,3,5),z(1,2,5)))
nn.LSTM(3,5)(z(2,2,3),(z(2,5),z(1,2,5)))
nn.LSTM(3,5)(z(2,3),(z(1,2,5),z(1,2,5)))
nn.GRU(3,5)(z(2,2,3),z(2,5))
nn.GRU(3,5)(z(2,3),z(1,1,5))
nn.GRU(3,5)(z(2,2,3),z(1,3,5))
nn.RNN(3,5)(z(2,2,4))
nn.RNNCell(3,5,nonlinearity='foo')(z(2,3))
nn.LSTMCell(3,5)(z(1,2,3))
nn.GRUCell(3,5)(z(1,2,3))
nn.LSTMCell(3,5)(z(2,4))
nn.LSTMCell(3,5)(z(2,3),(z(3,5),z(3,5)))
nn.LSTMCell(3,5)(z(2,3),(z(2,4),z(2,4)))
nn.LSTMCell(3,5)(z(2,3),(z(1,2,5),z(1,2,5)))
nn.GRUCell(3,5)(z(2,3),z(1,2,5))
nn.GRUCell(3,5)(z(2,3),z(5))
nn.MultiheadAttention(4,3)
nn.MultiheadAttention(0,3)
[name for name, _ in nn.MultiheadAttention(4,2,kdim=3,add_bias_kv=True).named_parameters()]
nn.MultiheadAttention(4,2)(z(2,3,4),z(2,3,4),z(3,4))
nn.MultiheadAttention(4,2,batch_first=True)(z(2,3,4),z(2,3,4),z(3,4))
nn.MultiheadAttention(4,2,batch_first=True)(z(2,3,4),z(2,5,4),z(2,5,4))[1].shape
nn.TransformerEncoderLayer(4,2,8,activation='foo')
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8),2)
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8,batch_first=True),2,norm=nn.LayerNorm(4))
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8,batch_first=True,norm_first=True),2)
nn.TransformerEncoder(nn.TransformerEncoderLayer(3,3,8,batch_first=True),2)
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8,batch_first=True,activation=torch.tanh),2)
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8,batch_first=True,bias=False),2)
nn.TransformerEncoder(nn.Linear(4,4),2)
nn.Transformer(4,2,1,1,8)(z(3,2,4),z(3,3,4))
nn.Transformer(4,2,1,1,8)(z(3,2,4),z(3,2,5))
nn.Transformer(4,2,1,1,8,batch_first=True)(z(3,2,4),z(2,2,4))
nn.Transformer.generate_square_subsequent_mask(3)
nn.Transformer.generate_square_subsequent_mask(2,dtype=torch.float64)
nn.TransformerEncoderLayer(4,2,8)(z(3,2,5)).shape
nn.TransformerEncoderLayer(4,2,8)(z(3,2,4),src_mask=torch.zeros(3,3,dtype=torch.long)).shape
nn.TransformerEncoderLayer(4,2,8)(z(3,2,4),src_mask=torch.zeros(3,3).bool(),src_key_padding_mask=z(2,3)).shape
nn.TransformerEncoderLayer(4,2,8)(z(3,2,4),is_causal=True).shape
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8),1)(z(3,2,4),is_causal=True).shape
nn.TransformerDecoderLayer(4,2,8)(z(3,2,4),z(5,2,4),tgt_is_causal=True).shape
nn.modules.utils._pair(3), nn.modules.utils._triple((1, 2, 3)), nn.modules.utils._reverse_repeat_tuple((1, 2), 2)
nn.modules.utils._list_with_default([None, 2], [5, 6, 7])
nn.modules.utils._list_with_default([None, 2], [5])
"""


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().splitlines())
def test_says_the_same(expression):
    assert outcome(lumbre, expression) == outcome(torch, expression)


def test_padding_mode_error_names_the_modes():
    with pytest.raises(ValueError, match="padding_mode must be one of"):
        nn.Conv1d(4, 8, 3, padding_mode="foo")
