"""Every optimizer against PyTorch's own database of settings: twenty steps from the same gradients, and its errors."""

from __future__ import annotations

import numpy
import pytest

torch = pytest.importorskip("torch")
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

import lumbre

INFOS = [info for info in optim_db if info.name != "SparseAdam"]
CASES = [
    pytest.param(info, case, id=f"{info.name}-{case.desc.replace(' ', '_')}-{i}")
    for info in INFOS
    for i, case in enumerate(info.optim_inputs_func(device="cpu"))
]
SHAPES = [(4, 3), (3, 5), (20, 7)]
DTYPES = ["float32", "float64"]


def translated(value: object) -> object:
    """PyTorch's tensors become ours, wherever they stand in a setting."""
    if isinstance(value, torch.nn.Parameter):
        return lumbre.nn.Parameter(lumbre.from_numpy(value.detach().numpy().copy()))
    if isinstance(value, torch.Tensor):
        if value.is_complex():
            pytest.skip("no complex tensors")
        return lumbre.from_numpy(value.detach().numpy().copy()).requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: translated(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(translated(one) for one in value)
    return value


def parameters(dtype: str, only_matrices: bool) -> tuple[list, list]:
    random = numpy.random.RandomState(3)
    shapes = SHAPES if only_matrices else [*SHAPES, (5,), (), (2, 3, 4)]
    arrays = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    theirs = [torch.tensor(array).requires_grad_() for array in arrays]
    ours = [lumbre.tensor(array).requires_grad_() for array in arrays]
    return theirs, ours


def compare(theirs: object, ours: object, dtype: str, where: str = "") -> None:
    """Same structure, dtypes and, to a few roundings, values."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, lumbre.Tensor), where
        assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1], where
        assert tuple(ours.shape) == tuple(theirs.shape), where
        tolerance = {"bfloat16": 2e-2, "float32": 2e-6, "float64": 1e-14}[dtype]
        numpy.testing.assert_allclose(
            ours.detach().double().numpy(),
            theirs.detach().double().numpy(),
            rtol=tolerance,
            atol=tolerance,
            err_msg=where,
        )
    elif isinstance(theirs, dict):
        assert list(theirs) == list(ours), where
        for key in theirs:
            compare(theirs[key], ours[key], dtype, f"{where}.{key}")
    elif isinstance(theirs, (list, tuple)):
        assert type(theirs) is type(ours) and len(theirs) == len(ours), where
        for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            compare(a, b, dtype, f"{where}[{i}]")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-12), where
    else:
        assert ours == theirs, where


def set_gradients(theirs: list, ours: list, random: numpy.random.RandomState) -> None:
    for a, b in zip(theirs, ours, strict=True):
        array = random.standard_normal(tuple(a.shape)).astype(str(a.dtype).split(".")[-1])
        a.grad, b.grad = torch.tensor(array), lumbre.tensor(array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("info", "case"), CASES)
def test_twenty_steps(info: object, case: object, dtype: str) -> None:
    theirs, ours = parameters(dtype, info.name == "Muon")
    reference = info.optim_cls(theirs, **case.kwargs)
    optimizer = getattr(lumbre.optim, info.name)(ours, **translated(case.kwargs))
    assert repr(optimizer) == repr(reference)
    random = numpy.random.RandomState(5)
    # Muon's iteration runs in bfloat16, where one rounding is a hundredth of a step.
    close = "float32" if info.name == "Muon" else dtype
    for step in range(20):
        if info.name == "LBFGS":
            losses = []
            for module, params in ((torch, theirs), (lumbre, ours)):
                chosen = reference if module is torch else optimizer

                def closure(params: list = params, chosen: object = chosen) -> object:
                    chosen.zero_grad()
                    loss = sum(((p - 0.5) ** 2 * 0.3 + (p**4) * 0.01).sum() for p in params)
                    loss.backward()
                    return loss

                losses.append(chosen.step(closure).item())
            assert losses[1] == pytest.approx(losses[0], rel=1e-5)
            if step == 4:
                break
        else:
            set_gradients(theirs, ours, random)
            reference.step()
            optimizer.step()
    if info.name == "LBFGS":
        for a, b in zip(theirs, ours, strict=True):
            compare(a, b, "float32")
        return
    if info.name == "Muon":
        for a, b in zip(theirs, ours, strict=True):
            numpy.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=2e-2, atol=2e-3)
        return
    compare(theirs, ours, close)
    compare(reference.state_dict(), optimizer.state_dict(), close, "state_dict")


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_refusals(info: object) -> None:
    for error in info.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        case = error.optimizer_error_input
        if "complex" in error.error_regex:
            continue
        assert error.error_on == OptimizerErrorEnum.CONSTRUCTION_ERROR
        wanted = getattr(__builtins__, error.error_type.__name__, error.error_type)
        params = case.params
        if isinstance(params, torch.Tensor) or not hasattr(params, "__next__"):
            params = shared_translation(params)
        settings = translated(case.kwargs)
        if issubclass(wanted, Warning):
            with pytest.warns(wanted, match=error.error_regex):
                getattr(lumbre.optim, info.name)(params, **settings)
        else:
            with pytest.raises(wanted, match=error.error_regex):
                getattr(lumbre.optim, info.name)(params, **settings)


def shared_translation(params: object) -> object:
    """As translated, but one tensor that stands twice stays one tensor."""
    made: dict[int, object] = {}

    def one(value: object) -> object:
        if isinstance(value, torch.Tensor):
            return made.setdefault(id(value), translated(value))
        if isinstance(value, dict):
            return {key: one(x) for key, x in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(one(x) for x in value)
        return value

    return one(params)
