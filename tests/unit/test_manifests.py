"""What every pod of a model server is, whatever the pattern and the accelerator."""

import json

import pytest

from components.manifests import model_server
from components.manifests.programs import source
from components.manifests.server_pod import Role
from components.manifests.smoke_test import smoke_test
from planning.plan import ModelServerPlan
from tests.unit.serving import (
    EIGHT_GPUS,
    GEMMA_1B,
    H100_MEGA,
    H200,
    L4,
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

SERVERS = {
    "one GPU": planned(ONE_GPU),
    "one L4": planned(GEMMA_1B, pool=L4),
    "eight GPUs": planned(EIGHT_GPUS),
    "two nodes of H200": planned(TWO_NODES),
    "two nodes of H100 mega": planned(TWO_NODES, pool=H100_MEGA),
}
PODS = {
    f"{name}, {role}": (plan, role)
    for name, plan in SERVERS.items()
    for role in ((Role.LEADER, Role.WORKER) if plan.is_group else (Role.SERVER,))
}
ON_FABRIC = {name: each for name, each in PODS.items() if each[0].transport}
ANSWERING = {name: each for name, each in PODS.items() if each[1] is not Role.WORKER}
every_pod = pytest.mark.parametrize(("plan", "role"), PODS.values(), ids=PODS)
every_pod_on_a_fabric = pytest.mark.parametrize(("plan", "role"), ON_FABRIC.values(), ids=ON_FABRIC)
every_answering_pod = pytest.mark.parametrize(("plan", "role"), ANSWERING.values(), ids=ANSWERING)


def gib(quantity: str) -> int:
    assert quantity.endswith("Gi")
    return int(quantity.removesuffix("Gi"))


@every_pod
def test_no_shell_stands_between_the_kubelet_and_vllm(plan: ModelServerPlan, role: Role) -> None:
    assert container(plan, role)["command"] == ["vllm", "serve"]
    assert all(isinstance(word, str) for word in container(plan, role)["args"])


@every_pod
def test_pods_are_guaranteed(plan: ModelServerPlan, role: Role) -> None:
    spec = pod(plan, role)
    for each in [*spec["containers"], *spec.get("initContainers", [])]:
        assert each["resources"]["requests"] == each["resources"]["limits"]
        assert {"cpu", "memory", "ephemeral-storage"} <= set(each["resources"]["limits"])


@every_pod
def test_shared_memory_is_sized_and_counts_against_the_memory(plan: ModelServerPlan, role: Role) -> None:
    (shared,) = [v for v in pod(plan, role)["volumes"] if v.get("emptyDir", {}).get("medium") == "Memory"]
    mounts = {m["name"]: m["mountPath"] for m in container(plan, role)["volumeMounts"]}
    assert mounts[shared["name"]] == "/dev/shm"
    limit = gib(container(plan, role)["resources"]["limits"]["memory"])
    assert 2 * plan.resources.gpus <= gib(shared["emptyDir"]["sizeLimit"]) < limit


@every_pod
def test_the_root_is_read_only_and_whatever_is_written_has_a_volume(plan: ModelServerPlan, role: Role) -> None:
    each = container(plan, role)
    assert each["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {m["mountPath"]: m for m in each["volumeMounts"]}
    volumes = {v["name"]: v for v in pod(plan, role)["volumes"]}
    assert "/tmp" in mounts
    for name in (
        "HOME",
        "HF_HOME",
        "VLLM_CACHE_ROOT",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "FLASHINFER_WORKSPACE_BASE",
        "CUDA_CACHE_PATH",
        "XDG_CACHE_HOME",
    ):
        path = str(environment(plan, role)[name])
        (mount,) = [m for p, m in mounts.items() if path == p or path.startswith(f"{p}/")]
        shared = plan.weights.node_cache is not None and name not in ("HOME", "HF_HOME", "XDG_CACHE_HOME")
        assert ("hostPath" if shared else "emptyDir") in volumes[mount["name"]], name
        assert not mount.get("readOnly"), name


@every_pod
def test_volumes_together_stay_below_the_storage_that_is_asked_for(plan: ModelServerPlan, role: Role) -> None:
    own = {"weights", "kernels", "temporary"}
    volumes = [v["emptyDir"] for v in pod(plan, role)["volumes"] if v["name"] in own and "emptyDir" in v]
    sizes = [gib(volume["sizeLimit"]) for volume in volumes]
    assert len(sizes) == (2 if plan.weights.node_cache else 3)
    assert sum(sizes) < gib(container(plan, role)["resources"]["limits"]["ephemeral-storage"])


@every_pod
def test_the_server_runs_as_nobody_with_nothing(plan: ModelServerPlan, role: Role) -> None:
    identity, own = pod(plan, role)["securityContext"], container(plan, role)["securityContext"]
    assert identity["runAsNonRoot"] and identity["runAsUser"] >= 10000 and identity["runAsGroup"] >= 10000
    assert identity["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["capabilities"] == {"drop": ["ALL"]} and own["allowPrivilegeEscalation"] is False


@every_pod
def test_the_token_is_a_file_and_no_other_credential_is_in_the_pod(plan: ModelServerPlan, role: Role) -> None:
    spec = pod(plan, role)
    assert spec["automountServiceAccountToken"] is False
    assert "secretKeyRef" not in json.dumps(spec)
    path = str(environment(plan, role)["HF_TOKEN_PATH"])
    (mount,) = [m for m in container(plan, role)["volumeMounts"] if path.startswith(f"{m['mountPath']}/")]
    assert mount["readOnly"] is True


@every_pod
def test_services_put_no_variables_into_pods(plan: ModelServerPlan, role: Role) -> None:
    assert pod(plan, role)["enableServiceLinks"] is False


@every_pod
def test_a_variable_is_set_once(plan: ModelServerPlan, role: Role) -> None:
    names = [variable["name"] for variable in container(plan, role)["env"]]
    assert len(names) == len(set(names))


@every_answering_pod
def test_probes_follow_the_plan_and_readiness_is_not_liveness(plan: ModelServerPlan, role: Role) -> None:
    each = container(plan, role)
    startup, readiness, liveness = (each[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
    assert startup["periodSeconds"] * startup["failureThreshold"] >= plan.load.total
    assert readiness["httpGet"]["path"] == "/v1/models" and liveness["httpGet"]["path"] == "/health"
    assert liveness["timeoutSeconds"] >= 10 and liveness["failureThreshold"] >= 3


@every_pod
def test_a_pod_leaves_before_it_is_killed(plan: ModelServerPlan, role: Role) -> None:
    sleep = container(plan, role)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = 0 if role is Role.WORKER else plan.lifecycle.drain
    assert sleep + drain < pod(plan, role)["terminationGracePeriodSeconds"]


def test_workers_stay_until_their_leader_has_drained() -> None:
    plan = SERVERS["two nodes of H200"]
    assert "--shutdown-timeout" in container(plan, Role.LEADER)["args"]
    leaves = {role: container(plan, role)["lifecycle"]["preStop"]["sleep"]["seconds"] for role in PODS_OF_A_GROUP}
    assert leaves[Role.WORKER] >= leaves[Role.LEADER] + plan.lifecycle.drain


PODS_OF_A_GROUP = (Role.LEADER, Role.WORKER)


def test_a_headless_worker_has_no_probe_and_no_port() -> None:
    worker = container(SERVERS["two nodes of H200"], Role.WORKER)
    assert not {"startupProbe", "readinessProbe", "livenessProbe", "ports"} & set(worker)


@every_pod_on_a_fabric
def test_a_pod_on_the_fabric_has_all_of_its_interfaces(plan: ModelServerPlan, role: Role) -> None:
    annotations = templates(plan)[role]["metadata"]["annotations"]
    interfaces = json.loads(annotations["networking.gke.io/interfaces"])
    assert annotations["networking.gke.io/default-interface"] == "eth0"
    assert interfaces[0] == {"interfaceName": "eth0", "network": "default"}
    assert [each["interfaceName"] for each in interfaces] == [f"eth{index}" for index in range(len(interfaces))]
    assert len(interfaces) == {"nvidia-h200-141gb": 10, "nvidia-h100-mega-80gb": 9}[plan.gpu_type]


@every_pod_on_a_fabric
def test_a_pod_on_the_fabric_takes_its_whole_node(plan: ModelServerPlan, role: Role) -> None:
    assert container(plan, role)["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_resources_that_newer_nodes_do_not_advertise_are_asked_for_none_of() -> None:
    limits = container(SERVERS["two nodes of H200"])["resources"]["limits"]
    assert [limits[f"networking.gke.io.networks/rdma-{index}"] for index in range(8)] == ["0"] * 8
    assert "networking.gke.io.networks/gvnic-1" not in limits


@every_pod_on_a_fabric
def test_folders_of_the_node_are_the_transports_own_and_read_only(plan: ModelServerPlan, role: Role) -> None:
    spec = pod(plan, role)
    of_the_node = {v["name"]: v["hostPath"]["path"] for v in spec["volumes"] if "hostPath" in v}
    assert plan.transport
    sidecar = plan.transport.sidecar
    known = {m.host_path for m in (*plan.transport.mounts, *(sidecar.mounts if sidecar else ()))}
    cache = plan.weights.node_cache
    assert cache and set(of_the_node.values()) == known - {None} | {cache.host_path}
    mounts = [m for m in container(plan, role)["volumeMounts"] if m["name"] in of_the_node]
    writable = [of_the_node[mount["name"]] for mount in mounts if mount.get("readOnly") is not True]
    assert writable == [cache.host_path]


def test_rdma_devices_go_to_the_server_because_it_is_the_first_container() -> None:
    for plan in (SERVERS["two nodes of H200"], SERVERS["two nodes of H100 mega"]):
        assert [each["name"] for each in pod(plan)["containers"]] == ["vllm"]


def test_the_daemon_of_tcpxo_starts_before_the_server_and_ends_after_it() -> None:
    fetch, sidecar = pod(SERVERS["two nodes of H100 mega"])["initContainers"]
    assert "restartPolicy" not in fetch and fetch["name"] == "weights"
    assert sidecar["restartPolicy"] == "Always" and sidecar["name"] == "tcpxo-daemon"
    assert sidecar["securityContext"]["capabilities"] == {"add": ["NET_ADMIN", "NET_BIND_SERVICE"]}
    assert sidecar["securityContext"]["privileged"] is False


@pytest.mark.parametrize("name", ["one GPU", "one L4", "eight GPUs"])
def test_a_server_on_one_node_needs_nothing_of_the_fabric(name: str) -> None:
    plan = SERVERS[name]
    text = json.dumps(templates(plan)[Role.SERVER])
    assert "NCCL" not in text and "networking.gke.io" not in text
    cache = plan.weights.node_cache
    assert text.count("hostPath") == (1 if cache else 0)


class TestGroup:
    plan = SERVERS["two nodes of H200"]
    spec = manifest(plan)["spec"]

    def test_a_group_starts_anew_as_a_whole_but_not_while_a_pod_pulls_its_image(self) -> None:
        assert self.spec["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupAfterStart"

    def test_a_leader_is_not_waited_for_by_the_workers_that_it_waits_for(self) -> None:
        assert self.spec["startupPolicy"] == "LeaderCreated"

    def test_its_name_leaves_the_services_name_free(self) -> None:
        assert manifest(self.plan)["metadata"]["name"] != model_server.service(self.plan)["metadata"]["name"]

    def test_its_service_leads_to_leaders_of_this_group_alone(self) -> None:
        selector = model_server.service(self.plan)["spec"]["selector"]
        assert selector == {
            "leaderworkerset.sigs.k8s.io/name": manifest(self.plan)["metadata"]["name"],
            "leaderworkerset.sigs.k8s.io/worker-index": "0",
        }

    def test_pods_of_one_group_stand_close_where_they_can(self) -> None:
        terms = pod(self.plan)["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert [term["podAffinityTerm"]["topologyKey"] for term in terms] == [
            "cloud.google.com/gce-topology-block",
            "cloud.google.com/gce-topology-subblock",
        ]
        assert all(
            term["podAffinityTerm"]["matchLabelKeys"] == ["leaderworkerset.sigs.k8s.io/group-index"] for term in terms
        )

    def test_pulumi_waits_until_it_is_available(self) -> None:
        annotations = manifest(self.plan)["metadata"]["annotations"]
        assert annotations["pulumi.com/waitFor"] == "condition=Available"
        assert int(annotations["pulumi.com/timeoutSeconds"]) > self.plan.load.total


class TestAvailability:
    def test_a_budget_covers_all_pods_of_the_model_and_no_others(self) -> None:
        plan = planned({**TWO_NODES, "replicas": 2})
        budget = model_server.disruption_budget(plan)
        assert budget is not None
        selector = budget["spec"]["selector"]["matchLabels"]
        made = templates(plan)
        for role in PODS_OF_A_GROUP:
            assert selector.items() <= made[role]["metadata"]["labels"].items()
        job = smoke_test(plan, made.revision, TOKEN)["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= job.items()
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"

    def test_spread_replicas_avoid_each_other(self) -> None:
        plan = planned({**ONE_GPU, "replicas": 2})
        (term,) = pod(plan)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"

    def test_servers_that_share_a_node_seek_each_other_so_that_other_nodes_stay_whole(self) -> None:
        plan = planned(ONE_GPU)
        (term,) = pod(plan)["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        selector = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
        assert selector.items() <= templates(plan)[Role.SERVER]["metadata"]["labels"].items()
        assert "affinity" not in pod(SERVERS["eight GPUs"])


class TestSmokeTest:
    def test_each_change_of_the_pod_is_a_new_test_and_nothing_else_is(self) -> None:
        plan = planned(ONE_GPU)
        changed, same = planned({**ONE_GPU, "maxNumSeqs": 64}), planned({**ONE_GPU, "replicas": 2}, nodes=1)
        assert templates(changed).revision != templates(plan).revision
        assert templates(same).revision == templates(plan).revision
        assert templates(plan).revision in smoke_test(plan, templates(plan).revision, TOKEN)["metadata"]["name"]

    @pytest.mark.parametrize("plan", SERVERS.values(), ids=SERVERS)
    def test_it_asks_a_server_of_the_new_revision(self, plan: ModelServerPlan) -> None:
        made = templates(plan)
        answering = Role.LEADER if plan.is_group else Role.SERVER
        newest = model_server.newest_service(plan, made.revision)
        assert (newest is not None) == plan.is_group
        service = newest or model_server.service(plan)
        labels = made[answering]["metadata"]["labels"]
        own = {k: v for k, v in service["spec"]["selector"].items() if not k.startswith("leaderworkerset")}
        assert own.items() <= labels.items() and (made.revision in own.values()) == plan.is_group
        job = smoke_test(plan, made.revision, TOKEN)
        (variables,) = [c["env"] for c in job["spec"]["template"]["spec"]["containers"]]
        (url,) = [v["value"] for v in variables if v["name"] == "SERVER"]
        assert url == f"http://{service['metadata']['name']}.{plan.namespace}.svc:8000"

    def test_it_is_no_less_restricted_than_a_server(self) -> None:
        spec = smoke_test(SERVERS["one GPU"], "0", TOKEN)["spec"]["template"]["spec"]
        assert spec["securityContext"] == pod(SERVERS["one GPU"])["securityContext"]
        assert spec["containers"][0]["securityContext"] == container(SERVERS["one GPU"])["securityContext"]
        assert "nvidia.com/gpu" not in json.dumps(spec["containers"][0]["resources"])

    def test_the_servers_answer_becomes_the_reason_of_the_failure(self) -> None:
        job = smoke_test(SERVERS["one GPU"], "0", TOKEN)
        assert job["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert job["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"


class TestRay:
    plan = planned({**TWO_NODES, "distributedExecutor": "ray", "image": "example.org/vllm-ray:0.33.0"})

    def test_the_leader_becomes_vllm_and_the_worker_ray(self) -> None:
        leader, worker = (container(self.plan, role)["command"] for role in PODS_OF_A_GROUP)
        assert leader[:2] == worker[:2] == ["python3", "-c"] and leader[2] == worker[2] == source("ray_node")
        assert leader[-2:] == ["vllm", "serve"] and worker[-2:] == ["ray", "start"]

    def test_no_shell_is_started(self) -> None:
        assert "os.exec" in source("ray_node") and "shell=True" not in source("ray_node")


def test_an_image_by_tag_is_asked_for_and_one_by_digest_is_not() -> None:
    digest = f"example.org/vllm:0.33.0@sha256:{'0' * 64}"
    assert container(planned({**ONE_GPU, "image": digest}))["imagePullPolicy"] == "IfNotPresent"
    assert container(planned(ONE_GPU))["imagePullPolicy"] == "Always"


def test_tolerations_are_the_taints_of_the_pool() -> None:
    plan = planned(ONE_GPU, pool=H200)
    assert [(t["key"], t["value"]) for t in pod(plan)["tolerations"]] == [("nvidia.com/gpu", "present")]
