"""A model that no formula counts is planned from what vLLM's own code said of a shape, and of no other shape."""

from typing import Any

import pytest

from catalog import PINS, Basis
from catalog.architectures import RECORDED_ONLY
from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import MODELS, KvCacheDtype, Model
from catalog.recorded import Record, RecordedCase, RecordedGroup
from planning.fit import Fit, fit
from planning.load_time import checkpoint_gib
from planning.parallelism import choose_shape
from planning.shape import ShapePlan, ShapeRefused, ShapeRequest
from planning.weights import GIB
from tests.unit.configs import deepseek, llama
from tests.unit.questions import question

CONFIG = {**deepseek(), "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "hc_mult": 4}
ENTRIES = [name for name in MODELS if MODELS[name].recorded_only]


def said(tensor: int, weights: int, groups: tuple[RecordedGroup, ...] = (RecordedGroup(tokens=64),)) -> RecordedCase:
    return RecordedCase(tensor=tensor, weights=(weights * GIB,), block_bytes=(4 * 2**20,), groups=groups)


def told(*cases: RecordedCase, id: str = "a/model") -> Model:
    model = model_from_config(CONFIG, id)
    record = Record(model=id, vllm=PINS.vllm, config="a test", digest="", capabilities={"9.0": cases})
    return model.with_records((record,))


def asked(model: Model, accelerator: str = "h200", **wanted: Any) -> Fit:
    return fit(question(model, accelerator, ShapeRequest(PINS.vllm, **wanted)))


def shaped(model: Model, **wanted: Any) -> ShapePlan:
    return choose_shape(question(model, "h200", ShapeRequest(PINS.vllm, **wanted)))


def test_a_recorded_shape_has_the_weights_and_the_cache_that_vllm_said() -> None:
    answer = asked(told(said(1, 90)), max_model_len=32768)
    assert answer.fits
    assert answer.basis is Basis.RECORDED
    assert answer.weights_gib == 90
    assert answer.kv_cache_tokens is not None and answer.kv_cache_gib is not None
    assert answer.kv_cache_tokens == pytest.approx(answer.kv_cache_gib * 1024 / 4 * 64, rel=0.001)
    assert not any("checkpoint" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("accelerator", "wanted"),
    [
        ("h200", {"tensor_parallel": 2}),
        ("h200", {"pipeline_parallel": 2}),
        ("h200", {"kv_cache_dtype": KvCacheDtype.FP8}),
        ("h200", {"own_draft": True, "draft_tokens": 1}),
        ("h200", {"expert_parallel": True, "tensor_parallel": 2}),
        ("b200", {}),
    ],
)
def test_any_other_shape_is_refused_with_what_to_run(accelerator: str, wanted: dict[str, Any]) -> None:
    answer = asked(told(said(1, 90)), accelerator, max_model_len=32768, **wanted)
    assert not answer.fits
    assert answer.weights_gib is None
    assert "vLLM's code was not asked about this shape" in answer.reasons[0]
    assert "python -m oracle record --config FILE --capability" in answer.reasons[0]


def test_adapters_are_refused_since_nobody_counts_them() -> None:
    answer = asked(told(said(1, 90)), max_model_len=32768, adapter_slots=2, adapter_rank=16)
    assert not answer.fits
    assert "LoRA" in answer.reasons[0]


def test_the_planner_chooses_among_recorded_shapes_alone() -> None:
    plan = shaped(told(said(1, 300), said(4, 80)), max_model_len=32768)
    assert plan.tensor_parallel == 4
    assert any("not asked" in rejected.why for rejected in plan.rejected)


def test_a_refusal_names_the_shape_that_came_closest_rather_than_one_that_nobody_asked_about() -> None:
    with pytest.raises(ShapeRefused, match=r"300\.0 GiB of weights"):
        shaped(told(said(1, 300)), max_model_len=32768)
    with pytest.raises(ShapeRefused, match="was not asked about this shape"):
        shaped(told(), max_model_len=32768)


def test_states_of_a_recorded_cache_cap_the_sequences() -> None:
    groups = (RecordedGroup(kind="state", tables=3, tokens=1024, blocks=3), RecordedGroup(tokens=1024))
    case = RecordedCase(weights=(90 * GIB,), block_bytes=(200 * 2**20,), groups=groups)
    plan = shaped(told(case), max_model_len=32768, tensor_parallel=1)
    assert plan.memory.state_blocks is not None
    assert plan.settings.max_num_seqs <= plan.memory.state_blocks < 1024


def test_copies_of_the_hidden_states_take_their_room() -> None:
    one = model_from_config({**CONFIG, "hc_mult": 1}, "a/model").with_records(told(said(1, 90)).records)
    held = [
        asked(model, max_model_len=32768, max_num_batched_tokens=65536).activation_gib
        for model in (one, told(said(1, 90)))
    ]
    assert held[0] is not None and held[1] is not None
    assert held[1] - held[0] == pytest.approx(3 * 65536 * 7168 * 2 / GIB, rel=0.01)


def test_the_checkpoint_is_as_large_as_the_weights_on_the_fewest_gpus() -> None:
    assert checkpoint_gib(told(said(4, 25), said(2, 49))) == 98


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_without_formulas_is_of_a_class_that_says_why(name: str) -> None:
    assert MODELS[name].architecture in RECORDED_ONLY
    assert not MODELS[name].counted


@pytest.mark.parametrize("name", ["MiniMaxM3ForCausalLM", "Step3p7FlashForCausalLM"])
def test_a_class_that_vllm_does_not_have_is_refused_for_that_reason(name: str) -> None:
    with pytest.raises(UnreadableConfigError, match=f"{name} is none that vLLM 0.33 has a class for"):
        model_from_config(llama(32, 4096, 14336, 32) | {"architectures": [name]}, "a/model")
