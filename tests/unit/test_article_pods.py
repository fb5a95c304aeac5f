"""The article's mistakes inside a server's pod: its command, environment, volumes, probes and limits have none of them.

Each test is numbered as in the list of the article's mistakes; the others are in test_article_mistakes.py.
"""

import json
import re

import pytest

from catalog import VLLM_RELEASES
from components.manifests.server_pod import Role
from config.engine import EngineSettings
from config.models import ModelSettings
from planning.plan import ModelServerPlan
from tests.unit.article import EIGHT, ONE, PLAN, TWO, every_pod, refused
from tests.unit.serving import (
    ONE_GPU,
    container,
    environment,
    manifest,
    pod,
)


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


# 17, 18: no probes, a TCP probe, and five minutes for pull and load together.
@every_pod
def test_ready_as_soon_as_the_process_is_there(model: ModelServerPlan, role: Role) -> None:
    if role is Role.WORKER:
        return
    each = container(model, role)
    assert all("httpGet" in each[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
    assert each["startupProbe"]["periodSeconds"] * each["startupProbe"]["failureThreshold"] >= model.load.total


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
    cache = model.weights.node_cache
    shared = {v["name"] for v in spec["volumes"] if cache and v.get("hostPath", {}).get("path") == cache.host_path}
    assert all(m.get("readOnly") for m in container(model, role)["volumeMounts"] if m["name"] in host - shared)


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


# 38, 54: a cache on the boot disk of the node, called local SSD.
@every_pod
def test_a_cache_on_the_boot_disk(model: ModelServerPlan, role: Role) -> None:
    volumes = {v["name"]: v for v in pod(model, role)["volumes"]}
    mounts = {m["mountPath"]: m["name"] for m in container(model, role)["volumeMounts"]}
    assert "emptyDir" in volumes[mounts[str(environment(model, role)["HF_HOME"])]]
    assert all(pool.local_ssds for pool in PLAN.node_pools)


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
