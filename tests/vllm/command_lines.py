"""Command lines, given what follows `vllm serve`, that the flag table and vLLM's parser are both asked about."""

from collections.abc import Iterator

from catalog.engine_arguments import FlagTable, Takes, Values

# Both accept them.
LEGAL: tuple[tuple[str, ...], ...] = (
    ("google/gemma-3-1b-it",),
    ("google/gemma-3-1b-it", "--port", "8000", "--host", "0.0.0.0"),
    ("google/gemma-3-1b-it", "--port=8000", "--max-model-len=8192"),
    (
        "google/gemma-3-27b-it",
        "--tensor-parallel-size",
        "2",
        "--gpu-memory-utilization",
        "0.92",
        "--max-num-seqs",
        "64",
    ),
    ("google/gemma-3-27b-it", "-tp", "8", "-dp", "2", "--data-parallel-backend", "mp", "-ep"),
    ("google/gemma-3-27b-it", "-tp=8", "-n=2", "-r=1"),
    ("m", "--tensor_parallel_size", "2", "--max_model_len=16k"),
    ("m", "--max-model-len", "auto"),
    ("m", "--max-model-len", "-1"),
    ("m", "--max-num-batched-tokens", "16K", "--kv-cache-memory-bytes", "1.5g"),
    ("m", "--served-model-name", "gemma", "gemma-27b", "--revision", "main"),
    ("m", "--enable-prefix-caching", "--no-enable-chunked-prefill", "--disable-log-requests"),
    ("m", "--enable-log-requests", "--enable-log-outputs"),
    ("m", "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"),
    ("m", "--kv-cache-dtype", "fp8", "--quantization", "fp8", "--dtype", "bfloat16"),
    ("m", "-q", "awq", "--load-format", "runai_streamer"),
    ("m", "--model-loader-extra-config", '{"distributed": true, "concurrency": 16}'),
    ("m", "--kv-transfer-config", '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'),
    ("m", "--kv-transfer-config.kv_connector", "NixlConnector", "--kv-transfer-config.kv_role=kv_both"),
    ("m", "--kv-offloading-size", "64", "--kv-offloading-backend", "native"),
    ("m", "--speculative-config", '{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}'),
    ("m", "--spec-method", "mtp", "--spec-tokens", "2"),
    ("m", "--compilation-config", '{"cudagraph_mode": "FULL_DECODE_ONLY"}', "-cc.cudagraph_num_of_warmups", "1"),
    ("m", "-O3"),
    ("m", "-O", "1"),
    ("m", "-O=0"),
    ("m", "--enable-lora", "--max-loras", "4", "--max-lora-rank", "64"),
    ("m", "--enable-lora", "--lora-modules", "a=/adapters/a", '{"name": "b", "path": "/adapters/b"}'),
    ("m", "--allowed-origins", '["https://example.org"]', "--allowed-media-domains", "example.org", "example.com"),
    ("m", "--disable-access-log-for-endpoints", "/health,/metrics", "--shutdown-timeout", "45"),
    ("m", "--safetensors-load-strategy", "prefetch", "--safetensors-prefetch-num-threads", "16"),
    ("m", "--nnodes", "2", "--node-rank", "1", "--master-addr", "leader.group", "--master-port", "29501", "--headless"),
    ("m", "--distributed-executor-backend", "mp", "--distributed-timeout-seconds", "1800"),
    ("m", "--data-parallel-size", "4", "--data-parallel-hybrid-lb", "--data-parallel-size-local", "2"),
    ("m", "--all2all-backend", "deepep_low_latency", "--enable-eplb", "--eplb-config.num_redundant_experts", "32"),
    ("m", "--hf-overrides", '{"rope_parameters": {"rope_type": "yarn"}}', "--generation-config", "vllm"),
    ("m", "--chat-template", "None", "--tool-strict-level", ""),
    ("m", "--limit-mm-per-prompt", '{"image": 2}', "--mm-processor-cache-gb", "0"),
    ("m", "--attention-backend", "FLASHINFER", "--performance-mode", "throughput"),
    ("m", "--structured-outputs-config", '{"backend": "xgrammar"}', "--scheduling-policy", "priority"),
    ("m", "--max-num-queued-reqs", "256", "--max-num-queued-tokens", "1M", "--fail-on-environ-validation"),
    ("m", "--hf-token", "--enforce-eager"),
    ("m", "--cudagraph-capture-sizes", "1", "2", "4", "--async-scheduling"),
)

