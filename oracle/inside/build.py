"""Builds one rank of one pipeline stage by vLLM's own loader, without memory, and says what it holds.

Each stage wants a process of its own: rotary tables and the like are kept for the whole of one.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import transformers
from inside import alike, tensors
from inside.question import Question
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.distributed.fake_pg import FakeStore
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.distributed import parallel_state
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.model_loader import dummy_loader, get_model_loader
from vllm.model_executor.model_loader import utils as loader_utils
from vllm.platforms import current_platform
from vllm.transformers_utils.config import _CONFIG_REGISTRY
from vllm.usage.usage_lib import UsageContext
from vllm.utils.torch_utils import set_default_torch_dtype
from vllm.v1.engine.core import register_all_kvcache_specs
from vllm.v1.worker.gpu import attn_utils
from vllm.v1.worker.gpu.spec_decode.eagle.utils import load_eagle_model
from vllm.v1.worker.workspace import init_workspace_manager, is_workspace_manager_initialized

_NESTED = ("text_config", "vision_config")


@dataclass(frozen=True)
class Stage:
    """What one rank of a stage holds: bytes of weights as allocated, and each layer's cache."""

    weights: int
    caches: dict[str, Any]
    loaded: bool
    """Whether its weights were packed for the kernels; its kinds and methods are all that is known otherwise."""
    kinds: alike.Kinds
    """The kinds of the layers that were built."""
    methods: frozenset[str]
    """The classes of the methods and kernels of those layers."""


def patch() -> None:
    """Once: the loader neither fills weights in nor keeps a copy to load them again."""
    tensors.patch()
    alike.patch()
    _says("deep_gemm::transform_sf_into_required_layout", lambda scales, *_args, **_kwargs: torch.empty_like(scales))
    _says("deep_gemm::set_pdl", lambda *_args, **_kwargs: None)
    _without_kernels()
    _without_tuning()
    _without_packing()
    dummy_loader.initialize_single_dummy_weight = lambda *_args, **_kwargs: None
    loader_utils.record_metadata_for_reloading = lambda *_args, **_kwargs: None


def _says(operator: str, result: Callable[..., Any]) -> None:
    """What an operator answers of a library that says nothing of its result."""
    try:
        torch.library.register_fake(operator, result)
    except RuntimeError as error:  # a release without that library
        print(f"{operator}: {error}", file=sys.stderr)


class _Kernels:
    """The kernels of a library that compiles them at their first use: whatever they are told to do, they do nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


def _without_kernels() -> None:
    """FlashInfer allocates what its kernels write into, so that a shape is right before any was compiled."""
    try:
        spec = importlib.import_module("flashinfer.jit.core").JitSpec
    except ImportError as error:
        print(f"flashinfer: {error}", file=sys.stderr)
        return
    spec.build_and_load = lambda *_args, **_kwargs: _Kernels()


class _Enough(Exception):
    """The first of many steps is done."""


def _without_tuning() -> None:
    """Humming looks for its kernels' tiles at a thousand numbers of rows, for seconds, and allocates nothing for it:
    what it refuses, it does at the first."""
    try:
        heuristics = importlib.import_module("humming.tune.base").DeviceHeuristics
    except ImportError as error:
        print(f"humming: {error}", file=sys.stderr)
        return
    every = heuristics.get_configs.__func__

    def get_configs(cls: Any, *args: Any, **kwargs: Any) -> list[Any]:
        def get_config(_cls: Any, *args: Any, **kwargs: Any) -> Any:
            cls.get_config(*args, **kwargs)
            raise _Enough

        try:
            return every(type(cls.__name__, (cls,), {"get_config": classmethod(get_config)}), *args, **kwargs)
        except _Enough:
            return []

    heuristics.get_configs = classmethod(get_configs)


def _without_packing() -> None:
    """Marlin's zero points are packed by numpy, which needs their data: here they get their shape alone."""
    try:
        utilities = importlib.import_module("vllm.model_executor.layers.quantization.utils.quant_utils")
    except ImportError as error:
        print(f"packing: {error}", file=sys.stderr)
        return

    def packed(zeros: torch.Tensor, bits: int, rows: int, columns: int) -> torch.Tensor:
        return zeros.new_empty((rows, _packed(columns, bits)))

    def unpacked(zeros: torch.Tensor, bits: int, rows: int, columns: int) -> torch.Tensor:
        assert tuple(zeros.shape) == (rows, _packed(columns, bits)), f"{zeros.shape}, {bits}, {rows}, {columns}"
        return zeros.new_empty((rows, columns))

    for name, ours in (("pack_cols", packed), ("unpack_cols", unpacked)):
        theirs = vars(utilities)[name]
        for module in list(sys.modules.values()):
            if vars(module).get(name) is theirs:
                setattr(module, name, ours)


