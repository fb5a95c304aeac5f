"""The article's mistakes that a manifest can express: none can be written here, or it is refused with a reason.

Its four workloads are planned from the stack file of that name; each test is called after what went wrong there, and
numbered as in the list of its mistakes; those inside a server's pod are in test_article_pods.py. No manifest can
express 26 and 27 (Terraform's), 36, 37, 49 and 50 (prose), or 48 and 58 (typed into a shell).
"""

import json
from typing import Any

import pytest
import yaml

from catalog import VLLM_RELEASES
from components.manifests import model_server, network_policies
from components.manifests.nccl_preflight import preflight
from components.manifests.server_pod import Role
from components.manifests.smoke_test import smoke_test
from planning.plan import ModelServerPlan, NamespacePlan
from planning.report import sections, to_text
from tests.unit.article import EIGHT, GROUP, ONE, PLAN, TWO, every_model, extra, refused
from tests.unit.serving import (
    ONE_GPU,
    TOKEN,
    TWO_NODES,
    container,
    environment,
    manifest,
    planned,
    pod,
    templates,
)
from verification import parsers


def test_the_stack_file_has_the_articles_workloads() -> None:
    shapes = {m.name: (m.model, m.shape.tensor_parallel, m.shape.pipeline_parallel) for m in PLAN.models}
    assert shapes == {
        "vllm-single-node": ("google/gemma-3-1b-it", 1, 1),
        "vllm-multi-gpu-2": ("google/gemma-3-27b-it", 2, 1),
        "vllm-multi-gpu-8": ("google/gemma-3-27b-it", 8, 1),
        "vllm-multi-node": ("google/gemma-3-27b-it", 8, 2),
    }


# 6: `ports` twice in one container.
@every_model
def test_a_key_twice(model: ModelServerPlan) -> None:
    class Strict(yaml.SafeLoader):
        pass

    def no_duplicates(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys))
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, no_duplicates)
    assert yaml.load(yaml.safe_dump(manifest(model)), Loader=Strict) == manifest(model)


# 8: the Service selected a group that did not exist.
def test_a_service_that_finds_no_pod() -> None:
    selector = model_server.service(GROUP)["spec"]["selector"]
    assert selector["leaderworkerset.sigs.k8s.io/name"] == manifest(GROUP)["metadata"]["name"]
    for model in (ONE, TWO, EIGHT):
        labels = templates(model)[Role.SERVER]["metadata"]["labels"]
        assert model_server.service(model)["spec"]["selector"].items() <= labels.items()


# 9, 10: text that said TP 16 and a GDR level, and a manifest that had neither.
def test_text_and_manifest_that_differ() -> None:
    text = to_text(sections(PLAN, "article"))
    assert "TP 8 x PP 2" in text and "TP 16" not in text
    arguments = GROUP.arguments
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "8"
    assert arguments[arguments.index("--pipeline-parallel-size") + 1] == "2"


# 11: the request asked for a model that nobody served.
@every_model
def test_a_request_for_a_model_that_is_not_served(model: ModelServerPlan) -> None:
    job = smoke_test(model, "revision", TOKEN)
    (asked,) = [
        variable["value"]
        for variable in job["spec"]["template"]["spec"]["containers"][0]["env"]
        if variable["name"] == "MODEL"
    ]
    assert asked == model.served_name == model.arguments[0]


# 15: Ray, which the image has not.
def test_ray_without_an_image_that_has_it() -> None:
    assert not VLLM_RELEASES["0.33.0"].ray
    assert "ray" not in GROUP.arguments
    assert "vLLM's own images have no Ray" in refused({**TWO_NODES, "distributedExecutor": "ray"})
    assert "write distributedExecutor" in refused(extra("--distributed-executor-backend", "ray"))


# 16: an underscore in a flag.
@every_model
def test_a_flag_that_is_spelt_with_underscores(model: ModelServerPlan) -> None:
    flags = [word for word in (*model.arguments, *model.worker_arguments) if word.startswith("--")]
    assert not any("_" in flag for flag in flags)


