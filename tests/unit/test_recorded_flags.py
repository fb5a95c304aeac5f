"""What vLLM's own code said is read only where the stack file changes nothing that it hangs on."""

from typing import Any

import pytest

from catalog import PINS, VLLM_RELEASES, Basis
from catalog.engine_arguments import flag_table
from catalog.model import MODELS
from catalog.recorded_flags import recorded_flags
from config.engine import EngineSettings
from planning.serving.unasked import block_size, unasked_flags
from tests.unit.serving import planned

RELEASE = VLLM_RELEASES[PINS.vllm]
DENSE, STATEFUL, SEEING = (
    MODELS[name] for name in ("microsoft/phi-4", "Qwen/Qwen3-Next-80B-A3B-Instruct", "google/gemma-3-27b-it")
)


def basis(model: str = DENSE.id, **engine: Any) -> tuple[Basis, str]:
    memory = planned({"model": model, "engine": engine}).shape.memory
    return memory.basis, memory.basis_reason


def engine(*extra: str, **fields: Any) -> EngineSettings:
    return EngineSettings.model_validate({"extra_args": extra, **fields}, by_name=True)


def test_a_stack_file_without_arguments_reads_the_record() -> None:
    assert basis()[0] is Basis.RECORDED


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        ({"extraArgs": ["--block-size", "32"]}, "--block-size"),
        ({"extraArgs": ["--block-size=32"]}, "--block-size"),
        ({"extraArgs": ["--hf-overrides", '{"num_hidden_layers": 8}']}, "--hf-overrides"),
        ({"extraArgs": ["--disable-hybrid-kv-cache-manager"]}, "--disable-hybrid-kv-cache-manager"),
        ({"extraArgs": ["--kv-cache-dtype-skip-layers", "0"]}, "--kv-cache-dtype-skip-layers"),
        ({"attentionBackend": "FLASHINFER"}, "--attention-backend"),
        ({"kvOffload": {"sizeGib": 8}}, "--kv-offloading-size"),
        ({"loadFormat": "sharded_state"}, "--load-format"),
    ],
)
def test_what_may_change_weights_or_cache_leaves_the_record_unread_and_says_so(
    written: dict[str, Any], flag: str
) -> None:
    said, why = basis(**written)
    assert said is Basis.EXTRAPOLATED
    assert flag in why


@pytest.mark.parametrize(
    "written",
    [
        {"extraArgs": ["--max-log-len", "100"]},
        {"enablePrefixCaching": False},
        {"limitMmPerPrompt": {"image": 0}},
        {"loadFormat": "runai_streamer"},
        {"toolCallParser": "hermes", "seed": 1, "asyncScheduling": True, "dtype": "bfloat16"},
    ],
)
def test_what_changes_neither_leaves_the_record_read(written: dict[str, Any]) -> None:
    assert basis(**written)[0] is Basis.RECORDED


def test_adapters_leave_the_record_unread() -> None:
    adapter = {"adapters": [{"name": "mine", "path": "me/mine"}]}
    assert basis(lora=adapter)[0] is Basis.EXTRAPOLATED


def test_prefix_caching_changes_the_blocks_of_states_alone() -> None:
    off = engine(enable_prefix_caching=False)
    assert unasked_flags(off, STATEFUL, RELEASE) == ("--enable-prefix-caching",)
    assert unasked_flags(engine("--no-enable-prefix-caching"), STATEFUL, RELEASE) == ("--enable-prefix-caching",)
    assert unasked_flags(off, DENSE, RELEASE) == ()


def test_a_model_that_sees_may_lose_its_encoder() -> None:
    without = engine(limit_mm_per_prompt={"image": 0})
    assert unasked_flags(without, SEEING, RELEASE) == ("--limit-mm-per-prompt",)
    assert unasked_flags(without, DENSE, RELEASE) == ()


def test_the_formulas_count_with_the_block_size_that_is_written() -> None:
    assert block_size(engine("--block-size", "32"), RELEASE) == 32
    assert block_size(engine(), RELEASE) is None
    settings = planned({"model": DENSE.id, "engine": {"extraArgs": ["--block-size", "32"]}}).shape.settings
    assert settings.block_size == 32


def test_every_flag_is_one_of_the_pinned_release() -> None:
    flags = recorded_flags()
    names = {flag.name for flag in flag_table(PINS.vllm).by_name.values()}
    assert flags.unchanged | flags.unchanged_without_states | flags.unchanged_without_images <= names
    assert not flags.unchanged & (flags.unchanged_without_states | flags.unchanged_without_images)
