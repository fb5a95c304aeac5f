"""The article's mistakes that a manifest can express: none can be written here, or it is refused with a reason.

Its four workloads are planned from the stack file of that name; each test is called after what went wrong there, and
numbered as in the list of its mistakes. No manifest can express 26 and 27, which are Terraform's, 36, 37, 49 and 50,
which are prose, or 48 and 58, which are typed into a shell.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog import VLLM_RELEASES
from components.manifests import model_server, network_policies
from components.manifests.nccl_preflight import preflight
from components.manifests.server_pod import Role
from components.manifests.smoke_test import smoke_test
from config import ConfigurationError, read_stack_file
from config.engine import EngineSettings
from config.models import ModelSettings
from planning.plan import ModelServerPlan, PlatformPlan
from planning.platform import plan_platform
from planning.report import sections, to_text
from tests.unit.serving import (
    ONE_GPU,
    TOKEN,
    TWO_NODES,
    container,
    environment,
    manifest,
    planned,
    platform,
    pod,
    templates,
)
from verification import parsers

CHECKOUT = Path(__file__).parents[2]
PLAN: PlatformPlan = plan_platform(read_stack_file(CHECKOUT, "article"), "article")
MODELS = {model.name: model for model in PLAN.models}
ONE, TWO, EIGHT, GROUP = (
    MODELS[name] for name in ("vllm-single-node", "vllm-multi-gpu-2", "vllm-multi-gpu-8", "vllm-multi-node")
)
ROLES = [(model, role) for model in (ONE, TWO, EIGHT) for role in [Role.SERVER]] + [
    (GROUP, Role.LEADER),
    (GROUP, Role.WORKER),
]
NAMES = [f"{model.name} {role}" for model, role in ROLES]
every_pod = pytest.mark.parametrize(("model", "role"), ROLES, ids=NAMES)
every_model = pytest.mark.parametrize("model", PLAN.models, ids=lambda model: model.name)


def refused(model: dict[str, Any], **pool: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        platform(model, **pool)
    return str(caught.value)


def extra(*words: str) -> dict[str, Any]:
    return {**ONE_GPU, "engine": {"extraArgs": list(words)}}


def test_the_stack_file_has_the_articles_workloads() -> None:
    shapes = {m.name: (m.model, m.shape.tensor_parallel, m.shape.pipeline_parallel) for m in PLAN.models}
    assert shapes == {
        "vllm-single-node": ("google/gemma-3-1b-it", 1, 1),
        "vllm-multi-gpu-2": ("google/gemma-3-27b-it", 2, 1),
        "vllm-multi-gpu-8": ("google/gemma-3-27b-it", 8, 1),
        "vllm-multi-node": ("google/gemma-3-27b-it", 8, 2),
    }


# 1, 4, 12: the NCCL script was printed instead of sourced, on pods without an RDMA NIC, under set -e.
@every_pod
def test_a_script_that_sets_nothing(model: ModelServerPlan, role: Role) -> None:
    words = [*container(model, role)["command"], *container(model, role)["args"]]
    assert not any("set_nccl_env.sh" in word or word in ("bash", "sh", "/bin/bash", "-c") for word in words)


# 2, 22: a misspelt LD_LIBRARY_PATH, and one that hides CUDA and puts the image's libraries before the driver's.
@every_pod
def test_a_library_path_that_hides_the_driver(model: ModelServerPlan, role: Role) -> None:
    assert "LD_LIBRARY_PATH" not in environment(model, role)
    assert "environment" not in ModelSettings.model_fields and "env" not in EngineSettings.model_fields


# 3: a file was read from a folder that nothing mounted.
@every_pod
def test_a_path_that_nothing_mounts(model: ModelServerPlan, role: Role) -> None:
    mounted = [mount["mountPath"] for mount in container(model, role)["volumeMounts"]]
    paths = [v for v in environment(model, role).values() if v and re.match(r"/(usr/local|var|home|mnt)/", v)]
    assert all(any(path == mount or path.startswith(f"{mount}/") for mount in mounted) for path in paths)


# 4, 7: gIB's variables and IPC_LOCK on pods that stay on one node.
@pytest.mark.parametrize("model", [ONE, TWO, EIGHT], ids=lambda model: model.name)
def test_rdma_settings_without_rdma(model: ModelServerPlan) -> None:
    text = json.dumps(manifest(model))
    assert "NCCL_" not in text and "gib" not in text and "IPC_LOCK" not in text and "rdma" not in text


# 5: the network plugin off and its tuner configured.
@every_pod
def test_a_tuner_configured_and_its_plugin_off(model: ModelServerPlan, role: Role) -> None:
    variables = environment(model, role)
    assert "NCCL_NET_PLUGIN" not in variables and "NCCL_TUNER_CONFIG_PATH" not in variables


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


# 12: the tag latest.
@every_pod
def test_a_tag_that_moves(model: ModelServerPlan, role: Role) -> None:
    assert ":v0." in container(model, role)["image"] and "latest" not in container(model, role)["image"]
    assert "models[0].image" in refused({**ONE_GPU, "image": "docker.io/vllm/vllm-openai:latest"})


# 13, 46: the token in an old variable, from a shell's history, readable by every child.
@every_pod
def test_a_token_in_the_environment(model: ModelServerPlan, role: Role) -> None:
    assert not {"HUGGING_FACE_HUB_TOKEN", "HF_TOKEN"} & set(environment(model, role))
    assert "HF_TOKEN_PATH" in environment(model, role)


# 14: the module that is deprecated and ignores --headless.
@every_pod
def test_the_module_instead_of_the_command(model: ModelServerPlan, role: Role) -> None:
    assert container(model, role)["command"] == ["vllm", "serve"]
    assert all(release.command == ("vllm", "serve") for release in VLLM_RELEASES.values())


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


# 17, 18: no probes, a TCP probe, and five minutes for pull and load together.
@every_pod
def test_ready_as_soon_as_the_process_is_there(model: ModelServerPlan, role: Role) -> None:
    if role is Role.WORKER:
        return
    each = container(model, role)
    assert all("httpGet" in each[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
    assert each["startupProbe"]["periodSeconds"] * each["startupProbe"]["failureThreshold"] >= model.load.total


# 19: bare pods that nothing brings back.
@every_model
def test_a_pod_that_nothing_brings_back(model: ModelServerPlan) -> None:
    assert manifest(model)["kind"] in ("Deployment", "LeaderWorkerSet")
    assert "restartPolicy" not in pod(model)


# 20: GPUs and nothing else was asked for.
@every_pod
def test_a_pod_that_asks_for_gpus_alone(model: ModelServerPlan, role: Role) -> None:
    resources = container(model, role)["resources"]
    assert {"cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"} <= set(resources["requests"])
    assert resources["requests"] == resources["limits"]


# 21: the driver's folder of the node, writable, where the device plugin mounts it already.
@every_pod
def test_the_nodes_driver_folder(model: ModelServerPlan, role: Role) -> None:
    spec = pod(model, role)
    assert not any(v.get("hostPath", {}).get("path") == "/home/kubernetes/bin/nvidia" for v in spec["volumes"])
    host = {v["name"] for v in spec["volumes"] if "hostPath" in v}
    assert all(m.get("readOnly") for m in container(model, role)["volumeMounts"] if m["name"] in host)


# 23: shared memory without a limit.
@every_pod
def test_shared_memory_without_a_limit(model: ModelServerPlan, role: Role) -> None:
    memory = [v["emptyDir"] for v in pod(model, role)["volumes"] if v.get("emptyDir", {}).get("medium") == "Memory"]
    assert memory and all(each["sizeLimit"] for each in memory)


# 24: a shell's way to write a variable, in a manifest that no shell reads.
@every_pod
def test_a_variable_that_nothing_expands(model: ModelServerPlan, role: Role) -> None:
    words = container(model, role)["args"]
    assert not any("${" in word or "\\$" in word for word in words)
    known = {"$(LWS_LEADER_ADDRESS)", "$(LWS_WORKER_INDEX)"}
    assert {word for word in words if "$" in word} <= (known if model.is_group else set())


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
    assert f"{model} is not in the catalogue" in text and "meta-llama/Llama-3.1-405B-Instruct" in text


# 33, 34: defaults written out wrongly, and features turned on that are on.
@every_model
def test_defaults_that_are_worse_than_vllms_own(model: ModelServerPlan) -> None:
    assert not {
        "--gpu-memory-utilization",
        "--max-num-seqs",
        "--max-num-batched-tokens",
        "--enable-chunked-prefill",
    } & set(model.arguments)


# 35: less memory for vLLM as a remedy against having too little.
def test_less_memory_against_too_little() -> None:
    big = {"model": "Qwen/Qwen3-32B", "tensorParallel": 1, "gpuMemoryUtilization": 0.45}
    assert "GiB" in refused(big)
    assert planned({**big, "gpuMemoryUtilization": 0.85}).shape.memory.fits


# 38, 54: a cache on the boot disk of the node, called local SSD.
@every_pod
def test_a_cache_on_the_boot_disk(model: ModelServerPlan, role: Role) -> None:
    volumes = {v["name"]: v for v in pod(model, role)["volumes"]}
    mounts = {m["mountPath"]: m["name"] for m in container(model, role)["volumeMounts"]}
    assert "emptyDir" in volumes[mounts[str(environment(model, role)["HF_HOME"])]]
    assert all(pool.local_ssds for pool in PLAN.node_pools)


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


# 44: debug logs with prompts in them.
@every_pod
def test_a_log_that_holds_prompts(model: ModelServerPlan, role: Role) -> None:
    assert "VLLM_LOGGING_LEVEL" not in environment(model, role)
    assert environment(model, role).get("NCCL_DEBUG") in (None, "INFO")
    assert "--enable-log-requests" not in container(model, role)["args"]


# 45: SIGTERM that a shell swallows.
@every_pod
def test_a_server_that_is_killed_in_the_middle_of_a_request(model: ModelServerPlan, role: Role) -> None:
    assert "--shutdown-timeout" in container(model, role)["args"]
    # Google gives a pod on a spot machine 15 seconds, and takes the rest of any longer grace period.
    grace = pod(model, role)["terminationGracePeriodSeconds"]
    assert model.lifecycle.pre_stop + model.lifecycle.drain < grace == 15


# 46: open to everyone.
@every_model
def test_a_server_that_everybody_reaches(model: ModelServerPlan) -> None:
    policy = network_policies.server(model, PLAN.access)
    assert policy["spec"]["ingress"] and all(rule["from"] for rule in policy["spec"]["ingress"])
    denied = network_policies.deny_all(model.namespace)
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
    assert model.load.total > 60 and f" {model.load.total:.0f} s " in line
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