# 19: bare pods that nothing brings back.
@every_model
def test_a_pod_that_nothing_brings_back(model: ModelServerPlan) -> None:
    assert manifest(model)["kind"] in ("Deployment", "LeaderWorkerSet")
    assert "restartPolicy" not in pod(model)


# 25: a node selector with a variable that was never set.
@every_model
def test_a_selector_that_no_node_has(model: ModelServerPlan) -> None:
    selector = pod(model)["nodeSelector"]
    assert selector["cloud.google.com/gke-nodepool"] in {pool.name for pool in PLAN.node_pools}
    assert "$" not in json.dumps(selector)


# 28: an old LeaderWorkerSet, whose upgrade deletes every group.
def test_a_controller_whose_upgrade_deletes_every_group() -> None:
    assert tuple(map(int, PLAN.leader_worker_set.version.split("."))) >= (0, 8, 0)


# 29, 31, 32: more GPUs than the model needs, called the way to more throughput.
@pytest.mark.parametrize("index", [1, 2, 3])
def test_more_gpus_than_the_model_needs(index: int) -> None:
    (warning,) = [w for w in PLAN.warnings if w.path.endswith(f"models[{index}]") and "wasteful" in w.text]
    assert "1 GPU (" in warning.text and warning.text.count("USD/h") == 2


# 30: models that the hub has not.
@pytest.mark.parametrize("model", ["meta-llama/Llama-3-405b", "meta-llama/Llama-3-70B", "meta-llama/Llama-3-8B"])
def test_a_model_that_does_not_exist(model: str) -> None:
    text = refused({"model": model})
    assert f"'{model}' is not in the catalogue" in text and "Did you mean " in text and "Llama-3.1-" in text


# 33, 34: defaults written out wrongly, and features turned on that are on.
@every_model
def test_defaults_that_are_worse_than_vllms_own(model: ModelServerPlan) -> None:
    words, defaults = model.arguments, VLLM_RELEASES[model.shape.vllm].defaults
    assert words[words.index("--gpu-memory-utilization") + 1] == str(defaults.gpu_memory_utilization)
    assert words[words.index("--max-num-seqs") + 1] == str(defaults.max_num_seqs)
    assert words[words.index("--max-num-batched-tokens") + 1] == str(defaults.max_num_batched_tokens)
    assert "--enable-chunked-prefill" not in words


# 35: less memory for vLLM as a remedy against having too little.
def test_less_memory_against_too_little() -> None:
    big = {"model": "Qwen/Qwen3-32B", "tensorParallel": 1, "gpuMemoryUtilization": 0.45}
    assert "GiB" in refused(big)
    assert planned({**big, "gpuMemoryUtilization": 0.85}).shape.memory.fits


# 39, 40, 53: groups that are thought to start together, update without an outage and stand close by themselves.
def test_what_a_group_does_not_do_by_itself() -> None:
    assert any("is an outage" in w.text and w.path.endswith("models[3]") for w in PLAN.warnings)
    assert "gce-topology-block" in json.dumps(pod(GROUP)["affinity"])
    assert manifest(GROUP)["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"]["maxUnavailable"] == 1


# 41: a pod's name alone, called DNS naming; no name server knows it.
@pytest.mark.parametrize("role", [Role.LEADER, Role.WORKER])
def test_a_leader_that_is_looked_for_by_its_pods_name(role: Role) -> None:
    words = container(GROUP, role)["args"]
    assert words[words.index("--master-addr") + 1] == "$(LWS_LEADER_ADDRESS)"
    assert not any(GROUP.group_name in word for word in words)
    # The controller makes the headless Service by which that address resolves.
    assert manifest(GROUP)["spec"]["networkConfig"] == {"subdomainPolicy": "Shared"}


