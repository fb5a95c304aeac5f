"""Asks vLLM what it makes of command lines on a card, without a GPU: `resolve.py CARD_JSON LIBCUDA SCRATCH`.

Standard input: a question per line, the config.json of a model and what follows `vllm serve`. Standard output: per line
what vLLM resolved, or its refusal. Run by the interpreter of vLLM's environment, with the oracle's folder on its path.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# vLLM and its libraries log to standard output, where only answers belong.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

from inside import card as pretended  # noqa: E402
from inside.question import Question  # noqa: E402


def main(arguments: list[str]) -> None:
    card, libcuda, scratch = json.loads(arguments[0]), Path(arguments[1]), Path(arguments[2])
    pretended.pretend(pretended.Card(**{**card, "capability": tuple(card["capability"])}), libcuda, scratch)
    from inside import build
    from vllm.config import CacheConfig
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.common.cli_args import make_arg_parser
    from vllm.usage.usage_lib import UsageContext
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser(usage="vllm serve [model_tag] [options]"))
    for line in sys.stdin:
        question = json.loads(line)
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            folder = Path(name)
            model = Question(question["config"], question["quantization"], 1, 1, False, "auto", 0)
            build.write_checkpoint(model, folder)
            try:
                words = parser.parse_args(question["arguments"])
                words.model = words.tokenizer = str(folder)
                words.revision = words.tokenizer_revision = None
                engine = AsyncEngineArgs.from_cli_args(words)
                engine.skip_tokenizer_init, engine.load_format, engine.disable_log_stats = True, "dummy", True
                engine.nnodes, engine.node_rank, engine.distributed_executor_backend = 1, 0, "mp"
                config = engine.create_engine_config(UsageContext.OPENAI_API_SERVER)
                answer = {**_resolved(config), "default_block_size": CacheConfig.DEFAULT_BLOCK_SIZE}
            except Exception as error:  # whatever it is, vLLM would not have started
                answer = {"refusal": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _resolved(config: Any) -> dict[str, Any]:
    return {
        "max_model_len": config.model_config.max_model_len,
        "gpu_memory_utilization": config.cache_config.gpu_memory_utilization,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "chunked_prefill": config.scheduler_config.enable_chunked_prefill,
        "prefix_caching": config.cache_config.enable_prefix_caching,
        "own_block_size": bool(getattr(config.cache_config, "user_specified_block_size", False)),
        "graphs": list(config.compilation_config.cudagraph_capture_sizes),
        "tensor": config.parallel_config.tensor_parallel_size,
        "pipeline": config.parallel_config.pipeline_parallel_size,
        "experts": config.parallel_config.enable_expert_parallel,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
