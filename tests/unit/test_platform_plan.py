"""A stack is planned whole, or refused with the numbers; never by a traceback, and never after money was spent."""

import json
from pathlib import Path
from typing import Any

import pytest

from config import ConfigurationError
from config.validate import validate
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from planning.shape import Pattern

GPUS = {"name": "gpu", "accelerator": "h200", "zone": "us-central1-b", "nodes": 2, "capacity": {"kind": "spot"}}


def stack(*models: dict[str, Any], **pool: Any) -> dict[str, Any]:
    named = [{"name": f"model-{index}", **model} for index, model in enumerate(models)]
    return {"region": "us-central1", "nodePools": [{**GPUS, **pool}], "models": named}


def plan(*models: dict[str, Any], folder: Path = Path(), **pool: Any) -> PlatformPlan:
    values = stack(*models, **pool)
    return plan_platform(validate("test", values, frozenset(), to_deploy=False, folder=folder), "test")


def refusal(*models: dict[str, Any], **pool: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        plan(*models, **pool)
    return str(caught.value)


BF16_DEEPSEEK = {
    "id": "deepseek-ai/DeepSeek-V3-bf16",
    "architecture": "DeepseekV3ForCausalLM",
    "hiddenSize": 7168,
    "attentionHeads": 128,
    "headDim": 192,
    "attention": [
        {
            "kind": "mla",
            "layers": 61,
            "kvLoraRank": 512,
            "qkRopeHeadDim": 64,
            "qkNopeHeadDim": 128,
            "vHeadDim": 128,
            "qLoraRank": 1536,
        }
    ],
    "intermediateSize": 18432,
    "experts": {
        "count": 256,
        "perToken": 8,
        "intermediateSize": 2048,
        "sharedIntermediateSize": 2048,
        "denseLayers": 3,
    },
    "vocabulary": 129280,
    "context": 163840,
}


class TestArticlesChoices:
    def test_27b_on_16_gpus_is_planned_with_the_cheaper_alternative_and_both_costs(self) -> None:
        made = plan({"model": "google/gemma-3-27b-it", "tensorParallel": 8, "pipelineParallel": 2})
        assert made.models[0].shape.pattern is Pattern.MULTI_NODE
        (warning,) = [w for w in made.warnings if "wasteful" in w.text]
        assert "16 GPUs" in warning.text and "1 GPU" in warning.text and warning.text.count("USD/h") == 2

    def test_27b_left_to_the_planner_takes_one_gpu(self) -> None:
        shape = plan({"model": "google/gemma-3-27b-it"}).models[0].shape
        assert (shape.tensor_parallel, shape.pipeline_parallel) == (1, 1)

    @pytest.mark.parametrize("model", ["meta-llama/Llama-3.1-405B-Instruct", "deepseek-ai/DeepSeek-R1-0528"])
    def test_what_one_h200_node_holds_takes_one(self, model: str) -> None:
        shape = plan({"model": model}).models[0].shape
        assert (shape.tensor_parallel, shape.nodes) == (8, 1)

    def test_a_model_of_two_nodes_gets_tp8_pp2(self) -> None:
        shape = plan({"model": BF16_DEEPSEEK["id"], "definition": BF16_DEEPSEEK}).models[0].shape
        assert (shape.tensor_parallel, shape.pipeline_parallel, shape.nodes) == (8, 2, 2)
        # The first stage of pipeline holds a layer more than the second.
        assert 1250 < shape.memory.weights_gib * 16 < 1320

    def test_deepseek_r1_on_h100_mega_gets_tp8_pp2(self) -> None:
        shape = plan({"model": "deepseek-ai/DeepSeek-R1-0528"}, accelerator="h100-mega").models[0].shape
        assert (shape.tensor_parallel, shape.pipeline_parallel) == (8, 2)

    def test_70b_on_one_gpu_is_refused_with_the_missing_gib(self) -> None:
        text = refusal({"model": "meta-llama/Llama-3.3-70B-Instruct", "tensorParallel": 1})
        assert "inference-platform:models[0]" in text and "GiB" in text

    def test_tp6_for_64_heads_is_refused_with_the_legal_values(self) -> None:
        text = refusal({"model": "meta-llama/Llama-3.3-70B-Instruct", "tensorParallel": 6})
        assert "1, 2, 4, 8" in text


class TestRefusals:
    def test_more_gpus_than_the_pool_has(self) -> None:
        text = refusal({"model": "meta-llama/Llama-3.1-405B-Instruct", "replicas": 3})
        assert "need 24 GPUs on 3 nodes and the pool has 16 on 2" in text and "nodes: 3" in text

    def test_more_context_than_fits(self) -> None:
        text = refusal(
            {"model": "Qwen/Qwen3-32B", "tensorParallel": 1, "maxModelLen": 40960, "minConcurrency": 1},
            accelerator="l4",
            zone="us-central1-a",
        )
        assert "GiB" in text

    def test_more_addresses_than_the_block_has(self) -> None:
        values = stack({"model": "google/gemma-3-1b-it"}, nodes=400)
        values["network"] = {"addressBlock": "10.0.0.0/16"}
        with pytest.raises(ConfigurationError) as caught:
            plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")
        text = str(caught.value)
        assert "the range nodes" in text and "252 addresses" in text
        assert "the range rdma-7" in text and "the range pods" in text

    def test_a_driver_known_to_be_too_old(self) -> None:
        values = stack({"model": "google/gemma-3-1b-it"}, accelerator="l4", zone="us-central1-a")
        values["cluster"] = {"version": "1.33", "existing": {"name": "shared", "systemPool": "system"}}
        made = plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")
        assert any("the branch of" in warning.text and "not known" in warning.text for warning in made.warnings)

    def test_a_gke_too_old_for_the_machine(self) -> None:
        values = stack({"model": "google/gemma-3-1b-it"})
        values["cluster"] = {"version": "1.30"}
        with pytest.raises(ConfigurationError, match=r"1\.31\.4-gke"):
            plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")

    def test_a_pool_that_would_be_too_small_for_the_weights(self) -> None:
        text = refusal(
            {"model": "Qwen/Qwen3-32B", "tensorParallel": 8},
            accelerator="l4",
            machineType="g2-standard-96",
            zone="us-central1-a",
            bootDiskSizeGib=50,
        )
        assert "bootDiskSizeGib" in text and "GiB of disk" in text


def test_an_unknown_zone_is_a_warning_since_the_list_ages() -> None:
    made = plan({"model": "google/gemma-3-1b-it"}, zone="us-central1-c")
    assert any("not known to be offered" in warning.text for warning in made.warnings)
    assert any("network profile" in warning.text for warning in made.warnings)


def test_a_price_that_is_not_published_is_unknown_and_never_zero() -> None:
    values = stack({"model": "google/gemma-3-1b-it"}, zone="europe-west1-b")
    values["region"] = "europe-west1"
    made = plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")
    pool = next(item for item in made.cost.items if "a3-ultragpu" in item.detail)
    assert pool.usd_per_hour is None and made.cost.usd_per_hour is None
    assert made.models[0].shape.usd_per_hour is None


def test_quota_is_named_by_its_metric_and_amount() -> None:
    need = plan({"model": "google/gemma-3-1b-it"}).quotas[0]
    assert (need.limit.metric, need.amount) == ("PREEMPTIBLE_NVIDIA_H200_GPUS", 16)


def test_replicas_share_nodes_and_leave_none_over_that_could_be_filled() -> None:
    made = plan({"model": "google/gemma-3-27b-it", "replicas": 5}, {"model": "meta-llama/Llama-3.1-405B-Instruct"})
    (use,) = made.pool_use
    assert [sum(node.gpus.values()) for node in use.used] == [8, 5]
    assert [pool.idle for pool in made.cost.idle] == [3]


def test_a_model_described_by_a_config_json_is_planned(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "num_hidden_layers": 32,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    made = plan({"model": "acme/own-8b", "configFile": "config.json"}, folder=tmp_path)
    assert 14 < made.models[0].shape.memory.weights_gib < 16


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model_type": "llama"}'])
def test_a_config_json_that_is_none_is_one_clear_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"models\[0\]\.configFile"):
        plan({"model": "acme/own", "configFile": "config.json"}, folder=tmp_path)


def test_planning_is_deterministic_and_survives_json() -> None:
    models = [{"model": "google/gemma-3-27b-it", "objective": "latency"}, {"model": "Qwen/Qwen3-32B"}]
    assert plan(*models) == plan(*models)
    text = plan(*models).model_dump_json()
    assert json.loads(text)["models"][0]["shape"]["tensor_parallel"] >= 1
