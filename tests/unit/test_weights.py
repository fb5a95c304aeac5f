"""Where a model's weights come from: what the plan chooses, what it refuses, and what a pod is given for it."""

import json
from typing import Any

import pytest

from catalog.cold_start import WeightSource, cold_start
from catalog.workloads import workloads
from components.manifests import host_access
from components.manifests.node_cache import node_cache
from components.manifests.server_pod import Role
from config import ConfigurationError
from planning.plan import ModelServerPlan, PlatformPlan
from planning.report import sections, to_text
from tests.unit.serving import (
    EIGHT_GPUS,
    GEMMA_1B,
    GEMMA_27B,
    H100_MEGA,
    H200,
    L4,
    TWO_NODES,
    container,
    environment,
    planned,
    platform,
    pod,
)

LLAMA_8B = {"model": "meta-llama/Llama-3.1-8B-Instruct", "minContext": 4096}
KEPT = {**GEMMA_27B, "tensorParallel": 1}
NODE_CACHE = {"weights": {"kind": "nodeCache"}}
HUB = {"weights": {"kind": "hub"}}
ROOT = "/mnt/stateful_partition/kube-ephemeral-ssd/inference-platform"


def refusal(*models: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        platform(*models, **changes)
    return str(caught.value)


class TestChoice:
    def test_a_large_checkpoint_is_kept_on_nodes_with_local_ssds_and_the_plan_says_why(self) -> None:
        plan = planned(KEPT)
        assert plan.weights.source is WeightSource.NODE_CACHE
        assert "would download 51 GiB in 523 s at every start" in plan.weights.why

    @pytest.mark.parametrize(
        ("model", "pool", "why"),
        [
            (GEMMA_1B, H200, "2 GiB are downloaded in"),
            (
                {"model": "meta-llama/Llama-3.1-8B-Instruct", "minContext": 4096},
                L4,
                "g2-standard-12 has no local SSD by itself",
            ),
            ({**KEPT, "engine": {"loadFormat": "runai_streamer"}}, H200, "engine.loadFormat lets vLLM read"),
            ({**KEPT, "engine": {"extraArgs": ["--tokenizer", "acme/t"]}}, H200, "--tokenizer lets vLLM read"),
        ],
        ids=["small", "no local SSD", "another format", "another tokenizer"],
    )
    def test_what_need_not_or_cannot_be_kept_comes_from_the_hub(
        self, model: dict[str, Any], pool: dict[str, Any], why: str
    ) -> None:
        plan = planned(model, pool=pool)
        assert plan.weights.source is WeightSource.HUB and why in plan.weights.why
        assert plan.weights.node_cache is None

    def test_the_stack_file_decides_where_it_says_so(self) -> None:
        assert planned({**GEMMA_1B, **NODE_CACHE}).weights.source is WeightSource.NODE_CACHE
        assert planned({**KEPT, **HUB}).weights.source is WeightSource.HUB

    def test_every_place_is_told_with_seconds_and_dollars(self) -> None:
        plan = planned(KEPT)
        hub, bucket, kept = plan.weights.options
        assert (hub.source, bucket.source, kept.source) == tuple(WeightSource)
        assert bucket.refused == "the stack has no weightsBucket" and bucket.usd_month == pytest.approx(1.02, rel=0.01)
        assert hub.first == hub.again == kept.first == plan.load
        assert kept.again.fetch == 0 and kept.again.total < hub.again.total - 500
        assert plan.shape.usd_per_hour and hub.first_usd and kept.again_usd
        gpus = plan.shape.usd_per_hour * hub.first.total / 3600
        assert hub.first_usd == pytest.approx(gpus + 51.1 * cold_start().nat_gib.usd, rel=0.01)
        assert kept.again_usd == pytest.approx(plan.shape.usd_per_hour * kept.again.total / 3600)
        text = to_text(sections(platform(KEPT), "test"))
        assert "Cold start" in text and f"{kept.again_usd:.2f}" in text


class TestRefusals:
    @pytest.mark.parametrize(
        ("weights", "said"),
        [
            ({"kind": "disk"}, "models[0].weights.kind: is missing or unknown. Write one of"),
            ({}, "models[0].weights.kind: is missing or unknown. Write one of 'hub', 'bucket', 'nodeCache'"),
            ({"kind": "bucket"}, "models[0].weights.kind: bucket is not possible: the stack has no bucket. Write wei"),
            ({"kind": "hub", "sizeGib": 5}, "models[0].weights.sizeGib: is no key of a stack file"),
            ({"kind": "nodeCache", "sizeGib": 0}, "models[0].weights.sizeGib: input should be greater"),
            ({"kind": "nodeCache", "sizeGib": 20}, "models[0].weights.sizeGib: 20 GiB do not hold the checkpoint"),
            ({"kind": "nodeCache", "path": "/"}, "models[0].weights.path: is no key of a stack file"),
            ("nodeCache", "models[0].weights"),
        ],
    )
    def test_a_wrong_key_is_one_error_with_its_path(self, weights: Any, said: str) -> None:
        text = refusal({**KEPT, "weights": weights})
        assert said in text and len(text.splitlines()) == 2

    def test_a_machine_without_local_ssds_cannot_keep_them(self) -> None:
        text = refusal({**LLAMA_8B, **NODE_CACHE}, pool=L4)
        assert "models[0].weights.kind: nodeCache is not possible: g2-standard-12 has no local SSD" in text

    def test_nodes_that_hold_each_model_and_not_all_of_them_are_refused(self) -> None:
        large = {**GEMMA_27B, "tensorParallel": 8, "weights": {"kind": "nodeCache", "sizeGib": 6000}}
        other = {**large, "model": "Qwen/Qwen3-32B"}
        assert platform(large).node_caches
        text = refusal(large, other)
        assert "models[1].weights: the nodes of pool gpu keep 12012 GiB" in text and "Write kind: hub" in text


def command_line(plan: ModelServerPlan) -> str:
    return " ".join(plan.arguments)


class TestPods:
    @pytest.mark.parametrize("role", [Role.LEADER, Role.WORKER])
    def test_each_pod_fetches_first_and_then_asks_the_hub_for_nothing(self, role: Role) -> None:
        plan = planned(TWO_NODES)
        (fetch,) = pod(plan, role)["initContainers"]
        assert fetch["image"] == container(plan, role)["image"]
        assert fetch["args"][1] == "google/gemma-3-27b-it"
        variables = environment(plan, role)
        assert variables["HF_HUB_OFFLINE"] == "1" and variables["HF_HUB_CACHE"] == f"{fetch['args'][0]}/hub"
        assert fetch["securityContext"] == container(plan, role)["securityContext"]

    def test_a_server_of_the_hub_has_nothing_of_it(self) -> None:
        plan = planned({**KEPT, **HUB})
        text = json.dumps(pod(plan))
        assert "hostPath" not in text and "HF_HUB_OFFLINE" not in text and "initContainers" not in text
        assert "--served-model-name" not in plan.arguments

    def test_clients_still_ask_for_the_model_by_its_id(self) -> None:
        plan = planned(KEPT)
        assert f"--served-model-name {plan.served_name}" in command_line(plan)

    def test_adapters_drafts_and_a_revision_are_fetched_too(self) -> None:
        engine = {
            "revision": "v2",
            "lora": {"adapters": [{"name": "sql", "path": "acme/sql"}]},
            "speculative": {"method": "eagle3", "tokens": 2, "model": "acme/draft", "modelGib": 1.0},
        }
        plan = planned({**KEPT, "engine": engine, **NODE_CACHE})
        assert plan.weights.node_cache
        assert plan.weights.node_cache.repositories == ("google/gemma-3-27b-it@v2", "acme/draft", "acme/sql")

    def test_servers_of_one_model_share_a_copy_and_servers_of_another_do_not(self) -> None:
        one, same, other = platform(KEPT, KEPT, {**NODE_CACHE, **GEMMA_1B, "tensorParallel": 1}).models
        assert one.weights.node_cache and same.weights.node_cache and other.weights.node_cache
        assert one.weights.node_cache.host_path == same.weights.node_cache.host_path
        assert one.weights.node_cache.host_path == f"{ROOT}/google--gemma-3-27b-it"
        assert other.weights.node_cache.host_path == f"{ROOT}/google--gemma-3-1b-it"

    def test_a_pod_asks_for_no_storage_of_its_own_for_what_the_node_keeps(self) -> None:
        kept, hub = planned(KEPT).resources, planned({**KEPT, **HUB}).resources
        assert hub.ephemeral_storage_gib - kept.ephemeral_storage_gib == kept.weights_gib == hub.weights_gib


class TestKernels:
    def key(self, **changes: Any) -> str:
        pool = changes.pop("pool", H200)
        plan = planned({**KEPT, **NODE_CACHE, **changes}, pool=pool)
        assert plan.weights.node_cache
        assert environment(plan)["VLLM_CACHE_ROOT"] == f"/var/cache/node/kernels/{plan.weights.node_cache.kernels}/vllm"
        return plan.weights.node_cache.kernels

    def test_another_accelerator_image_argument_or_release_has_another_folder(self) -> None:
        digest = f"example.org/vllm:0.33.0@sha256:{'0' * 64}"
        keys = [
            self.key(),
            self.key(pool=H100_MEGA, tensorParallel=2),
            self.key(tensorParallel=2),
            self.key(image=digest),
            self.key(vllmVersion="0.24.0"),
            self.key(maxNumSeqs=64),
            self.key(engine={"attentionBackend": "FLASHINFER"}),
        ]
        assert len(set(keys)) == len(keys)

    def test_the_same_server_finds_its_own_again(self) -> None:
        assert self.key() == self.key(replicas=2) == self.key(name="called-otherwise")


def expressions(plan: PlatformPlan, namespace: str) -> dict[str, str]:
    (home,) = (each for each in plan.namespaces if each.name == namespace)
    assert home.host_access
    rules = host_access.admission_policy(home, home.host_access)["spec"]["validations"]
    return {rule["message"]: rule["expression"] for rule in rules}


class TestNode:
    def test_the_daemon_keeps_the_folders_that_servers_mount(self) -> None:
        plan = platform(EIGHT_GPUS, TWO_NODES)
        (cache,) = plan.node_caches
        mounted = {model.weights.node_cache.host_path for model in plan.models if model.weights.node_cache}
        assert mounted == {f"{cache.root}/{folder}" for folder in cache.folders}
        assert cache.image in {model.image for model in plan.models}
        made = node_cache(cache)["spec"]["template"]["spec"]
        (daemon,) = made["containers"]
        assert daemon["args"] == [ROOT, *cache.folders, "--user=10001", "--bound=60", "--kernels=6"]
        assert daemon["resources"]["requests"]["ephemeral-storage"] == f"{cache.bound_gib}Gi"
        assert daemon["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert str(workloads().server.user) == daemon["args"][2].partition("=")[2]

    def test_there_is_none_where_nothing_is_kept(self) -> None:
        assert platform({**KEPT, **HUB}).node_caches == ()
        assert platform(GEMMA_1B, pool=L4).node_caches == ()

    def test_each_namespace_admits_its_own_folders_to_be_written_and_no_other(self) -> None:
        plan = platform(EIGHT_GPUS, {**TWO_NODES, "model": "Qwen/Qwen3-32B"})
        for namespace, own, other in (
            ("serving", "google--gemma-3-27b-it", "Qwen--Qwen3-32B"),
            ("serving-rdma", "Qwen--Qwen3-32B", "google--gemma-3-27b-it"),
        ):
            rules = expressions(plan, namespace)
            text = json.dumps(rules)
            assert f"{ROOT}/{own}" in text and f"{ROOT}/{other}" not in text
            (writable,) = [rule for message, rule in rules.items() if message.startswith("folders of the node are")]
            assert f'["{ROOT}/{own}"]' in writable

    def test_a_namespace_without_such_servers_stays_restricted(self) -> None:
        (serving,) = platform({**KEPT, **HUB}).namespaces
        assert serving.pod_security == "restricted" and serving.host_access is None
