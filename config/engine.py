"""The part of a stack file about vLLM itself: typed arguments under vLLM's own names, and free ones for the rest.

Which words are legal after a flag is a fact of the release; the plan checks it against the release's flag table.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from config.intent import Count, Intent

AdapterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class OffloadBackend(StrEnum):
    NATIVE = "native"
    LMCACHE = "lmcache"


class KvOffloadSettings(Intent):
    """KV blocks that leave the GPU are kept in the node's memory; counted in the pod's memory by the plan."""

    size_gib: Annotated[float, Field(gt=0, description="GiB of one server, over all of its GPUs")]
    backend: Annotated[OffloadBackend, Field(description="who moves the blocks")] = OffloadBackend.NATIVE


class SpeculativeSettings(Intent):
    """Tokens that a cheap method proposes and the model checks."""

    method: Annotated[str, Field(description="such as ngram, eagle3, mtp or draft_model")]
    tokens: Annotated[int, Field(ge=1, le=64, description="proposed for each step")]
    model: Annotated[str | None, Field(description="Hugging Face id of the draft, where the method has one")] = None
    model_gib: Annotated[
        float | None, Field(gt=0, description="GiB of the draft's checkpoint; default: the catalogue's")
    ] = None
    prompt_lookup_max: Annotated[Count | None, Field(description="tokens; ngram only")] = None
    prompt_lookup_min: Annotated[Count | None, Field(description="tokens; ngram only")] = None


class AdapterSettings(Intent):
    """One LoRA adapter; clients ask for it as a model of that name."""

    name: Annotated[AdapterName, Field(description="that clients ask for")]
    path: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"), Field(description="Hugging Face id")
    ]


class LoraSettings(Intent):
    """Adapters on one base model. Their slots take GPU memory whether they are used or not."""

    adapters: Annotated[tuple[AdapterSettings, ...], Field(description="each a model of its own to clients")] = ()
    max_loras: Annotated[int, Field(ge=1, le=64, description="adapters that one batch may mix")] = 1
    max_lora_rank: Annotated[Count, Field(description="the largest rank of any of them")] = 16


class EngineSettings(Intent):
    """Arguments of `vllm serve` that the plan does not choose. A key is the flag's name in camelCase; unset: vLLM's
    own default."""

    revision: Annotated[str | None, Field(description="commit or tag of the checkpoint; default: its main branch")] = (
        None
    )
    tokenizer_revision: Annotated[
        str | None, Field(description="commit or tag of the tokenizer; default: its main branch")
    ] = None
    dtype: Annotated[str | None, Field(description="of weights and activations; default: as the checkpoint says")] = (
        None
    )
    quantization: Annotated[
        str | None, Field(description="only to quantise while loading; a checkpoint says its own format")
    ] = None
    load_format: Annotated[str | None, Field(description="how weights are read, such as runai_streamer")] = None
    safetensors_load_strategy: Annotated[str | None, Field(description="such as lazy or eager")] = None
    model_loader_extra_config: Annotated[dict[str, Any] | None, Field(description="of the load format's own")] = None
    enforce_eager: Annotated[bool | None, Field(description="no CUDA graphs and no compilation: starts soon, slow")] = (
        None
    )
    enable_prefix_caching: Annotated[
        bool | None, Field(description="requests share the KV blocks of a common beginning")
    ] = None
    enable_chunked_prefill: Annotated[
        bool | None, Field(description="long prompts are cut and run beside decoding")
    ] = None
    async_scheduling: Annotated[bool | None, Field(description="the next step is scheduled while one runs")] = None
    performance_mode: Annotated[
        str | None, Field(description="a preset of vLLM, such as throughput or interactivity")
    ] = None
    attention_backend: Annotated[str | None, Field(description="such as FLASHINFER")] = None
    compilation_config: Annotated[dict[str, Any] | None, Field(description="of torch.compile and CUDA graphs")] = None
    scheduling_policy: Annotated[str | None, Field(description="fcfs or priority")] = None
    max_num_queued_reqs: Annotated[
        Count | None, Field(description="requests that may wait; one more is answered 503")
    ] = None
    limit_mm_per_prompt: Annotated[
        dict[str, Annotated[int, Field(ge=0, lt=2**31)]] | None,
        Field(description="images and the like that one request may have"),
    ] = None
    tool_call_parser: Annotated[str | None, Field(description="turns tool calling on too")] = None
    reasoning_parser: Annotated[str | None, Field(description="which finds the thoughts in an answer")] = None
    generation_config: Annotated[
        str | None, Field(description="where sampling defaults come from: auto, vllm, or a folder")
    ] = None
    # NumPy takes no other seed, and vLLM 0.33.0 gives it this one (vllm/utils/torch_utils.py, set_random_seed).
    seed: Annotated[int | None, Field(ge=0, lt=2**32, description="of the random numbers")] = None
    enable_log_requests: Annotated[bool | None, Field(description="writes prompts to the log")] = None
    uvicorn_log_level: Annotated[str | None, Field(description="of the HTTP server, such as warning")] = None
    lora: Annotated[LoraSettings | None, Field(description="adapters on the model")] = None
    speculative: Annotated[SpeculativeSettings | None, Field(description="tokens that a cheap method proposes")] = None
    kv_offload: Annotated[KvOffloadSettings | None, Field(description="KV blocks in the node's memory")] = None
    extra_args: Annotated[
        tuple[str, ...], Field(description="further words of the command line, as after `vllm serve`")
    ] = ()