# 42: tools for the fabric that vLLM's image has not.
def test_a_tool_that_the_image_has_not() -> None:
    (plan,) = PLAN.preflights
    job = json.dumps(preflight(plan, "0a1b2c3d"))
    assert plan.image.split(":")[0] not in {model.image.split(":")[0] for model in PLAN.models}
    assert "all_gather_perf" in job and "ib_write_bw" not in job and "ibv_devices" not in job


# 43: a log line that nothing prints, taken for the proof that the fabric is used.
def test_a_proof_that_never_comes() -> None:
    assert environment(GROUP)["NCCL_NET"] == "gIB" and environment(GROUP)["NCCL_DEBUG"] == "INFO"
    assert parsers.nccl_log("vllm-0:1:9 [0] NCCL INFO Using network gIB").networks == {"gIB"}


# 46: open to everyone.
@pytest.mark.parametrize("namespace", PLAN.namespaces, ids=lambda namespace: namespace.name)
def test_a_server_that_everybody_reaches(namespace: NamespacePlan) -> None:
    policy = network_policies.servers(namespace, PLAN.access)
    assert policy["spec"]["ingress"] and all(rule["from"] for rule in policy["spec"]["ingress"])
    denied = network_policies.deny_all(namespace.name)
    assert denied["spec"]["podSelector"] == {} and denied["spec"]["ingress"] == []


# 47: workloads that need five nodes of a pool of two.
def test_more_workloads_than_the_pool_has_nodes() -> None:
    text = refused(TWO_NODES, nodes=1)
    assert "GPUs" in text or "nodes" in text
    assert "the pool has" in refused({**TWO_NODES, "replicas": 2}, nodes=3)


# 51: ten addresses, and no word which of them the others can reach.
@pytest.mark.parametrize("role", [Role.LEADER, Role.WORKER])
def test_ranks_that_wait_at_the_wrong_interface(role: Role) -> None:
    variables = environment(GROUP, role)
    assert variables["NCCL_SOCKET_IFNAME"] == variables["GLOO_SOCKET_IFNAME"] == "eth0"
    (address,) = [v for v in container(GROUP, role)["env"] if v["name"] == "VLLM_HOST_IP"]
    assert address["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


# 52: pods that stay Pending for a resource that no node has.
def test_a_resource_that_no_node_advertises() -> None:
    limits = container(GROUP)["resources"]["limits"]
    assert limits["networking.gke.io.networks/rdma-0"] == "0"


# 53: no disruption budget, or one that counts pods and not groups.
def test_a_budget_that_counts_pods_and_not_groups() -> None:
    budget = model_server.disruption_budget(planned({**TWO_NODES, "replicas": 2}))
    assert budget is not None and budget["spec"]["minAvailable"] == 3
    assert model_server.disruption_budget(GROUP) is None


# 54: seconds of setup, for what loads for minutes.
@every_model
def test_a_start_that_is_called_a_matter_of_seconds(model: ModelServerPlan) -> None:
    (line,) = [
        each
        for each in to_text(sections(PLAN, "article")).splitlines()
        if each.startswith(f"{model.name} ") and "USD" not in each and "TP" in each
    ]
    assert model.load.total > 60 and f" {model.load.total:.0f} s" in line
    assert model.lifecycle.progress_deadline > model.load.total


# 57: machines by names that Google has not.
@pytest.mark.parametrize("accelerator", ["a3-standard", "h100-standard"])
def test_a_machine_that_does_not_exist(accelerator: str) -> None:
    text = refused(ONE_GPU, accelerator=accelerator)
    assert "nodePools[0].accelerator" in text and "h100-mega" in text


# 55: pipeline stages for models of a trillion weights only.
def test_pipeline_stages_are_the_nodes() -> None:
    plan = planned({"model": "deepseek-ai/DeepSeek-V3.2"}, nodes=2)
    assert plan.shape.pipeline_parallel == plan.shape.nodes