def _packed(columns: int, bits: int) -> int:
    """Words of 32 bits that so many numbers fill."""
    assert columns % (32 // bits) == 0, f"{columns} of {bits} bits"
    return columns // (32 // bits)


def write_checkpoint(question: Question, folder: Path) -> None:
    """The files of a checkpoint, without its weights and without the code that it would bring along."""
    config = {**question.config}
    for part in (config, *(config[name] for name in _NESTED if isinstance(config.get(name), dict))):
        part.pop("auto_map", None)
    _know(str(config.get("model_type", "")))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if question.quantization is not None:
        (folder / "hf_quant_config.json").write_text(json.dumps(question.quantization), encoding="utf-8")


def _know(model_type: str) -> None:
    """A type whose class lies in the checkpoint's repository alone gets the plain class, which keeps every field."""
    known = transformers.models.auto.configuration_auto.CONFIG_MAPPING
    if model_type and model_type not in known and model_type not in _CONFIG_REGISTRY:
        plain = type("Plain", (transformers.PretrainedConfig,), {"model_type": model_type})
        transformers.AutoConfig.register(model_type, plain)


def engine_config(question: Question, folder: Path) -> VllmConfig:
    """What `vllm serve` makes of the flags. Raises what vLLM raises."""
    arguments = EngineArgs(
        model=str(folder),
        tokenizer=str(folder),
        skip_tokenizer_init=True,
        load_format="dummy",
        tensor_parallel_size=question.tensor,
        pipeline_parallel_size=question.pipeline,
        enable_expert_parallel=question.expert_parallel,
        kv_cache_dtype=question.cache,
        speculative_config={"method": "mtp", "num_speculative_tokens": question.draft_tokens}
        if question.draft_tokens
        else None,
        distributed_executor_backend="mp" if question.ranks > 1 else "uni",
        disable_log_stats=True,
    )
    return arguments.create_engine_config(UsageContext.OPENAI_API_SERVER)


@dataclass(frozen=True)
class Manner:
    """How much of a model is built."""

    kinds: alike.Kinds | None = None
    """Two layers of each of these kinds; None: all layers."""
    doubted: bool = False
    """Whether the last layer of each kind is built too."""
    proven: frozenset[frozenset[str]] = frozenset()
    """A model of all its layers is not loaded if their methods are among these: its kinds are enough then."""


def build(question: Question, config: VllmConfig, stage: int, manner: Manner) -> Stage:
    """The first rank of that stage, which is never smaller than the others. Raises what vLLM raises."""
    _join(question, config, stage)
    alike.begin(manner.kinds, manner.doubted)
    gc.disable()  # nothing is freed in the meantime but what goes out of use by itself
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    loader = get_model_loader(config.load_config)
    device, dtype = torch.device("cuda:0"), config.model_config.dtype
    with mode, set_current_vllm_config(config), tensors.Loading():
        if not is_workspace_manager_initialized():
            init_workspace_manager(device, 1)
        with set_default_torch_dtype(dtype), device:
            model = loader.create_model(vllm_config=config, model_config=config.model_config)
        kinds, methods = alike.kinds(), alike.methods()
        if manner.kinds is None and any(methods <= proven for proven in manner.proven):
            return Stage(0, {}, False, kinds, methods)
        with set_default_torch_dtype(dtype):
            loader.load_weights(model, config.model_config)
            loader_utils.process_weights_after_loading(model, config.model_config, device)
        draft = load_eagle_model(model, config) if question.draft_tokens and stage == question.pipeline - 1 else None
        weights = tensors.allocated_on_gpu() + alike.skipped_bytes()
    del draft
    register_all_kvcache_specs(config)
    current_platform.update_block_size_for_backend(config)
    return Stage(weights, alike.with_skipped(attn_utils.get_kv_cache_spec(config)), True, kinds, methods)


def kinds_of(stages: list[Stage]) -> alike.Kinds:
    """The kinds of the layers of all stages."""
    together: alike.Kinds = {}
    for stage in stages:
        for prefix, found in stage.kinds.items():
            together.setdefault(prefix, {}).update(found)
    return together


def _join(question: Question, config: VllmConfig, stage: int) -> None:
    rank = stage * question.tensor
    with set_current_vllm_config(config):
        torch.distributed.init_process_group(backend="fake", rank=rank, world_size=question.ranks, store=FakeStore())
        parallel_state.init_distributed_environment(
            world_size=question.ranks,
            rank=rank,
            local_rank=rank,
            backend="fake",
            distributed_init_method="tcp://nowhere",
        )
        parallel_state.ensure_model_parallel_initialized(question.tensor, question.pipeline)
