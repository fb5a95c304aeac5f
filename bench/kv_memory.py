"""Compares the memory model with what vLLM logged on real GPUs: `python -m bench.kv_memory`.

Fails if the cache tokens of a release are off by more than 0.2 % in the median or 0.5 % in the worst case. Beside it
stands the estimate in wide public use: checkpoint times 1.02, 2.3 GiB and 5 % of overhead, every layer with the
whole context.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from catalog import ACCELERATORS
from catalog.hugging_face import model_from_config
from catalog.model import KvCacheDtype, MlaAttention, Model, Quantization, WeightFormat
from planning.engine import (
    ServeSettings,
    default_max_num_batched_tokens,
    default_max_num_seqs,
    engine_of,
    graph_rules,
)
from planning.layers import key_value_heads
from planning.memory import GpuMemory, gpu_memory
from planning.server import Server
from planning.shape import GpuNode
from planning.weights import GIB, Sharding, parameters

_FOLDER = Path(__file__).parent / "measured"
_MEDIAN_LIMIT, _WORST_LIMIT = 0.2, 0.5
_FLAT_GIB, _SHARE, _CHECKPOINT_MARGIN, _UTILIZATION = 2.3, 0.05, 1.02, 0.84


@dataclass(frozen=True)
class Case:
    """One start of vLLM: its settings, and what it logged."""

    name: str
    model: Model
    node: GpuNode
    tensor_parallel: int
    settings: ServeSettings
    vllm: str
    weights_gib: float
    overhead_gib: float
    kv_gib: float
    tokens: int

    def ours(self) -> GpuMemory:
        sharding = Sharding(self.tensor_parallel)
        return gpu_memory(Server(self.model, self.node.card, sharding, self.settings, engine_of(self.vllm)))

    def public_estimate(self, utilization: float) -> float:
        """The cache tokens by the estimate in wide public use."""
        count = parameters(self.model)
        if count is None:
            raise ValueError(f"{self.model.id}: how many weights it has is not known")
        weights = count * 2 / GIB * _CHECKPOINT_MARGIN / self.tensor_parallel
        room = utilization * self.node.card.torch_gib - weights - _FLAT_GIB - _SHARE * weights
        per_token = sum(
            _bytes_of_every_layer(self.model, group, self.tensor_parallel) for group in self.model.attention
        )
        return room * GIB / per_token


def _bytes_of_every_layer(model: Model, group: Any, tensor_parallel: int) -> int:
    if isinstance(group, MlaAttention):
        return group.layers * (group.kv_lora_rank + group.qk_rope_head_dim) * 2
    return group.layers * 2 * key_value_heads(model, group, tensor_parallel) * (group.head_dim or model.head_dim) * 2


def measured_cases(folder: Path = _FOLDER) -> list[Case]:
    """Every measured case of every release, in the order of the files."""
    cases: list[Case] = []
    for file in sorted(folder.glob("cases*.yaml")):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        cases += [_case(row, data, folder) for row in data["cases"]]
    return cases


def _case(row: dict[str, Any], data: dict[str, Any], folder: Path) -> Case:
    accelerator = ACCELERATORS[row.get("accelerator", data["accelerator"])]
    node = GpuNode.of(accelerator, accelerator.machine_type(accelerator.default_machine_type))
    config = json.loads((folder / f"{row['model']}.json").read_text(encoding="utf-8"))
    model = model_from_config(config, row["model"])
    if "quantization" in row:  # while it is loaded
        model = model.model_copy(update={"quantization": Quantization(format=WeightFormat(row["quantization"]))})
    engine = engine_of(data["vllm"])
    settings = ServeSettings(
        max_model_len=row.get("maxModelLen", model.context),
        gpu_memory_utilization=row.get("utilization", engine.defaults.gpu_memory_utilization),
        max_num_seqs=row.get("maxNumSeqs", default_max_num_seqs(node.card, engine)),
        max_num_batched_tokens=row.get("maxNumBatchedTokens", default_max_num_batched_tokens(node.card, engine)),
        block_size=engine.defaults.block_size,
        graphs=graph_rules(node.card, engine),
        kv_cache_dtype=KvCacheDtype(row.get("kvCacheDtype", "auto")),
        enforce_eager=row.get("enforceEager", False),
        compile_cache=row.get("compileCache", False),
    )
    shown = (
        "maxModelLen",
        "maxNumSeqs",
        "utilization",
        "maxNumBatchedTokens",
        "compileCache",
        "enforceEager",
        "quantization",
    )
    flags = " ".join(f"{key}={row[key]}" for key in shown if key in row)
    return Case(
        name=f"{data['vllm']} {row['model']} TP{row.get('tensorParallel', 1)} {accelerator.name} {flags}".rstrip(),
        model=model,
        node=node,
        tensor_parallel=row.get("tensorParallel", 1),
        settings=settings,
        vllm=data["vllm"],
        weights_gib=row["weights"],
        overhead_gib=row["activation"] + row["nonTorch"] + row["graphs"],
        kv_gib=row["kv"],
        tokens=row["tokens"],
    )


def error(ours: float, measured: float) -> float:
    """The error in per cent of the measured value."""
    return 100 * (ours / measured - 1)


def main() -> int:
    """Prints the table. Exit status 1 if a limit is exceeded."""
    columns = (
        f"{'weights GiB':>15} {'overhead GiB':>14} {'cache tokens':>23} {'error':>8} {'public':>8} {'public 0.92':>12}"
    )
    print(f"{'case (ours / measured)':74}{columns}")
    cases = measured_cases()
    for case in cases:
        memory = case.ours()
        public = error(case.public_estimate(_UTILIZATION), case.tokens)
        real = error(case.public_estimate(case.settings.gpu_memory_utilization), case.tokens)
        weights = f"{memory.weights_gib:.2f} / {case.weights_gib:.2f}"
        overhead = f"{memory.overhead_gib:.2f} / {case.overhead_gib:.2f}"
        tokens = f"{memory.kv_cache_tokens:,} / {case.tokens:,}"
        ours = f"{_ours(case):+7.2f}% {public:+7.1f}% {real:+11.1f}%"
        print(f"{case.name:74}{weights:>15} {overhead:>14} {tokens:>23} {ours}")
    passed = True
    for vllm in dict.fromkeys(case.vllm for case in cases):
        sizes = [abs(_ours(case)) for case in cases if case.vllm == vllm]
        passed = passed and median(sizes) <= _MEDIAN_LIMIT and max(sizes) <= _WORST_LIMIT
        print(_summary(f"ours, vLLM {vllm}", sizes))
    for name, utilization in (("public estimate", _UTILIZATION), ("public, real utilisation", None)):
        print(
            _summary(
                name,
                [
                    abs(error(case.public_estimate(utilization or case.settings.gpu_memory_utilization), case.tokens))
                    for case in cases
                ],
            )
        )
    return 0 if passed else 1


def _ours(case: Case) -> float:
    return error(case.ours().kv_cache_tokens, case.tokens)


def _summary(name: str, sizes: list[float]) -> str:
    return f"{name:25} median {median(sizes):6.2f} %   worst {max(sizes):6.2f} %   of {len(sizes)} cases"


if __name__ == "__main__":
    sys.exit(main())
