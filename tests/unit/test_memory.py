"""The memory model says what vLLM logged, and says so when nobody measured."""

from statistics import median

import pytest

from bench.kv_memory import Case, error, measured_cases
from catalog import ACCELERATORS, Basis
from catalog.engine import Runner
from catalog.model import MODELS, KvCacheDtype
from planning.engine import Card, GraphRules, ServeSettings, UnknownRelease, engine_of
from planning.kv_cache import CacheSettings, bytes_per_token, kv_layout
from planning.memory import gpu_memory
from planning.server import Server
from planning.weights import Sharding, stages_of

GRAPHS = GraphRules(largest=512, whole_batches=True)
CACHE = CacheSettings(16, engine_of("0.24.0").states)
CASES = measured_cases()
H200 = Card("h200", ACCELERATORS["h200"].memory.torch_gib, measured=True, capability="9.0")
H100 = Card("h100", ACCELERATORS["h100"].memory.torch_gib, measured=True, capability="9.0")


def served(length: int, **flags: object) -> ServeSettings:
    defaults = {
        "gpu_memory_utilization": 0.92,
        "max_num_seqs": 1024,
        "max_num_batched_tokens": 8192,
        "block_size": 16,
        "graphs": GRAPHS,
    }
    return ServeSettings(max_model_len=length, **{**defaults, **flags})  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_measured_start_is_met(case: Case) -> None:
    memory = case.ours()
    assert memory.fits
    assert memory.weights_gib == pytest.approx(case.weights_gib, abs=0.05)
    assert memory.overhead_gib == pytest.approx(case.overhead_gib, abs=0.1)
    assert memory.kv_cache_gib == pytest.approx(case.kv_gib, abs=0.15)
    assert abs(error(memory.kv_cache_tokens, case.tokens)) < 0.5
    plain = case.model.quantization is None
    assert memory.basis is (Basis.MEASURED if plain else Basis.EXTRAPOLATED)


def test_the_median_error_of_each_release_is_within_a_fifth_of_a_per_cent() -> None:
    for vllm in {case.vllm for case in CASES}:
        cases = [case for case in CASES if case.vllm == vllm]
        ours = [abs(error(case.ours().kv_cache_tokens, case.tokens)) for case in cases]
        assert median(ours) <= 0.2
        assert max(ours) <= 0.5
    public = [abs(error(case.public_estimate(0.84), case.tokens)) for case in CASES]
    assert median(public) > 10
    assert max(public) > 50


def test_the_measured_case_that_did_not_start_does_not_fit() -> None:
    model = next(case.model for case in CASES if case.model.id == "Qwen3-32B")
    memory = gpu_memory(Server(model, H100, Sharding(), served(40960), engine_of("0.24.0")))
    assert not memory.fits
    assert 0 < memory.missing_gib < 0.1
    assert 40000 < memory.largest_max_model_len < 40960
    shorter = gpu_memory(Server(model, H100, Sharding(), served(memory.largest_max_model_len), engine_of("0.24.0")))
    assert shorter.fits


@pytest.mark.parametrize(
    ("name", "tensor", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 1, 131072),
        ("Qwen/Qwen3-32B", 1, 262144),
        ("Qwen/Qwen3-30B-A3B", 1, 98304),
        ("meta-llama/Llama-3.3-70B-Instruct", 2, 163840),
        ("deepseek-ai/DeepSeek-V2-Lite-Chat", 1, 31104),
        ("deepseek-ai/DeepSeek-R1", 8, 70272),
        ("google/gemma-3-27b-it", 1, 81920),
        ("google/gemma-4-31B-it", 1, 81920),
        ("openai/gpt-oss-120b", 1, 36864),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", 8, 94 * 2 * 1 * 128 * 2),
    ],
)
def test_a_token_takes_what_its_attention_keeps(name: str, tensor: int, expected: int) -> None:
    assert bytes_per_token(MODELS[name], KvCacheDtype.AUTO, tensor) == expected


def test_gemmas_blocks_are_cut_as_vllm_cuts_them() -> None:
    model = MODELS["google/gemma-3-27b-it"]
    layout = kv_layout(model, CACHE, 1, 1, stages_of(model, 1)[0])
    assert layout.block_bytes == 10 * 16 * 2 * 16 * 128 * 2
    assert layout.blocks(131072, 8192) == 8192 + 6 * (576 + 1)
    assert layout.blocks(1280, 8192) == 80 + 6 * 81