# Both refuse them.
ILLEGAL: tuple[tuple[str, ...], ...] = (
    ("m", "--tensor-parallel-sizes", "2"),
    ("m", "--swap-space", "4"),
    ("m", "--task", "embed"),
    ("m", "--num-scheduler-steps", "8"),
    ("m", "--port"),
    ("m", "--port", "http"),
    ("m", "--port", "--headless"),
    ("m", "--gpu-memory-utilization", "ninety"),
    ("m", "--max-model-len", "8 thousand"),
    ("m", "--max-num-batched-tokens", "1.5K"),
    ("m", "--max-num-seqs", "64.0"),
    ("m", "--max-lora-rank", "17"),
    ("m", "--scheduling-policy", "lifo"),
    ("m", "--dtype", "fp16"),
    ("m", "--headless=true"),
    ("m", "--enable-prefix-caching", "true"),
    ("m", "--served-model-name"),
    ("m", "another-model"),
    ("m", "--port", "8000", "8001"),
    ("m", "--kv-transfer-config", "NixlConnector"),
    ("m", "--kv-transfer-config", '{"kv_conector": "NixlConnector"}'),
    ("m", "--kv-transfer-config", '"kv_both"'),
    ("m", "--kv-transfer-config.kv_conector", "NixlConnector"),
    ("m", "--max-model-len.tokens", "8"),
    ("m", "--limit-mm-per-prompt", "image=2"),
    ("m", "--model-loader-extra-config", "{distributed}"),
    ("m", "--lora-modules", "/adapters/a"),
    ("m", "--lora-modules", '{"name": "a", "rank": 8}'),
    ("m", "--enable-auto-tool-choice"),
    ("m", "--enable-log-outputs"),
    ("m", "--mm-processor-cache-gb", "-0.5"),
    ("m", "-tp8"),
    ("m", "--help"),
    ("--served-model-name", "gemma", "--port", "8000"),
)

# The parser lets them through; the table does not. Why: see catalog/engine_arguments.py.
STRICTER: tuple[tuple[str, ...], ...] = (
    ("m", "--kv-cache-dtype", "fp9"),
    ("m", "--quantization", "fp9"),
    ("m", "--load-format", "safetensor"),
    ("m", "--tool-call-parser", "hermess"),
    ("m", "--attention-backend", "flash_attention"),
    ("m", "-O4"),
    ("m", "--tensor-par", "2"),
    ("m", "--speculative-config", '{"method": "ngram", "speculative_tokens": 4}'),
    ("--model", "m", "--port", "8000"),
    ("--port", "8000", "m"),
    ("--port", "8000"),
)

_FITS = {
    Takes.TEXT: "words",
    Takes.INTEGER: "1",
    Takes.NUMBER: "0.5",
    Takes.SIZE: "16k",
    Takes.SIZE_OR_AUTO: "auto",
    Takes.JSON: "{}",
    Takes.TEXT_OR_JSON: "{}",
    Takes.ADAPTER: "a=/adapters/a",
}
_DOES_NOT_FIT = {
    Takes.INTEGER: "1.5",
    Takes.NUMBER: "half",
    Takes.SIZE: "1.5K",
    Takes.SIZE_OR_AUTO: "many",
    Takes.JSON: "{",
    Takes.TEXT_OR_JSON: "{many}",
    Takes.ADAPTER: "/adapters/a",
}
# Their meaning depends on other flags, on files or on the environment, or they name the model.
_NOT_ALONE = {
    "--chat-template",
    "--config",
    "--data-parallel-multi-port-external-lb",
    "--enable-auto-tool-choice",
    "--enable-log-outputs",
    "--grpc-port",
    "--model",
}


def legal_lines(table: FlagTable) -> Iterator[tuple[str, ...]]:
    """Every flag by each of its names, with a value that fits it."""
    for flag in table.flags:
        for name in (*flag.names, *flag.negations):
            if flag.name in _NOT_ALONE:
                continue
            if flag.values is Values.NONE:
                yield "m", name
                continue
            value = str(flag.choices[0]) if flag.choices else _FITS[flag.takes]
            yield "m", name, value
            yield "m", f"{name}={value}"
            if flag.values is Values.OPTIONAL:
                yield "m", name
            if flag.values is Values.SEVERAL:
                yield "m", name, value, value


def illegal_lines(table: FlagTable) -> Iterator[tuple[str, ...]]:
    """Every flag by each of its names, with a value that does not fit it, none, or one too many."""
    for flag in table.flags:
        for name in (*flag.names, *flag.negations):
            if flag.values is Values.NONE:
                yield "m", f"{name}=1"
                continue
            if flag.values is Values.ONE:
                yield "m", name
                yield "m", name, _FITS[flag.takes], _FITS[flag.takes]
            if flag.choices and not flag.extensible:
                yield "m", name, "none-of-them"
            elif not flag.choices and flag.takes in _DOES_NOT_FIT:
                yield "m", name, _DOES_NOT_FIT[flag.takes]
