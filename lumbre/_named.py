"""Modules of which there are only the names: what libraries import to ask ``isinstance(x, FSDP)`` or to write a type.

A row is a module, why it is not here, and its names. What begins with a capital is a class of which no objects can be
made, the rest are functions that refuse (``_absent``). ``import torch.distributed.fsdp`` makes the module from its row.
"""

from __future__ import annotations

import importlib.machinery
from types import ModuleType

from lumbre import _absent, _identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ONE = _absent._ONE_PROCESS
_GRAPHS = _absent._GRAPHS
_ONNX = "Lumbre has no ONNX exporter"
_FSDP = """
    BackwardPrefetch CPUOffload FullOptimStateDictConfig FullStateDictConfig FullyShardedDataParallel
    LocalOptimStateDictConfig LocalStateDictConfig MixedPrecision OptimStateDictConfig OptimStateKeyType
    ShardedOptimStateDictConfig ShardedStateDictConfig ShardingStrategy StateDictConfig StateDictSettings StateDictType
"""
_SHARDED = "CPUOffloadPolicy FSDPModule MixedPrecisionPolicy OffloadPolicy fully_shard register_fsdp_forward_method"
_PLACED = "DTensor DeviceMesh Partial Placement Replicate Shard distribute_module distribute_tensor"
ROWS: dict[str, tuple[str, str]] = {
    "_custom_ops": (_absent._LIBTORCH, "custom_op get_ctx impl impl_abstract impl_backward impl_save_for_backward"),
    "ao": (_absent._QUANTIZED, ""),
    "ao.quantization": (_absent._QUANTIZED, "DeQuantStub FakeQuantizeBase ObserverBase QuantStub QuantWrapper prepare convert"),
    "distributed._composable": (_ONE, ""),
    "distributed._composable.fsdp": (_ONE, _SHARDED),
    "distributed._functional_collectives": (_ONE, "AsyncCollectiveTensor all_to_all_single_autograd wait_tensor"),
    "distributed._tensor": (_ONE, _PLACED),
    "distributed._tensor.experimental": (_ONE, "implicit_replication"),
    "distributed.algorithms": (_ONE, ""),
    "distributed.algorithms._checkpoint": (_ONE, ""),
    "distributed.algorithms._checkpoint.checkpoint_wrapper": (
        _ONE, "CheckpointImpl CheckpointWrapper apply_activation_checkpointing checkpoint_wrapper offload_wrapper",
    ),
    "distributed.algorithms.join": (_ONE, "Join Joinable"),
    "distributed.device_mesh": (_ONE, "DeviceMesh init_device_mesh"),
    "distributed.distributed_c10d": (_ONE, "Backend PrefixStore ProcessGroup Store"),
    "distributed.elastic": (_ONE, ""),
    "distributed.elastic.multiprocessing": (_ONE, ""),
    "distributed.elastic.multiprocessing.errors": (_ONE, "ChildFailedError record"),
    "distributed.fsdp": (_ONE, f"{_FSDP} {_SHARDED}"),
    "distributed.fsdp.api": (_ONE, _FSDP),
    "distributed.fsdp.fully_sharded_data_parallel": (_ONE, _FSDP),
    "distributed.fsdp.sharded_grad_scaler": (_ONE, "ShardedGradScaler"),
    "distributed.fsdp.wrap": (
        _ONE, "CustomPolicy ModuleWrapPolicy enable_wrap lambda_auto_wrap_policy size_based_auto_wrap_policy "
        "transformer_auto_wrap_policy wrap",
    ),
    "distributed.nn.functional": (_ONE, "all_gather all_reduce all_to_all broadcast gather reduce reduce_scatter scatter"),
    "distributed.rpc.api": (_ONE, "get_worker_info rpc_async rpc_sync remote shutdown"),
    "distributed.tensor.parallel": (
        _ONE, "ColwiseParallel ParallelStyle PrepareModuleInput PrepareModuleOutput RowwiseParallel SequenceParallel "
        "loss_parallel parallelize_module",
    ),
    "distributed.tensor.placement_types": (_ONE, "Partial Placement Replicate Shard"),
    "fx._symbolic_trace": (_GRAPHS, "Tracer symbolic_trace"),
    "fx.experimental.symbolic_shapes": (_GRAPHS, "GuardOnDataDependentSymNode ShapeEnv"),
    "fx.passes": (_GRAPHS, ""),
    "fx.passes.shape_prop": (_GRAPHS, "ShapeProp TensorMetadata"),
    "onnx.symbolic_opset9": (_ONNX, ""),
    "onnx.symbolic_opset11": (_ONNX, ""),
    "utils.cpp_extension": (
        "Lumbre loads no C++ written for PyTorch", "BuildExtension CUDAExtension CppExtension load load_inline",
    ),
}  # fmt: skip


class _Loader:
    def __init__(self, row: str) -> None:
        self.row = row

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """The import system's own kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        why, names = ROWS[self.row]
        module.__doc__ = f"``torch.{self.row}``: {why}."
        module.__all__ = sorted(set(names.split()))  # type: ignore[attr-defined]
        for name in module.__all__:
            made: Any = _absent.refused_class if name[0].isupper() else _absent.refused_function
            setattr(module, name, made(f"{self.row}.{name}", why))

        def __getattr__(name: str) -> Any:
            if f"{self.row}.{name}" in ROWS:
                from importlib import import_module

                return import_module(f"{module.__name__}.{name}")
            error = AttributeError(f"module '{_identity.prefix()}{self.row}' has no attribute '{name}'")
            error.add_note(why)
            raise error

        module.__getattr__ = __getattr__  # type: ignore[method-assign]


def find(name: str, row: str) -> importlib.machinery.ModuleSpec | None:
    """How ``import torch.distributed.fsdp`` makes the module of row "distributed.fsdp"; None where there is no row."""
    if row not in ROWS:
        return None
    return importlib.machinery.ModuleSpec(name, _Loader(row), is_package=True)  # type: ignore[arg-type]