def test_fp8_halves_the_cache_of_a_token_and_packed_latents_take_656_bytes() -> None:
    llama, deepseek = MODELS["meta-llama/Llama-3.1-8B-Instruct"], MODELS["deepseek-ai/DeepSeek-R1"]
    assert bytes_per_token(llama, KvCacheDtype.FP8, 1) == 65536
    assert bytes_per_token(deepseek, KvCacheDtype.FP8_DS_MLA, 8) == 40016
    settings = served(131072)
    wide = gpu_memory(Server(llama, H200, Sharding(), settings, engine_of("0.24.0")))
    narrow = gpu_memory(
        Server(llama, H200, Sharding(), served(131072, kv_cache_dtype=KvCacheDtype.FP8), engine_of("0.24.0"))
    )
    assert narrow.kv_cache_tokens == pytest.approx(2 * wide.kv_cache_tokens, abs=32)
    assert (wide.basis, narrow.basis) == (Basis.MEASURED, Basis.EXTRAPOLATED)


def test_the_runner_follows_release_and_architecture() -> None:
    old, new = engine_of("0.24.0"), engine_of("0.33.0")
    assert old.runner(MODELS["meta-llama/Llama-3.1-8B-Instruct"]) is Runner.V2
    assert old.runner(MODELS["google/gemma-3-27b-it"]) is Runner.V1
    assert all(new.runner(MODELS[name]) is Runner.V2 for name in MODELS)


def test_the_newer_release_charges_graphs() -> None:
    llama = MODELS["meta-llama/Llama-3.1-8B-Instruct"]
    old, new = (gpu_memory(Server(llama, H200, Sharding(), served(131072), engine_of(v))) for v in ("0.24.0", "0.33.0"))
    assert (old.graphs_gib, new.graphs_gib) == (0, pytest.approx(0.92, abs=0.02))
    assert new.kv_cache_tokens < old.kv_cache_tokens
    assert (old.basis, new.basis) == (Basis.MEASURED, Basis.MEASURED)


def test_a_release_that_nobody_measured_says_so() -> None:
    estimated = engine_of("0.33.0").model_copy(update={"version": "9.9.9", "memory_basis": Basis.EXTRAPOLATED})
    memory = gpu_memory(Server(MODELS["Qwen/Qwen3-32B"], H200, Sharding(), served(40960), estimated))
    assert memory.basis is Basis.EXTRAPOLATED
    assert "nobody measured vLLM 9.9.9" in memory.basis_reason


@pytest.mark.parametrize("version", ["", "new", "0", "0.33", "0.18.1", "0.34.0", "1.2.3.4.5", "../0.33.0"])
def test_no_release_stands_in_for_one_that_is_not_in_the_catalogue(version: str) -> None:
    with pytest.raises(UnknownRelease, match=r"is not in the catalogue: write one of 0\.24\.0, 0\.33\.0"):
        engine_of(version)


def test_the_image_encoder_costs_its_weights_only_where_there_is_one() -> None:
    text = next(case.model for case in CASES if case.model.id == "gemma-3-27b-text")
    engine = engine_of("0.24.0")
    alone = gpu_memory(Server(text, H200, Sharding(), served(131072), engine))
    whole = gpu_memory(Server(MODELS["google/gemma-3-27b-it"], H200, Sharding(), served(131072), engine))
    assert whole.weights_gib - alone.weights_gib == pytest.approx(0.79, abs=0.02)
    assert whole.basis is Basis.EXTRAPOLATED


def test_a_context_that_needs_the_block_that_vllm_holds_back_does_not_start() -> None:
    """The tokens that vLLM prints count every block; its check of the longest request leaves one out."""
    model, engine = MODELS["Qwen/Qwen3-32B"], engine_of("0.33.0")
    memory = gpu_memory(Server(model, H100, Sharding(), served(131072), engine))
    assert not memory.fits
    assert memory.largest_max_model_len == memory.kv_cache_tokens // 16 * 16 - 16 > 0
