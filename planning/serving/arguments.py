"""Writes the command lines of vLLM: of a server of one pod, and of leader and workers of one that spans nodes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from catalog import VllmRelease
from catalog.cold_start import WeightSource
from catalog.model import KvCacheDtype
from config.engine import EngineSettings, LoraSettings, SpeculativeSettings
from config.models import Executor, ModelSettings
from planning.plan import LifecyclePlan, WeightsPlan
from planning.shape import ShapePlan

RAY_PORT = 6379
STREAMER = "runai_streamer"
"""vLLM's load format for buckets."""

_LEADER_ADDRESS = "$(LWS_LEADER_ADDRESS)"
_WORKER_INDEX = "$(LWS_WORKER_INDEX)"
"""Kubernetes puts the values of the LeaderWorkerSet's variables there; no shell does."""

# Fields of EngineSettings that are no flag by themselves.
_STRUCTURED = frozenset({"lora", "speculative", "kv_offload", "extra_args"})


def server_arguments(
    wanted: ModelSettings, release: VllmRelease, shape: ShapePlan, lifecycle: LifecyclePlan, weights: WeightsPlan
) -> tuple[str, ...]:
    """What follows `vllm serve` in the pod that answers requests."""
    serving = ("--port", str(release.defaults.port))
    return (_model(wanted, weights), *serving, *_common(wanted, release, shape, lifecycle, weights))


def worker_arguments(
    wanted: ModelSettings, release: VllmRelease, shape: ShapePlan, lifecycle: LifecyclePlan, weights: WeightsPlan
) -> tuple[str, ...]:
    """What follows `vllm serve` in the other pods of a group, or `ray start` where Ray joins them; else nothing."""
    if shape.nodes == 1:
        return ()
    if wanted.distributed_executor is Executor.RAY:
        return (f"--address={_LEADER_ADDRESS}:{RAY_PORT}", "--block", "--disable-usage-stats")
    return (_model(wanted, weights), *_common(wanted, release, shape, lifecycle, weights), "--headless")


def engine_words(engine: EngineSettings) -> Iterator[tuple[str, list[str]]]:
    """The words that each field of a stack file's `engine` stands for, by the field's name."""
    for field in EngineSettings.model_fields:
        value = getattr(engine, field)
        if field not in _STRUCTURED and value is not None:
            yield field, list(_flag(field, value))
    if engine.tool_call_parser is not None:
        yield "tool_call_parser", ["--enable-auto-tool-choice"]
    if engine.lora is not None:
        yield "lora", list(_lora(engine.lora))
    if engine.speculative is not None:
        yield "speculative", ["--speculative-config", _compact(_speculative(engine.speculative))]
    if engine.kv_offload is not None:
        offload = engine.kv_offload
        words = ["--kv-offloading-size", f"{offload.size_gib:g}", "--kv-offloading-backend", offload.backend.value]
        yield "kv_offload", words


def expanded(arguments: Sequence[str], worker_index: int) -> list[str]:
    """A command line of a group as that pod's container gets it."""
    variables = {_LEADER_ADDRESS: "leader.group", _WORKER_INDEX: str(worker_index)}
    return [variables.get(word, word) for word in arguments]


def _common(
    wanted: ModelSettings, release: VllmRelease, shape: ShapePlan, lifecycle: LifecyclePlan, weights: WeightsPlan
) -> Iterator[str]:
    """Every value that the plan's memory rests on, and else what vLLM would not choose by itself.

    What is left out where it is vLLM's own default is held to the release's table of flags by a test, and what follows
    from the values below (block size, prefix caching, CUDA graphs) to vLLM's own answer.
    """
    settings = shape.settings
    if weights.source is not WeightSource.HUB:
        # Offline, vLLM takes the folder for the model's name, and would be asked for by it (vLLM 0.33, arg_utils.py).
        yield from ("--served-model-name", wanted.model)
    if weights.bucket:
        yield from _streamed(wanted, shape)
    yield from ("--tensor-parallel-size", str(shape.tensor_parallel))
    if shape.pipeline_parallel > 1:
        yield from ("--pipeline-parallel-size", str(shape.pipeline_parallel))
    if shape.expert_parallel:
        yield "--enable-expert-parallel"
    if shape.nodes > 1:
        yield from _over_nodes(wanted, shape, lifecycle)
    yield from ("--max-model-len", str(settings.max_model_len))
    yield from ("--gpu-memory-utilization", str(settings.gpu_memory_utilization))
    yield from ("--max-num-seqs", str(settings.max_num_seqs))
    yield from ("--max-num-batched-tokens", str(settings.max_num_batched_tokens))
    if settings.kv_cache_dtype is not KvCacheDtype.AUTO:
        yield from ("--kv-cache-dtype", settings.kv_cache_dtype.value)
    for _, words in engine_words(wanted.engine):
        yield from words
    if release.shutdown_timeout_flag:
        yield from ("--shutdown-timeout", str(lifecycle.drain))
    # The kubelet's probes and the monitoring would be most of the log.
    yield from ("--disable-access-log-for-endpoints", "/health,/metrics,/v1/models")
    yield from wanted.engine.extra_args


def _model(wanted: ModelSettings, weights: WeightsPlan) -> str:
    return weights.bucket.address if weights.bucket else wanted.model


def _streamed(wanted: ModelSettings, shape: ShapePlan) -> Iterator[str]:
    """The loader for buckets. The GPUs of a node read a part each and hand it on over NVLink; each would read all of it
    otherwise (vLLM 0.33, runai_streamer_loader.py; Google's guide to the streamer, 2026)."""
    if wanted.engine.load_format is None:
        yield from ("--load-format", STREAMER)
    if shape.gpus_per_node > 1:
        yield from ("--model-loader-extra-config", _compact({"distributed": True}))


def _over_nodes(wanted: ModelSettings, shape: ShapePlan, lifecycle: LifecyclePlan) -> Iterator[str]:
    if wanted.distributed_executor is Executor.RAY:
        yield from ("--distributed-executor-backend", "ray")
    else:
        yield from ("--nnodes", str(shape.nodes), "--node-rank", _WORKER_INDEX, "--master-addr", _LEADER_ADDRESS)
    # The first collective operation waits for the slowest node to have fetched its weights.
    yield from ("--distributed-timeout-seconds", str(lifecycle.longest_start))


def _flag(field: str, value: Any) -> Iterator[str]:
    name = field.replace("_", "-")
    match value:
        case bool():
            yield f"--{name}" if value else f"--no-{name}"
        case dict():
            yield from (f"--{name}", _compact(value))
        case _:
            yield from (f"--{name}", str(value))


def _lora(lora: LoraSettings) -> Iterator[str]:
    yield from ("--enable-lora", "--max-loras", str(lora.max_loras), "--max-lora-rank", str(lora.max_lora_rank))
    if lora.adapters:
        yield "--lora-modules"
        yield from (f"{adapter.name}={adapter.path}" for adapter in lora.adapters)


def _speculative(speculative: SpeculativeSettings) -> dict[str, Any]:
    config: dict[str, Any] = {"method": speculative.method, "num_speculative_tokens": speculative.tokens}
    for key in ("model", "prompt_lookup_max", "prompt_lookup_min"):
        value = getattr(speculative, key)
        if value is not None:
            config[key] = value
    return config


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
