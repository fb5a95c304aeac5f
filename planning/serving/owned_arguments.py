"""Checks what a stack file says about vLLM's arguments: legal for the release, nothing that the platform owns."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from catalog.engine_arguments import FlagTable
from config.engine import EngineSettings
from planning.errors import Findings
from planning.serving.arguments import engine_words

_BY_SHAPE = "the plan shapes the server: write tensorParallel, pipelineParallel, expertParallel or replicas"
_BY_GROUP = "the plan joins the nodes of a server"
_BY_GATEWAY = "keys belong to the gateway: this one would leave half of the server's paths open"
_BY_GRAPHS = "the plan counts the memory of the release's own CUDA graphs: write maxNumSeqs for fewer"
_BY_MEMORY = "the plan counts memory, and would be wrong by it: write {key}"

_OWNED = {
    "--model": "write model",
    "--served-model-name": "clients ask for the model by its id",
    "--port": "the Service, the probes and the network policy know the port",
    "--host": "the server listens where its probes look",
    "--uds": "the server listens where its probes look",
    "--grpc-port": "the network policy lets one port in",
    "--root-path": "the probes and the gateway know the paths",
    "--api-key": _BY_GATEWAY,
    "--hf-token": "the token is a file that HF_TOKEN_PATH names",
    "--download-dir": "weights are kept where HF_HOME says",
    "--shutdown-timeout": "it adds up with preStop and the grace period",
    "--tensor-parallel-size": _BY_SHAPE,
    "--pipeline-parallel-size": _BY_SHAPE,
    "--enable-expert-parallel": _BY_SHAPE,
    "--decode-context-parallel-size": _BY_SHAPE,
    "--prefill-context-parallel-size": _BY_SHAPE,
    "--distributed-executor-backend": "write distributedExecutor",
    "--distributed-timeout-seconds": "it follows from the time that the slowest node may take to load",
    "--nnodes": _BY_GROUP,
    "--node-rank": _BY_GROUP,
    "--master-addr": _BY_GROUP,
    "--master-port": _BY_GROUP,
    "--headless": _BY_GROUP,
    "--max-model-len": _BY_MEMORY.format(key="maxModelLen"),
    "--max-num-seqs": _BY_MEMORY.format(key="maxNumSeqs"),
    "--max-num-batched-tokens": _BY_MEMORY.format(key="maxNumBatchedTokens"),
    "--gpu-memory-utilization": _BY_MEMORY.format(key="gpuMemoryUtilization"),
    "--kv-cache-memory-bytes": _BY_MEMORY.format(key="gpuMemoryUtilization"),
    "--num-gpu-blocks-override": _BY_MEMORY.format(key="gpuMemoryUtilization"),
    "--cudagraph-capture-sizes": _BY_GRAPHS,
    "--max-cudagraph-capture-size": _BY_GRAPHS,
    "--kv-cache-dtype": _BY_MEMORY.format(key="kvCacheDtype"),
    "--cpu-offload-gb": "weights in the node's memory are read over PCIe for every token: take more GPUs",
    "--offload-backend": "weights in the node's memory are read over PCIe for every token: take more GPUs",
    "--enable-lora": "write engine.lora",
    "--max-loras": "write engine.lora.maxLoras",
    "--max-lora-rank": "write engine.lora.maxLoraRank",
    "--lora-modules": "write engine.lora.adapters",
    "--speculative-config": "write engine.speculative",
    "--spec-method": "write engine.speculative.method",
    "--spec-model": "write engine.speculative.model",
    "--spec-tokens": "write engine.speculative.tokens",
    "--kv-offloading-size": "write engine.kvOffload.sizeGib",
    "--kv-offloading-backend": "write engine.kvOffload.backend",
    "--enable-auto-tool-choice": "write engine.toolCallParser",
    "--disable-access-log-for-endpoints": "the probes' lines are left out already",
    "--trust-remote-code": "it would run code from the hub beside the token",
}
_GRAPH_KEYS = {"cudagraph_capture_sizes", "max_cudagraph_capture_size"}
_OWNED_FAMILIES = {"--data-parallel-": _BY_SHAPE, "--ssl-": "the gateway ends TLS, and probes speak plain HTTP"}


def check_arguments(engine: EngineSettings, table: FlagTable, path: str, findings: Findings) -> None:
    """Refuses, by key path, every typed argument with an illegal value and every free one that cannot stand."""
    for field, words in engine_words(engine):
        for problem in table.check_flags(words):
            findings.refuse(f"{path}.{to_camel(field)}", problem)
    if engine.speculative is not None:
        # Inside of its JSON the parser takes any word; the flag of its own knows which there are.
        problem = table.by_name["--spec-method"].problem_with(engine.speculative.method)
        if problem:
            findings.refuse(f"{path}.speculative.method", problem)
    for key in _GRAPH_KEYS & (engine.compilation_config or {}).keys():
        findings.refuse(f"{path}.compilationConfig.{key}", f"is not for a stack file: {_BY_GRAPHS}")
    for problem in _free_problems(engine, table):
        findings.refuse(f"{path}.extraArgs", problem)


def _free_problems(engine: EngineSettings, table: FlagTable) -> Iterator[str]:
    typed = {f"--{field.replace('_', '-')}": to_camel(field) for field in EngineSettings.model_fields}
    owned = False
    for word in engine.extra_args:
        name = canonical(word, table)
        reason = _OWNED.get(name) or next((why for start, why in _OWNED_FAMILIES.items() if name.startswith(start)), "")
        if not reason and name in typed:
            reason = f"write engine.{typed[name]}"
        if reason:
            owned = True
            yield f"{name} is not for extraArgs: {reason}"
    if not owned:
        yield from table.check_flags(engine.extra_args)


def canonical(word: str, table: FlagTable) -> str:
    """The long name of the flag that a word of a command line sets, or the word itself."""
    if not word.startswith("-"):
        return word
    name = word.partition("=")[0].partition(".")[0]
    spelled = name.replace("_", "-") if name.startswith("--") else name
    flag = table.by_name.get(spelled)
    return flag.name if flag else spelled
